/* wire.h -- frames to and from a kernel, on two pipes.
**
** Memory is taken as bytes arrive, never because a length field says so. While
** a whole frame waits to be taken no more is read, so that the kernel waits
** for a host that does not.
*/
#ifndef CELL_WIRE_H
#define CELL_WIRE_H

#include "../reactor/reactor.h"
#include "frame.h"

#include <stddef.h>

struct cell_wire_buffer {
  unsigned char *bytes;
  size_t start, used, size; /* bytes[start .. start+used) are waiting */
};

struct cell_wire {
  struct cell_reactor *reactor; /* borrowed */
  struct cell_source source;
  struct cell_source sink; /* of the writer */
  int reader, writer;      /* owned, non-blocking; -1: closed, both */
  struct cell_wire_buffer in, out;
  size_t taken; /* bytes at the start of `in` that the last frame had */
  int broken;   /* a length was out of bounds */
  void (*news)(struct cell_wire *wire); /* a frame has come, or the end */
  void *owner;
};

/* Takes both ends; news and owner are set before. On failure they are closed.
 */
int cell_wire_open(struct cell_wire *wire, struct cell_reactor *reactor,
                   int reader, int writer, struct cell_error *error);
void cell_wire_close(struct cell_wire *wire);
/* As cell_process_send and cell_process_receive (process.h). */
int cell_wire_send(struct cell_wire *wire, uint32_t type, uint64_t request,
                   const void *payload, size_t length,
                   struct cell_error *error);
int cell_wire_receive(struct cell_wire *wire, struct cell_frame *frame,
                      struct cell_error *error);

#endif
