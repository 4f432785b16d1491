/* bell.h -- the reactor's news as bytes on a socket, for a host whose loop
** reads sockets of its own making and polls nothing else.
**
** The host connects to `path`; a small process, not the host's child, then
** polls the reactor and writes a byte each time that it has news, and once a
** second; it goes on when a byte comes back. It ends with the host's socket.
** Nothing blocks but the launch.
*/
#ifndef CELL_BELL_H
#define CELL_BELL_H

#include "../error.h"

#include <sys/types.h>
#include <sys/un.h>

struct cell_bell {
  int listener;               /* owned; -1 once it has been connected to */
  int pidfd;                  /* of the process, owned; -1 before */
  pid_t owner;                /* a forked copy of the host removes nothing */
  struct sockaddr_un address; /* in a folder of its own that only we enter */
};

#define CELL_BELL_CLOSED                                                       \
  {                                                                            \
    -1, -1, 0,                                                                 \
    {                                                                          \
      0, ""                                                                    \
    }                                                                          \
  }

/* Listen on a new path. On failure *bell is closed and needs no cleanup. */
int cell_bell_listen(struct cell_bell *bell, struct cell_error *error);
/* Take the host's connection, remove the path, start the process. Returns 1, 0
** when nobody has connected yet, or -1.
*/
int cell_bell_accept(struct cell_bell *bell, int reactor,
                     struct cell_error *error);
/* Remove the path, if it is still there. The process ends with its socket.
** Safe to call twice.
*/
void cell_bell_close(struct cell_bell *bell);

#endif
