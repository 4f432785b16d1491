/* reactor.h -- one descriptor to wait on for everything, and its timers.
**
** A reactor belongs to the process that made it: in a forked copy every entry
** that would change the shared epoll set fails with CELL_CANCELLED, and freeing
** only closes descriptors. It is reference counted, because what it watches may
** be collected in any order. Nothing blocks but cell_reactor_step, for at most
** its timeout. No callback runs anywhere but inside cell_reactor_step.
*/
#ifndef CELL_REACTOR_H
#define CELL_REACTOR_H

#include "../error.h"
#include "clock.h"

#include <stddef.h>
#include <stdint.h>

struct cell_reactor;

/* A descriptor that is watched. Embed it; zero it before the first use.
** `ready` may remove any source and free its owner, its own included.
*/
struct cell_source {
  int fd;          /* borrowed; remove the source before closing it */
  uint32_t events; /* EPOLLIN, EPOLLOUT as wanted now */
  void (*ready)(struct cell_source *source, uint32_t events);
  int32_t slot; /* private */
};

/* A point in time. Embed it; zero it before the first use. */
struct cell_timer {
  int64_t deadline;
  void (*due)(struct cell_timer *timer);
  int32_t place; /* private: index in the heap plus 1; 0: not armed */
};

struct cell_reactor *cell_reactor_new(struct cell_error *error);
struct cell_reactor *cell_reactor_keep(struct cell_reactor *reactor);
void cell_reactor_release(struct cell_reactor *reactor);
/* 1 if the calling process made it. */
int cell_reactor_owned(const struct cell_reactor *reactor);
const struct cell_clock *cell_reactor_clock(const struct cell_reactor *reactor);
/* For tests: nanoseconds to add to CLOCK_MONOTONIC from now on. */
void cell_reactor_move_clock(struct cell_reactor *reactor, int64_t offset);
/* A buffer that lives as long as the reactor, large enough for any message to
** or from a warden. Its content is lost when the next callback starts.
*/
unsigned char *cell_reactor_scratch(struct cell_reactor *reactor, size_t *size);

/* Readable whenever a step would do something: sources and timers. */
int cell_reactor_pollfd(struct cell_reactor *reactor);
/* Milliseconds until the next timer, rounded up; 0: due; -1: there is none. */
int cell_reactor_timeout(const struct cell_reactor *reactor);
/* Wait up to timeout_ms (-1: no bound) for the first event, then handle a
** bounded batch of events and due timers. Returns how many were handled.
*/
int cell_reactor_step(struct cell_reactor *reactor, int timeout_ms,
                      struct cell_error *error);

int cell_source_add(struct cell_reactor *reactor, struct cell_source *source,
                    struct cell_error *error);
/* Wanted events; 0 keeps it registered and silent. */
int cell_source_want(struct cell_reactor *reactor, struct cell_source *source,
                     uint32_t events);
void cell_source_remove(struct cell_reactor *reactor,
                        struct cell_source *source);
int cell_timer_arm(struct cell_reactor *reactor, struct cell_timer *timer,
                   int64_t deadline, struct cell_error *error);
void cell_timer_disarm(struct cell_reactor *reactor, struct cell_timer *timer);

/* Tokens tell Lua whose coroutine to resume: an object that has news posts its
** number, the stepping loop takes them. Each is in the list at most once as
** long as it has not been taken. 0 is no token.
*/
uint32_t cell_token_new(struct cell_reactor *reactor);
void cell_token_free(struct cell_reactor *reactor, uint32_t token);
void cell_token_post(struct cell_reactor *reactor, uint32_t token);
uint32_t cell_token_take(struct cell_reactor *reactor); /* 0: none left */

#endif
