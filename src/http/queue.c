/* queue.c -- see queue.h. */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

/* What is most often enough, and what allocators keep at hand. */
#define ROOM_LEAST 512u

static size_t left(const struct cell_queue *queue)
{
  return queue->room - queue->from - queue->size;
}

/* What is moved is never more than what was taken before: in a queue that is
** kept full each byte would be moved again and again.
*/
static int make_room(struct cell_queue *queue, size_t size)
{
  size_t room = queue->room > ROOM_LEAST ? queue->room : ROOM_LEAST;
  unsigned char *grown;

  if (queue->from > 0 && queue->from >= queue->size && left(queue) < size) {
    memmove(queue->bytes, queue->bytes + queue->from, queue->size);
    queue->from = 0;
  }
  if (left(queue) >= size)
    return 0;
  while (room - queue->from - queue->size < size)
    room *= 2;
  grown = realloc(queue->bytes, room);
  if (grown == NULL)
    return -1;
  queue->bytes = grown;
  queue->room = room;
  return 0;
}

int cell_queue_put(struct cell_queue *queue, const void *bytes, size_t size,
                   size_t most)
{
  if (size == 0)
    return 0;
  if (size > most || queue->size > most - size || make_room(queue, size) < 0)
    return -1;
  memcpy(queue->bytes + queue->from + queue->size, bytes, size);
  queue->size += size;
  return 0;
}

size_t cell_queue_take(struct cell_queue *queue, void *bytes, size_t size)
{
  size_t count = size < queue->size ? size : queue->size;

  if (count > 0)
    memcpy(bytes, queue->bytes + queue->from, count);
  cell_queue_skip(queue, count);
  return count;
}

void cell_queue_skip(struct cell_queue *queue, size_t size)
{
  queue->from += size;
  queue->size -= size;
  if (queue->size == 0)
    cell_queue_clear(queue);
}

void cell_queue_clear(struct cell_queue *queue)
{
  free(queue->bytes);
  *queue = (struct cell_queue){0};
}
