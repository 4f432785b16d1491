/* steward.h -- makes and removes the groups of a stem.
**
** A process of its own, because a group costs a third of a millisecond, because
** our directories lie in one that only the host's uid may change, and because a
** stem that is killed leaves sandboxes behind.
*/
#ifndef CELL_STEWARD_H
#define CELL_STEWARD_H

#include "../limits/cgroup.h"
#include "../self.h"

struct steward_order {
  uint32_t number; /* of a group */
  uint32_t remove; /* else make it, and say so by the number */
};

/* Start it; *socket is the stem's end. -1 and errno. */
int steward_start(const struct cgroup *cgroup, uid_t owner,
                  const struct self_title *title, int *socket);

#endif
