/* program.h -- what a program of its own may do to its process, and a guest of
** somebody else's may not. The library calls none of this, the command does.
**
** Nothing here blocks. Functions return 0, or -1 with *error filled in.
*/
#ifndef CELL_PROGRAM_H
#define CELL_PROGRAM_H

#include "../reactor/reactor.h"

/* Hears SIGTERM and SIGINT, once: they are blocked, and read from a descriptor.
** The first that is read gives both their default action back, so that a second
** ends the program at once, whatever it is doing.
*/
struct cell_stop {
  struct cell_reactor *reactor; /* kept; NULL: closed */
  struct cell_source source;
  int fd;         /* owned */
  uint32_t token; /* posted when one has come */
  int signal;     /* that has come; 0: none has */
};

#define CELL_STOP_CLOSED                                                       \
  {                                                                            \
    NULL, {-1, 0, NULL, 0}, -1, 0, 0                                           \
  }

/* On failure *stop is closed and needs no cleanup. It must stay where it is. */
int cell_stop_open(struct cell_stop *stop, struct cell_reactor *reactor,
                   struct cell_error *error);
/* From now on they have their default action. Safe to call twice. */
void cell_stop_close(struct cell_stop *stop);

/* Have as many descriptors as the system allows this program. Returns how many
** that are.
*/
uint64_t cell_program_raise_files(void);

#endif
