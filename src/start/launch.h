/* launch.h -- start the embedded warden executable as nobody's child.
**
** Two clones, the first of which never executes (docs/design.md, "Start"): the
** host gets no SIGCHLD and its waitpid(-1) finds nothing. Blocks the calling
** thread until the exec, about 60 microseconds whatever the host's size.
*/
#ifndef CELL_LAUNCH_H
#define CELL_LAUNCH_H

#include "../error.h"

#include <sys/types.h>

struct cell_launched {
  pid_t pid;
  int pidfd;   /* owned by the caller; readable once it has ended */
  int channel; /* our end of a SOCK_SEQPACKET pair, non-blocking, owned */
};

/* role: argv[0], "codecell-stem" or "codecell-relay". extra: up to two more
** descriptors it gets as 5 and 6; the first -1 ends them.
*/
int cell_launch(struct cell_launched *launched, const char *role,
                const int extra[2], struct cell_error *error);

/* The program of this very process once more, with other arguments and the same
** environment: a session of its own in /, nobody's child, with /dev/null as
** its input and output, and nothing else open.
*/
int cell_launch_again(char *const argv[], struct cell_error *error);

/* To be called once a pidfd is readable. A host that is PID 1 or a subreaper
** inherits what we orphan and owes the reaping; for any other it is nothing.
*/
void cell_launch_reap(int pidfd);

#endif
