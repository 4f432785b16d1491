/* steward.h -- makes the groups of a stem ahead, and removes them after it.
**
** A process of its own, because to move a process into a group of version 1
** waits for the whole machine (10 to 20 ms), because our directories lie in one
** that only the host's uid may change, and because a stem that is killed leaves
** sandboxes behind. Its input is numbers from the stem.
*/
#ifndef CELL_STEWARD_H
#define CELL_STEWARD_H

#include "cgroup.h"
#include "self.h"

/* Start it; *socket is the stem's end. -1 and errno. */
int steward_start(const struct cgroup *cgroup, uid_t owner,
                  const struct self_title *title, int *socket);

#endif
