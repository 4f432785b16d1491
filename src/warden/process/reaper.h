/* reaper.h -- PID 1 of the namespace in which the code runs.
**
** It takes the code's orphans, mounts the /proc that the code sees, signals all
** of the code at once when told to, and does nothing else.
*/
#ifndef CELL_REAPER_H
#define CELL_REAPER_H

#include "../failure.h"

struct warden;

/* Make the namespace and its reaper. Every later child of the caller lives in
** it. The reaper's preparations run beside what the caller does next.
*/
int reaper_start(struct warden *warden, struct failure *failure);
/* Wait until /proc is there; must precede the hello. */
int reaper_wait_ready(struct warden *warden, struct failure *failure);
/* Wait until it is locked down; must precede the first code. */
int reaper_wait_locked(struct warden *warden);
/* Signal everything that the code started. */
int reaper_signal_all(struct warden *warden, int number);

#endif
