/* metrics.h -- what a sandbox has used so far. */
#ifndef CELL_METRICS_H
#define CELL_METRICS_H

struct warden;

/* Answers METRICS. */
void metrics_answer(struct warden *warden);

#endif
