/* reply.h -- what a warden may say: every message of one is checked here.
**
** A warden shares a kernel with hostile code, so its messages are looked at as
** if that code had written them. These functions neither allocate nor own;
** they do not look at what is inside a passed file.
*/
#ifndef CELL_REPLY_H
#define CELL_REPLY_H

#include "../wire/channel.h"
#include "sandbox.h"

enum cell_reply {
  CELL_REPLY_WRONG, /* not as protocol.h says */
  CELL_REPLY_MORE,  /* fine, and another message follows */
  CELL_REPLY_LAST   /* fine, and the question is answered */
};

/* A question, as far as it decides what may be answered. */
struct cell_expected {
  uint32_t type; /* CELL_SPAWN, CELL_FILE_STAT, ... */
  int terminal;  /* of a SPAWN */
  int spawned;   /* of a SPAWN: it was answered, EXITED is to come */
};

enum cell_reply cell_reply_check(const struct cell_expected *expected,
                                 const struct cell_delivery *delivery);
/* 1 if its descriptor was lost because the host has none free: no fault of the
** warden's, which cannot bring it about. The question then fails with EMFILE.
*/
int cell_reply_starved(const struct cell_delivery *delivery);
/* The payload of a HELLO. 0, or -1. */
int cell_reply_hello(const struct cell_delivery *delivery,
                     struct cell_hello *hello);
/* The payload of a SOCKET, and the socket unless it was lost: made
** non-blocking. 0, or -1.
*/
int cell_reply_socket(const struct cell_delivery *delivery,
                      enum cell_socket_kind *kind, uint16_t *port);
/* The payload of an ASKED: a name in its one form. 0, or -1. */
int cell_reply_asked(const struct cell_delivery *delivery,
                     char name[CELL_NAME_SIZE]);
/* The payload of a FAILED. 0, or -1. */
int cell_reply_failed(const struct cell_delivery *delivery, uint32_t *number,
                      char *stage, size_t size);

#endif
