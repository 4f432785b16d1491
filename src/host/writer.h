/* writer.h -- the standard output of a program that speaks a protocol by it.
**
** For programs, as reader.h is. Nothing here blocks, and the flags of what the
** program was given are left as they are, since others may share it. Functions
** return 0, or -1 with *error filled in.
*/
#ifndef CELL_WRITER_H
#define CELL_WRITER_H

#include "../reactor/reactor.h"

#include <stddef.h>

struct cell_writer {
  struct cell_reactor *reactor; /* kept; NULL: closed */
  struct cell_source source;
  int fd;         /* owned: what was descriptor 1 */
  uint32_t token; /* posted when there may be room again */
  int is_broken;  /* nobody reads */
};

#define CELL_WRITER_CLOSED                                                     \
  {                                                                            \
    NULL, {-1, 0, NULL, 0}, -1, 0, 0                                           \
  }

/* Takes descriptor 1, which is from now on what 2 is: whatever else writes
** there says nothing in between. On failure *writer is closed and needs no
** cleanup. It must stay where it is.
*/
int cell_writer_open(struct cell_writer *writer, struct cell_reactor *reactor,
                     struct cell_error *error);
/* Returns how many bytes are taken; all of them once it is broken. */
size_t cell_writer_write(struct cell_writer *writer, const void *bytes,
                         size_t size);
void cell_writer_close(struct cell_writer *writer); /* safe to call twice */

#endif
