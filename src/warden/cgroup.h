/* cgroup.h -- limits on a whole sandbox, where the machine lets us set them.
**
** The stem owns one directory for each hierarchy, below the group of the host
** (version 1, as root) or beside it (version 2), and in it one for each
*sandbox.
** Where there is none, other means limit what they can: see warden.c.
*/
#ifndef CELL_CGROUP_H
#define CELL_CGROUP_H

#include "../protocol.h"

#include <stdint.h>
#include <sys/types.h>

enum cgroup_controller {
  CGROUP_MEMORY,
  CGROUP_PROCESSES,
  CGROUP_CPU,
  CGROUP_CONTROLLERS
};

struct cgroup {
  int parent[CGROUP_CONTROLLERS]; /* where our directory is; -1: none */
  int own[CGROUP_CONTROLLERS];    /* our directory, or -1 */
  int version;                    /* 1, 2, or 0: no groups */
  char name[32];                  /* of our directory */
  uint32_t prepared;              /* number of the group that waits; 0: none */
};

/* Descriptors that a warden inherits, and who limits what. */
struct cgroup_view {
  enum cell_mechanism by[CGROUP_CONTROLLERS];
  int oom_kills; /* a file that counts them, or -1 */
  int usage;     /* bytes now, or -1 */
  int peak;      /* most bytes, or -1 */
  int cpu;       /* time used, or -1 */
};

/* Find and make our directories, give them to `owner`. Never fails: where
** nothing can be had, version is 0.
*/
void cgroup_open(struct cgroup *cgroup, uid_t owner);
/* Make the next group ahead of its sandbox. */
void cgroup_prepare(struct cgroup *cgroup, uint32_t number);
/* Put the limits of a sandbox on group `number` and fill *view, whose
** descriptors the caller closes. *directory: for CLONE_INTO_CGROUP, or -1.
*/
int cgroup_assign(struct cgroup *cgroup, uint32_t number, uint64_t memory,
                  uint32_t processes, uint32_t cpu_milli,
                  struct cgroup_view *view, int *directory);
void cgroup_view_close(struct cgroup_view *view);
/* What happened in it. */
void cgroup_inspect(struct cgroup *cgroup, uint32_t number, uint32_t *oom_kills,
                    uint64_t *peak);
/* 0, or -1 while something is left in it (EBUSY). */
int cgroup_remove(struct cgroup *cgroup, uint32_t number);
/* Remove our directories. */
void cgroup_close(struct cgroup *cgroup);

/* Readers for the warden. */
uint64_t cgroup_read_oom_kills(const struct cgroup_view *view);
uint64_t cgroup_read_usage(const struct cgroup_view *view);
uint64_t cgroup_read_peak(const struct cgroup_view *view);
uint64_t cgroup_read_cpu_us(const struct cgroup_view *view);

#endif
