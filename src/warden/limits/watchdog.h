/* watchdog.h -- memory of the whole sandbox where no cgroup bounds it. */
#ifndef CELL_WATCHDOG_H
#define CELL_WATCHDOG_H

#include <stdint.h>

#define WATCHDOG_MS 100

struct warden;

/* Look, and kill the largest process while the sandbox is over its limit. */
void watchdog_look(struct warden *warden);
/* Bytes resident and how many processes; code only. */
void watchdog_measure(struct warden *warden, uint64_t *bytes,
                      uint32_t *processes, uint64_t *cpu_us);

#endif
