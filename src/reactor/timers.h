/* timers.h -- the armed timers of a reactor, the earliest first.
**
** A binary heap. Timers are borrowed; each knows its place, so that any of them
** can be taken out.
*/
#ifndef CELL_TIMERS_H
#define CELL_TIMERS_H

#include "reactor.h"

/* The deadline is copied: comparing touches the heap alone. */
struct cell_timers_entry {
  int64_t deadline;
  struct cell_timer *timer;
};

struct cell_timers {
  struct cell_timers_entry *heap;
  int32_t count, size;
};

void cell_timers_start(struct cell_timers *timers);
void cell_timers_clear(struct cell_timers *timers);
/* Arm, or move if it is armed. -1: out of memory, and it is not armed. */
int cell_timers_put(struct cell_timers *timers, struct cell_timer *timer,
                    int64_t deadline);
void cell_timers_drop(struct cell_timers *timers, struct cell_timer *timer);
/* The earliest deadline, or CELL_NEVER. */
int64_t cell_timers_first(const struct cell_timers *timers);
/* Takes out and returns the earliest if its time has come, or NULL. */
struct cell_timer *cell_timers_due(struct cell_timers *timers, int64_t now);

#endif
