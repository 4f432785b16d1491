/* failure.h -- which step failed, and why.
**
** The stages are part of what the host tells its user: "namespaces", "maps",
** "proc", "root", "bind", "cgroup", "reaper", "lock-down", ...
*/
#ifndef CELL_FAILURE_H
#define CELL_FAILURE_H

#include <errno.h>

struct failure {
  int number;        /* errno */
  const char *stage; /* constant */
  char detail[96];   /* a path, or "" */
};

/* Takes errno. Returns -1. */
static inline int fail(struct failure *failure, const char *stage)
{
  failure->number = errno != 0 ? errno : EIO;
  failure->stage = stage;
  return -1;
}

#endif
