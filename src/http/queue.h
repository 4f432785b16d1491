/* queue.h -- bytes that wait, the first in first out, up to a bound.
**
** Zero it before the first use. Memory is taken as bytes come, and given back
** when none is left.
*/
#ifndef CELL_QUEUE_H
#define CELL_QUEUE_H

#include <stddef.h>

struct cell_queue {
  unsigned char *bytes;
  size_t from, size, room; /* bytes[from .. from + size) are waiting */
};

/* All of them, or -1: more than `most` would wait, or out of memory. */
int cell_queue_put(struct cell_queue *queue, const void *bytes, size_t size,
                   size_t most);
/* At most `size` of them; returns how many. */
size_t cell_queue_take(struct cell_queue *queue, void *bytes, size_t size);
/* The same, of nobody's interest. */
void cell_queue_skip(struct cell_queue *queue, size_t size);
void cell_queue_clear(struct cell_queue *queue);

#endif
