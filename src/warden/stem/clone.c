/* clone.c -- see clone.h. */
#include "clone.h"

#include "../calls.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#define NAMESPACES                                                             \
  (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWCGROUP)
#define ENTERED (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

/* Filters of containers answer clone3 with ENOSYS and only clone tells the true
** errno.
*/
pid_t clone_sandbox(int is_entered, int *pidfd, int group)
{
  const uint64_t namespaces = NAMESPACES | (is_entered ? ENTERED : 0);
  struct call_clone_arguments arguments;
  pid_t pid;

  memset(&arguments, 0, sizeof arguments);
  arguments.flags = namespaces | CLONE_FLAG_PIDFD;
  arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
  arguments.exit_signal = SIGCHLD;
  if (group >= 0) {
    arguments.flags |= CLONE_FLAG_INTO_CGROUP;
    arguments.cgroup = (uint64_t)group;
  }
  pid = (pid_t)syscall(CALL_CLONE3, &arguments, sizeof arguments);
  if (pid < 0 && errno == ENOSYS)
    pid = (pid_t)syscall(SYS_clone, namespaces | CLONE_FLAG_PIDFD | SIGCHLD, 0,
                         pidfd, 0, 0);
  return pid;
}
