/* cgroup.c -- see cgroup.h. */
#include "cgroup.h"

#include <string.h>

void cgroup_open(struct cgroup *cgroup, uid_t owner)
{
  (void)owner;
  memset(cgroup, 0, sizeof *cgroup);
}

void cgroup_prepare(struct cgroup *cgroup, uint32_t number)
{
  cgroup->prepared = number;
}

int cgroup_assign(struct cgroup *cgroup, uint32_t number, uint64_t memory,
                  uint32_t processes, uint32_t cpu_milli,
                  struct cgroup_view *view, int *directory)
{
  (void)cgroup, (void)number, (void)memory, (void)processes, (void)cpu_milli;
  memset(view, 0, sizeof *view);
  view->oom_kills = view->usage = view->peak = view->cpu = -1;
  *directory = -1;
  return 0;
}

void cgroup_view_close(struct cgroup_view *view)
{
  (void)view;
}

void cgroup_inspect(struct cgroup *cgroup, uint32_t number, uint32_t *oom_kills,
                    uint64_t *peak)
{
  (void)cgroup, (void)number;
  *oom_kills = 0;
  *peak = 0;
}

int cgroup_remove(struct cgroup *cgroup, uint32_t number)
{
  (void)cgroup, (void)number;
  return 0;
}

void cgroup_close(struct cgroup *cgroup)
{
  (void)cgroup;
}

uint64_t cgroup_read_oom_kills(const struct cgroup_view *view)
{
  (void)view;
  return 0;
}

uint64_t cgroup_read_usage(const struct cgroup_view *view)
{
  (void)view;
  return 0;
}

uint64_t cgroup_read_peak(const struct cgroup_view *view)
{
  (void)view;
  return 0;
}

uint64_t cgroup_read_cpu_us(const struct cgroup_view *view)
{
  (void)view;
  return 0;
}
