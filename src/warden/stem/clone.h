/* clone.h -- the first process of a sandbox, as fork makes one. */
#ifndef CELL_CLONE_H
#define CELL_CLONE_H

#include <sys/types.h>

/* In user, mount, PID and cgroup namespaces of its own, and, where others are
** to enter it, in network, IPC and UTS namespaces that its own user namespace
** has. In the control group of the directory `group` (-1: in ours). *pidfd is
** for the parent. -1 and errno.
*/
pid_t clone_sandbox(int is_entered, int *pidfd, int group);

#endif
