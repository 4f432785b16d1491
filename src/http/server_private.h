/* server_private.h -- a server from within: for server.c (all of it) and call.c
** (one request and its answer) alone.
*/
#ifndef CELL_SERVER_PRIVATE_H
#define CELL_SERVER_PRIVATE_H

#include "duplex.h"
#include "queue.h"
#include "server.h"

#include <sys/un.h>

struct listener {
  struct cell_server *server;
  struct cell_source source;
  int fd;                     /* owned */
  struct sockaddr_un address; /* of a local one, else empty */
};

struct cell_server {
  unsigned references;
  struct cell_reactor *reactor; /* kept */
  const struct cell_server_library *library;
  struct cell_server_owner owner;
  struct cell_server_limits limits;
  void *made; /* NULL: closed */
  struct cell_source source;
  struct cell_timer timer, rest;
  uint32_t token;
  unsigned connections;
  struct listener listeners[CELL_SERVER_LISTENERS_MAX];
  size_t listener_count;
  struct cell_call *first, *last; /* that nobody has taken */
  struct cell_queue left;         /* numbers of closed connections */
};

struct cell_call {
  struct cell_call *next;
  struct cell_server *server; /* kept once it was taken */
  void *made;
  uint32_t token;
  struct cell_source source; /* once watched: that the client goes away */
  struct cell_duplex duplex; /* once it is of another protocol */
};

/* ---- call.c ---- */

void cell_call_unwatch(struct cell_call *call);
/* Its connection goes on in another protocol. 0: it does not. */
int cell_call_upgraded(struct cell_call *call, int fd, const void *early,
                       size_t size);

#endif
