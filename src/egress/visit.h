/* visit.h -- one connection of a sandbox to the world, from within: for visit.c
** (deciding, resolving, connecting), inspect.c (its first bytes), proxy.c (what
** is asked of the proxy) and farewell.c (refusing it) alone.
*/
#ifndef CELL_VISIT_H
#define CELL_VISIT_H

#include "bridge.h"
#include "egress_private.h"
#include "head.h"

enum cell_visit_kind {
  CELL_VISIT_DIRECT,  /* to an address; nobody thinks of a proxy */
  CELL_VISIT_PROXY,   /* the proxy; not yet known how */
  CELL_VISIT_CONNECT, /* HTTP, a tunnel */
  CELL_VISIT_REQUEST, /* HTTP, one request for http://... */
  CELL_VISIT_SOCKS
};

enum cell_visit_state {
  CELL_VISIT_ASKING,  /* the proxy is being told what is wanted */
  CELL_VISIT_HEARING, /* its first bytes tell whether it is handed over */
  CELL_VISIT_RESOLVING,
  CELL_VISIT_CONNECTING,
  CELL_VISIT_OPEN,     /* the bridge has both sockets */
  CELL_VISIT_REFUSING, /* its first bytes tell how to say so */
  CELL_VISIT_LEAVING   /* it was said; what still comes is read away */
};

struct cell_visit {
  struct cell_visit *next;
  struct cell_egress *egress;
  enum cell_visit_kind kind;
  enum cell_visit_state state;
  struct cell_target target;
  struct cell_source source; /* the sandbox's side, unless the bridge has it */
  struct cell_source server; /* the other one, likewise */
  int fd, server_fd;
  int place_fd; /* keeps the place of server_fd until that is opened */
  struct cell_timer timer;
  struct cell_lookup lookup;
  struct cell_address addresses[8]; /* to be tried */
  size_t address_count, address_at;
  unsigned char *early; /* has come, and is to be passed on */
  size_t early_size;
  char answer[12]; /* how the server answers a wish for a web socket */
  size_t answer_size;
  int greeted; /* SOCKS: the method was chosen */
  int heard; /* it is for the server itself, although its name is handed over */
  int is_handed;
  struct cell_bridge bridge;
  int is_failure;   /* REFUSING: it could not be done; else it may not */
  char reason[384]; /* REFUSING: a line of ASCII */
};

/* ---- visit.c ---- */

/* Decide about visit->target, and go there. May free the visit. */
void cell_visit_go(struct cell_visit *visit);
/* To visit->server_fd, which is connected. May free the visit. */
void cell_visit_open(struct cell_visit *visit);
/* At once. Frees the visit. */
void cell_visit_reset(struct cell_visit *visit);
void cell_visit_wait(struct cell_visit *visit, uint32_t events, int64_t ms);
/* Read what has come, after visit->early: bytes, 0: nothing now, -1: the end,
** an error, or more than `most`.
*/
long cell_visit_read(struct cell_visit *visit, size_t most);

/* ---- inspect.c ---- */

/* The bridge's gate. */
enum cell_bridge_gate cell_visit_inspect(struct cell_bridge *bridge,
                                         const unsigned char *bytes,
                                         size_t size, int ended);
/* Whether a server may be expected to wait for the client's first bytes. */
int cell_visit_speaks_first(const struct cell_visit *visit);

/* ---- proxy.c ---- */

/* Bytes for the proxy have come. May free the visit. */
void cell_visit_asked(struct cell_visit *visit);
/* Tell the client of the proxy that it is connected. 0, or -1. */
int cell_visit_greet(struct cell_visit *visit);
/* Make of what has come what cell_request_write does. 0, or -1. */
int cell_visit_rewrite(struct cell_visit *visit, const struct cell_head *head,
                       const char *authority, size_t authority_length);

/* ---- handover.c ---- */

/* 1: it is handed over, or will be once its first bytes are known. */
int cell_visit_hand(struct cell_visit *visit);
/* Bytes have come while HEARING. May free the visit. */
void cell_visit_hear(struct cell_visit *visit);
/* A request to the proxy itself. May free the visit. */
void cell_visit_serve(struct cell_visit *visit, struct cell_head *head);

/* ---- farewell.c ---- */

/* It is not allowed: `why` has been remembered by the egress. */
void cell_visit_refuse(struct cell_visit *visit, enum cell_refusal_why why,
                       const char *detail);
/* It was allowed, and does not work: `what` says why. */
void cell_visit_fail(struct cell_visit *visit, const char *what);
/* All was said, and the bridge has given its socket back. May free the visit.
 */
void cell_visit_leave(struct cell_visit *visit);
/* Bytes have come while REFUSING or LEAVING. */
void cell_visit_part(struct cell_visit *visit);
/* The proxy was asked for what is no request. */
void cell_visit_reject(struct cell_visit *visit);

#endif
