/* input.h -- bytes on their way into a program's standard input.
**
** What the pipe (or terminal) does not take at once waits in a queue of at most
** CELL_INPUT_QUEUE bytes, which the reactor writes when there is room.
*/
#ifndef CELL_INPUT_H
#define CELL_INPUT_H

#include "../reactor/reactor.h"

#include <stddef.h>

#define CELL_INPUT_QUEUE 65536u

struct cell_input {
  struct cell_reactor *reactor; /* borrowed */
  struct cell_source source;
  int fd;               /* owned, non-blocking; -1: closed */
  unsigned char *queue; /* ring */
  size_t start, used;
  int closing;                            /* once the queue is empty */
  int failed;                             /* errno: nobody reads any more */
  void (*news)(struct cell_input *input); /* there is room, or it failed */
  void *owner;
};

/* Takes fd; news and owner are set before. On failure fd is closed. */
int cell_input_open(struct cell_input *input, struct cell_reactor *reactor,
                    int fd, struct cell_error *error);
/* At once, with what is queued lost. Idempotent. */
void cell_input_close(struct cell_input *input);
/* Nobody reads any more: close, and let writes say so. Idempotent. */
void cell_input_end(struct cell_input *input);
/* How many bytes were taken; 0: full. -1 and *error (EPIPE). */
long cell_input_write(struct cell_input *input, const void *bytes,
                      size_t length, struct cell_error *error);
/* Close after what is queued. */
void cell_input_finish(struct cell_input *input);

#endif
