/* refusals.h -- what a sandbox was refused, until somebody takes it.
**
** Bounded, and nothing is allocated before the first. What has come before is
** counted there; when there is no room left, the first ones are kept: they tell
** more than the last.
*/
#ifndef CELL_REFUSALS_H
#define CELL_REFUSALS_H

#include "name.h"

#include <stddef.h>
#include <stdint.h>

#define CELL_REFUSALS_MAX 64
#define CELL_REFUSAL_DETAIL 96

enum cell_refusal_why {
  CELL_REFUSED_NOT_ALLOWED,
  CELL_REFUSED_PORT, /* the name is allowed, for other ports */
  CELL_REFUSED_DENIED,
  CELL_REFUSED_ADDRESS,     /* detail: the address, and why */
  CELL_REFUSED_SERVER_NAME, /* detail: the other name */
  CELL_REFUSED_PROTOCOL,    /* detail: what is wrong with it */
  CELL_REFUSED_NO_NETWORK,  /* the sandbox has none */
  CELL_REFUSED_LIMIT        /* it has moved all bytes that it may */
};

struct cell_refusal {
  enum cell_refusal_why why;
  unsigned times;
  uint16_t port;             /* 0: only the name was asked for */
  char host[CELL_NAME_SIZE]; /* a name or an address; "": unreadable */
  char detail[CELL_REFUSAL_DETAIL];
};

struct cell_refusals {
  struct cell_refusal *kept; /* NULL: there was none yet */
  size_t first, count;
};

/* 1: it is a new one. 0: it was counted to another, or is not kept. */
int cell_refusals_add(struct cell_refusals *refusals,
                      const struct cell_refusal *refusal);
/* The oldest that has not been taken. 0: there is none. */
int cell_refusals_take(struct cell_refusals *refusals,
                       struct cell_refusal *refusal);
void cell_refusals_clear(struct cell_refusals *refusals);

#endif
