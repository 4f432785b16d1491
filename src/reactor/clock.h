/* clock.h -- the one source of time.
**
** Deadlines are absolute values of this clock: nanoseconds of CLOCK_MONOTONIC,
** or of what a test put in its place.
*/
#ifndef CELL_CLOCK_H
#define CELL_CLOCK_H

#include <stdint.h>

#define CELL_NEVER INT64_MAX /* a deadline that does not come */

struct cell_clock {
  int64_t offset; /* added to CLOCK_MONOTONIC; tests move it */
};

int64_t cell_clock_now(const struct cell_clock *clock);
/* `now + milliseconds`, CELL_NEVER if that overflows. */
int64_t cell_clock_after(const struct cell_clock *clock, int64_t milliseconds);

#endif
