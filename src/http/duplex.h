/* duplex.h -- a connected socket of another protocol than HTTP: bytes both
 *ways.
 **
 ** Bounded: what nobody reads stops the peer, and what the peer does not take
 ** stops the writer, at CELL_SERVER_KEPT_MAX each. Nothing here blocks.
 */
#ifndef CELL_DUPLEX_H
#define CELL_DUPLEX_H

#include "../reactor/reactor.h"
#include "queue.h"
#include "server_library.h"

#include <stdint.h>

struct cell_duplex {
  const struct cell_server_library *library; /* reads and writes it */
  void *made;                                /* a call of the library's */
  struct cell_reactor *reactor;              /* borrowed; NULL: not opened */
  struct cell_source source;                 /* its fd is borrowed */
  struct cell_queue in, out;
  uint32_t token; /* posted when there is something to read, room, an end */
  int is_watched;
  int has_ended;    /* the peer's side */
  int is_broken;    /* and nothing more can be said either */
  int is_finishing; /* what waits still goes out */
  /* All that waited is gone, after cell_duplex_finish, or it has broken. */
  void (*over)(struct cell_duplex *duplex);
};

/* Zeroed before, but for `over`, `library` and `made`. `early`: what has come
 *of it already. Leaves
 ** the socket alone but for reading and writing it.
 */
int cell_duplex_open(struct cell_duplex *duplex, struct cell_reactor *reactor,
                     int fd, uint32_t token, const void *early, size_t size);
size_t cell_duplex_read(struct cell_duplex *duplex, void *bytes, size_t size);
/* How many were taken; all, where nobody is there any more. */
size_t cell_duplex_write(struct cell_duplex *duplex, const void *bytes,
                         size_t size);
/* That was all. */
void cell_duplex_finish(struct cell_duplex *duplex);
/* Let go of the socket. Idempotent; calls nobody. */
void cell_duplex_close(struct cell_duplex *duplex);

#endif
