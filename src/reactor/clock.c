/* clock.c -- see clock.h. */
#include "clock.h"

#include <time.h>

#define NANOSECONDS_A_MILLISECOND 1000000

int64_t cell_clock_now(const struct cell_clock *clock)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + clock->offset;
}

int64_t cell_clock_after(const struct cell_clock *clock, int64_t milliseconds)
{
  int64_t now = cell_clock_now(clock);

  if (milliseconds > (CELL_NEVER - now) / NANOSECONDS_A_MILLISECOND)
    return CELL_NEVER;
  return now + milliseconds * NANOSECONDS_A_MILLISECOND;
}
