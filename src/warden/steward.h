/* steward.h -- removes the groups of a stem after it.
**
** A process of its own, because our directories lie in one that only the host's
** uid may change, and because a stem that is killed leaves sandboxes behind.
*/
#ifndef CELL_STEWARD_H
#define CELL_STEWARD_H

#include "cgroup.h"
#include "self.h"

/* Start it; it works once *socket is closed. -1 and errno. */
int steward_start(const struct cgroup *cgroup, const struct self_title *title,
                  int *socket);

#endif
