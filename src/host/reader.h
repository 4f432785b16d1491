/* reader.h -- what a program is given to read, on its reactor.
**
** For programs, whose standard input is theirs: the library calls none of this.
** The descriptor stays blocking, since others may share it: it is read once
** each time that it has something. Functions return 0, or -1 with *error filled
** in.
*/
#ifndef CELL_READER_H
#define CELL_READER_H

#include "../reactor/reactor.h"

#include <stddef.h>

struct cell_reader {
  struct cell_reactor *reactor; /* kept; NULL: closed */
  struct cell_source source;
  int fd;         /* owned: a copy of the one that was named */
  uint32_t token; /* posted when there is something to read */
  int is_ready;   /* a read would not block */
  int is_always;  /* a file: it never blocks, and cannot be waited for */
};

#define CELL_READER_CLOSED                                                     \
  {                                                                            \
    NULL, {-1, 0, NULL, 0}, -1, 0, 0, 0                                        \
  }

enum cell_reader_state {
  CELL_READER_BYTES,
  CELL_READER_LATER,
  CELL_READER_END
};

/* On failure *reader is closed and needs no cleanup. It must stay where it is.
 */
int cell_reader_open(struct cell_reader *reader, struct cell_reactor *reactor,
                     int fd, struct cell_error *error);
/* At most `size` bytes, of which *count have come. A terminal that is gone has
** ended.
*/
int cell_reader_read(struct cell_reader *reader, void *bytes, size_t size,
                     size_t *count, enum cell_reader_state *state,
                     struct cell_error *error);
void cell_reader_close(struct cell_reader *reader); /* safe to call twice */

#endif
