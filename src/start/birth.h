/* birth.h -- a sandbox as its stem knows it. Between stem.c and sandbox.c. */
#ifndef CELL_BIRTH_H
#define CELL_BIRTH_H

#include "../wire/protocol.h"
#include "stem.h"

#include <stddef.h>
#include <stdint.h>

struct cell_stem_process;

/* Embedded in the sandbox; zero it before the first use. The sandbox ends its
** birth before it is freed.
*/
struct cell_birth {
  uint64_t number;                   /* of the create */
  struct cell_stem_process *process; /* NULL: nobody will say anything */
  struct cell_birth *next, *previous;
  int answered;
  /* The warden exists; pidfd is to be taken. */
  void (*created)(struct cell_birth *birth, int *pidfd);
  /* Nothing of it is left. */
  void (*ended)(struct cell_birth *birth, uint32_t wait_status,
                uint32_t oom_kills);
  /* The stem could not make it. */
  void (*failed)(struct cell_birth *birth, const struct cell_error *why);
  /* The stem has gone. If the birth was unanswered, it did not happen. */
  void (*lost)(struct cell_birth *birth, struct cell_stem *stem);
};

/* Send a create, with the warden's end of the channel (the caller keeps its
** own). Starts the stem if there is none.
*/
int cell_birth_start(struct cell_stem *stem, struct cell_birth *birth,
                     const void *payload, size_t length, int warden_end,
                     struct cell_error *error);
/* Not interested any more. A warden that comes after it is killed. */
void cell_birth_end(struct cell_birth *birth);

#endif
