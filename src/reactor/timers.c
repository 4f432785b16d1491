/* timers.c -- see timers.h. */
#include "timers.h"

#include <stdlib.h>

void cell_timers_start(struct cell_timers *timers)
{
  timers->heap = NULL;
  timers->count = timers->size = 0;
}

void cell_timers_clear(struct cell_timers *timers)
{
  free(timers->heap);
  cell_timers_start(timers);
}

static void place(struct cell_timers *timers, struct cell_timers_entry entry,
                  int32_t index)
{
  timers->heap[index] = entry;
  entry.timer->place = index + 1;
}

static void sift_up(struct cell_timers *timers, int32_t index)
{
  struct cell_timers_entry entry = timers->heap[index];

  while (index > 0) {
    int32_t parent = (index - 1) / 2;

    if (timers->heap[parent].deadline <= entry.deadline)
      break;
    place(timers, timers->heap[parent], index);
    index = parent;
  }
  place(timers, entry, index);
}

static void sift_down(struct cell_timers *timers, int32_t index)
{
  struct cell_timers_entry entry = timers->heap[index];

  for (;;) {
    int32_t child = 2 * index + 1;

    if (child >= timers->count)
      break;
    if (child + 1 < timers->count &&
        timers->heap[child + 1].deadline < timers->heap[child].deadline)
      child++;
    if (timers->heap[child].deadline >= entry.deadline)
      break;
    place(timers, timers->heap[child], index);
    index = child;
  }
  place(timers, entry, index);
}

int cell_timers_put(struct cell_timers *timers, struct cell_timer *timer,
                    int64_t deadline)
{
  cell_timers_drop(timers, timer);
  if (timers->count == timers->size) {
    int32_t size = timers->size > 0 ? timers->size * 2 : 16;
    struct cell_timers_entry *heap =
      realloc(timers->heap, (size_t)size * sizeof *heap);

    if (heap == NULL)
      return -1;
    timers->heap = heap;
    timers->size = size;
  }
  timer->deadline = deadline;
  timers->heap[timers->count] = (struct cell_timers_entry){deadline, timer};
  timers->count++;
  sift_up(timers, timers->count - 1);
  return 0;
}

void cell_timers_drop(struct cell_timers *timers, struct cell_timer *timer)
{
  int32_t index = timer->place - 1;
  struct cell_timers_entry last;

  if (index < 0)
    return;
  timer->place = 0;
  last = timers->heap[--timers->count];
  if (last.timer == timer)
    return;
  place(timers, last, index);
  sift_up(timers, index);
  sift_down(timers, last.timer->place - 1);
}

int64_t cell_timers_first(const struct cell_timers *timers)
{
  return timers->count > 0 ? timers->heap[0].deadline : CELL_NEVER;
}

struct cell_timer *cell_timers_due(struct cell_timers *timers, int64_t now)
{
  struct cell_timer *timer;

  if (timers->count == 0 || timers->heap[0].deadline > now)
    return NULL;
  timer = timers->heap[0].timer;
  cell_timers_drop(timers, timer);
  return timer;
}
