/* cgroup.h -- limits on a whole sandbox, where the machine lets us set them.
**
** The stem owns one directory in each hierarchy, below the group of the host
** (version 1, as root) or beside it (version 2), and in it one a sandbox.
** With version 1 the stem itself sits in the group of the next sandbox, whose
** warden is born there.
** Where there is none, other means limit what they can: see warden.c.
*/
#ifndef CELL_CGROUP_H
#define CELL_CGROUP_H

#include "../../wire/protocol.h"

#include "../self.h"

#include <stdint.h>
#include <sys/types.h>

enum cgroup_controller {
  CGROUP_MEMORY,
  CGROUP_PROCESSES,
  CGROUP_CPU,
  CGROUP_CONTROLLERS
};

/* Descriptors that a warden inherits, and who limits what. */
struct cgroup_view {
  enum cell_mechanism by[CGROUP_CONTROLLERS];
  int oom_kills; /* a file that counts them, or -1 */
  int usage;     /* bytes now, or -1 */
  int peak;      /* most bytes, or -1 */
  int cpu;       /* time used, or -1 */
};

struct cgroup_limits {
  uint64_t memory;
  uint32_t processes;
  uint32_t cpu_milli;
};

struct cgroup {
  int version;                    /* 1, 2, or 0: no groups */
  int parent[CGROUP_CONTROLLERS]; /* where our directory is; -1: none */
  int own[CGROUP_CONTROLLERS];    /* our directory, or -1 */
  int
    outside[CGROUP_CONTROLLERS]; /* version 1: "tasks" of where we came from */
  char name[32];                 /* of our directory */
  uint32_t number;               /* of the last group that was asked for */
  uint32_t prepared;             /* the one that waits; 0: none */
  uint32_t pending;              /* the one the steward is making; 0: none */
  int slowed;                    /* we sit in a group of the CPU controller */
  int used;                      /* groups have been given out */
  int steward;                   /* its socket, or -1 */
  /* Limits of the last sandbox, put on the prepared group too: most often the
  ** next one has the same. */
  struct cgroup_limits last;
  int limited; /* it has them, and `view` is of it */
  struct cgroup_view view;
};

/* Find and make our directories, give them to `owner`, start the steward. Never
** fails: where nothing can be had, version is 0.
*/
void cgroup_open(struct cgroup *cgroup, uid_t owner,
                 const struct self_title *title);
/* Have the next group made ahead of its sandbox. */
void cgroup_prepare(struct cgroup *cgroup);
/* The steward's socket is readable: the group is made. With version 1 we enter
** it, and so leave that of the last sandbox.
*/
void cgroup_take(struct cgroup *cgroup);
/* Put the limits of a sandbox on the next group and fill *view, whose
** descriptors the caller closes. *directory: for CLONE_INTO_CGROUP, or -1.
** Returns the number of the group, 0: none.
*/
uint32_t cgroup_assign(struct cgroup *cgroup,
                       const struct cgroup_limits *limits,
                       struct cgroup_view *view, int *directory);
/* The warden lives: the group is its. */
void cgroup_taken(struct cgroup *cgroup);
void cgroup_view_close(struct cgroup_view *view);
/* What happened in it. */
void cgroup_inspect(struct cgroup *cgroup, uint32_t number, uint32_t *oom_kills,
                    uint64_t *peak);
/* Its processes have gone: have it removed. */
void cgroup_leave(struct cgroup *cgroup, uint32_t number);

/* All have ended, and so shall the steward. */
void cgroup_close(struct cgroup *cgroup);

/* For the steward: make a group; remove one, -1 while something is left in it;
** remove what stems that were killed have left; is there a directory of its own
** for the controller?
*/
void cgroup_make(const struct cgroup *cgroup, uint32_t number);
int cgroup_remove(const struct cgroup *cgroup, uint32_t number);
void cgroup_clean(const struct cgroup *cgroup);
int cgroup_distinct(const struct cgroup *cgroup, int controller);

/* Readers for the warden; 0 where there is nothing to read. */
uint64_t cgroup_oom_kills(const struct cgroup_view *view);
uint64_t cgroup_usage(const struct cgroup_view *view);
uint64_t cgroup_peak(const struct cgroup_view *view);
uint64_t cgroup_cpu_us(const struct cgroup_view *view);

#endif
