/* resolver.h -- how the engine asks for the addresses of a name.
**
** What answers is not part of the engine: a library for name servers is loaded
** with a module of its own (src/names/), at the first use of a network, and
** known by this table. It has no thread and never blocks: the engine tells it
** what has become readable and when its time has come.
*/
#ifndef CELL_RESOLVER_H
#define CELL_RESOLVER_H

#include "address.h"

#define CELL_RESOLVER_VERSION 1u

enum cell_resolver_status {
  CELL_RESOLVED,
  CELL_NO_SUCH_NAME, /* it has no address at all */
  CELL_NOT_RESOLVED  /* nobody answered */
};

struct cell_resolver_answer {
  enum cell_resolver_status status;
  struct cell_address addresses[8];
  size_t count;
  unsigned seconds; /* that it holds */
};

struct cell_resolver_owner {
  /* What to wait for at a descriptor; neither: it is about to be closed. */
  void (*watch)(struct cell_resolver_owner *owner, int fd, int readable,
                int writable);
  /* Once for each question; also inside `ask`, and inside `close`. */
  void (*answered)(struct cell_resolver_owner *owner, void *question,
                   const struct cell_resolver_answer *answer);
};

struct cell_resolver_library {
  unsigned version;
  /* servers: "127.0.0.1:5353,...", or "" for the system's. NULL: it failed. */
  void *(*open)(struct cell_resolver_owner *owner, const char *servers);
  void (*close)(void *resolver);
  void (*ask)(void *resolver, const char *name, void *question);
  /* Descriptors that are ready, or -1; -1 twice when time has passed. */
  void (*process)(void *resolver, int readable, int writable);
  long (*timeout_ms)(void *resolver); /* -1: nothing is asked */
};

#endif
