/* census.h -- the sandboxes that live on this machine, read from /proc.
**
** There is no registry file that could be stale: a warden calls itself
** `codecell-sandbox ID`, and it is the first process of a PID namespace right
** below ours, or below that of a stem with a zygote. Code inside a sandbox may
** take the same name, but it is never the first process of a namespace (that is
** the reaper, and code can make none), so it can neither show up here nor have
** another killed.
**
** Nothing here waits. One pass reads a few small files a process of the
** machine.
*/
#ifndef CELL_CENSUS_H
#define CELL_CENSUS_H

#include "../error.h"
#include "../wire/protocol.h"

#include <stddef.h>
#include <sys/types.h>

/* Whose sandboxes: the caller's (for root also those of the plain uid), or
** those of every user whose processes /proc shows.
*/
enum cell_census_scope { CELL_CENSUS_MINE, CELL_CENSUS_ALL };

struct cell_census_entry {
  char id[CELL_ID_SIZE];
  pid_t pid;      /* of the warden */
  uid_t uid;      /* of the warden */
  double started; /* seconds since 1970 */
};

/* Fill at most `size` entries, oldest process number first as /proc has them.
** Returns how many there are, which may be more than `size`; -1 when /proc
** cannot be read.
*/
long cell_census_list(struct cell_census_entry *entries, size_t size,
                      enum cell_census_scope scope, struct cell_error *error);

/* SIGKILL to the warden of that sandbox, which takes all of it along. 1: sent;
** 0: there is none of the caller's; -1: *error. Never hits a process that got
** the number meanwhile: the name is read again once a pidfd holds the process.
*/
int cell_census_kill(const char *id, struct cell_error *error);

/* Has the shape of a sandbox id: "i" and 20 of [a-z0-9]. */
int cell_census_is_id(const char *text);

#endif
