/* bridge.h -- two connected sockets, and all bytes of each copied to the other.
**
** Bounded both ways: bytes are read into the reactor's scratch, and only what
** the other side did not take is kept, at most CELL_BRIDGE_KEPT_MAX of it;
** reading stops until it is gone. The end of one side is passed on as such
** (half-close); an error of either resets both. Nothing here blocks.
*/
#ifndef CELL_BRIDGE_H
#define CELL_BRIDGE_H

#include "../reactor/reactor.h"

#include <stddef.h>
#include <stdint.h>

#define CELL_BRIDGE_KEPT_MAX 65536u

/* What a gate says of the bytes that have come so far. */
enum cell_bridge_gate {
  CELL_GATE_WAIT,  /* more must come before it can tell */
  CELL_GATE_PASS,  /* let them pass, and ask again for what follows */
  CELL_GATE_OPEN,  /* let them pass, and all that follows */
  CELL_GATE_CLOSED /* it has refused them, and ended the bridge itself */
};

struct cell_bridge;

struct cell_bridge_side {
  struct cell_source source;
  struct cell_bridge *bridge;
  int fd;              /* owned; -1: none */
  unsigned char *kept; /* came from this side, to be sent to the other */
  size_t kept_from, kept_size;
  int ended;       /* its end of file has come */
  int passed;      /* and was passed on */
  uint64_t copied; /* bytes of it that the other side took */
};

/* Zero it, and set `done` and if wanted `gate`, before the first use. */
struct cell_bridge {
  struct cell_reactor *reactor; /* borrowed */
  struct cell_bridge_side sides[2];
  /* Looks at the first bytes of side 0 before any is passed on. */
  enum cell_bridge_gate (*gate)(struct cell_bridge *bridge,
                                const unsigned char *bytes, size_t size,
                                int ended);
  /* Bytes of side 1 come, and are passed on then; may be NULL. */
  void (*heard)(struct cell_bridge *bridge, const unsigned char *bytes,
                size_t size);
  /* Bytes were passed on; may be NULL. Answers 0 to have both reset. */
  int (*counted)(struct cell_bridge *bridge, int side, size_t size);
  /* Side 1 gives one answer: with its end, once all of it was passed on, all is
  ** over. Then this is called, and takes side 0. NULL: two equal sides.
  */
  void (*answered)(struct cell_bridge *bridge);
  /* Both ends have come, or an error: it is closed. Once; may free it. */
  void (*done)(struct cell_bridge *bridge);
};

/* Takes both connected, non-blocking sockets, also on failure. */
int cell_bridge_open(struct cell_bridge *bridge, struct cell_reactor *reactor,
                     int fds[2], struct cell_error *error);
/* Bytes that have come from a side before it was opened; 0, or -1 when they do
** not fit. Call cell_bridge_turn then.
*/
int cell_bridge_give(struct cell_bridge *bridge, int side, const void *bytes,
                     size_t size);
/* Instead of all that is kept of a side: `bytes`, from malloc, taken. For its
** gate.
*/
void cell_bridge_replace(struct cell_bridge *bridge, int side,
                         unsigned char *bytes, size_t size);
/* Copy what can be copied now. May call `done`. */
void cell_bridge_turn(struct cell_bridge *bridge);
/* Take a side's socket away from it and stop; the other one is closed. */
int cell_bridge_take(struct cell_bridge *bridge, int side);
/* Close both without passing anything on. Idempotent; calls nobody. */
void cell_bridge_close(struct cell_bridge *bridge);
/* Have the close of a socket tell its peer of an error, not of an end. */
void cell_socket_reset(int fd);

#endif
