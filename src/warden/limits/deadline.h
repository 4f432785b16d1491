/* deadline.h -- when the time of a sandbox is up, and what happens then.
**
** It ends, whatever the warden is doing: by the handler of a signal. Or it is
** paused, from the warden's loop, which hears of that signal by its descriptor:
** every process of the code is stopped, none is started, and the host is told,
** until the host lets them go on (SIGNAL with SIGCONT to everything).
*/
#ifndef CELL_WARDEN_DEADLINE_H
#define CELL_WARDEN_DEADLINE_H

#include <stdint.h>

struct warden;

/* Before anything else that may take long. */
void deadline_prepare(void);
/* 0, or -1 and errno. */
int deadline_set(uint64_t milliseconds);
/* The message DEADLINE. */
void deadline_change(struct warden *warden);
/* Of one that pauses. */
void deadline_came(struct warden *warden);

#endif
