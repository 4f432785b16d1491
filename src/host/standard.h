/* standard.h -- the two standard streams of a program that speaks a protocol by
** them: it hears its client by descriptor 0, and answers by 1.
**
** For a program of its own, as program.h is. Nothing here blocks, and the flags
** of what the client gave are left as they are: others may share it. Functions
** return 0, or -1 with *error filled in.
*/
#ifndef CELL_STANDARD_H
#define CELL_STANDARD_H

#include "../reactor/reactor.h"

#include <stddef.h>

struct cell_standard {
  struct cell_reactor *reactor; /* kept; NULL: closed */
  struct cell_source in, out;   /* their descriptors are owned; -1: closed */
  uint32_t token;  /* posted when there is something to read, room, an end */
  int is_readable; /* a read would not block */
  int has_ended;   /* nothing will be read any more */
  int is_broken;   /* nobody reads what is written */
};

#define CELL_STANDARD_CLOSED                                                   \
  {                                                                            \
    NULL, {-1, 0, NULL, 0}, {-1, 0, NULL, 0}, 0, 0, 0, 0                       \
  }

/* Takes both streams. From now on descriptor 0 is /dev/null and 1 is what 2 is,
** so that nothing else is heard or said in between. On failure *standard is
** closed and needs no cleanup. It must stay where it is.
*/
int cell_standard_open(struct cell_standard *standard,
                       struct cell_reactor *reactor, struct cell_error *error);
/* What is there, at most `size` bytes. Returns how many; 0: nothing now, or
** `has_ended`.
*/
size_t cell_standard_read(struct cell_standard *standard, void *bytes,
                          size_t size);
/* Returns how many are taken; all of them once it is broken. */
size_t cell_standard_write(struct cell_standard *standard, const void *bytes,
                           size_t size);
/* Safe to call twice. */
void cell_standard_close(struct cell_standard *standard);

#endif
