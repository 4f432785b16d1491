/* dial.h -- connections to servers inside, made for the host. */
#ifndef CELL_DIAL_H
#define CELL_DIAL_H

#include <stddef.h>
#include <stdint.h>

#define DIALS_MAX 64
#define DIAL_MS 10000

struct dial {
  uint64_t request;
  int fd;
  int family; /* that is being tried */
  uint16_t port;
  int64_t deadline; /* ms */
};

struct dials {
  struct dial list[DIALS_MAX];
  size_t count;
};

struct warden;

/* Answers DIAL, sooner or later. */
void dial_start(struct warden *warden);
/* Look at every one: connected, refused, or too late. */
void dial_check(struct warden *warden);

#endif
