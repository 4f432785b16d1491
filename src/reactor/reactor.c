/* reactor.c -- see reactor.h.
**
** The epoll descriptor is what hosts poll. Timers reach it through one timerfd,
** set to the earliest deadline and moved later only when it has rung: a timer
** that is armed and disarmed again, as each wait does, costs no system call.
*/
#include "reactor.h"

#include "../descriptor.h"
#include "../wire/frame.h"
#include "timers.h"
#include "tokens.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MARK_SIZE 4096
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18 /* Linux 4.14 */
#endif
#define BATCH 64               /* events handled in a step */
#define TIMERS_A_STEP 256      /* due timers handled in a step */
#define TIMER_EVENT UINT64_MAX /* epoll's data of the timerfd */
#define SCRATCH (CELL_FRAME_HEADER + CELL_MESSAGE_MAX)

struct slot {
  struct cell_source *source; /* NULL: free */
  uint32_t generation;        /* an event of an earlier use is dropped */
  uint32_t next_free;         /* index plus 1 */
  int watched;                /* is in the epoll set now */
};

struct cell_reactor {
  int references;
  pid_t owner;
  const unsigned char *mark; /* 1, and 0 in a forked copy; NULL: cannot tell */
  int epoll;
  int bell;         /* the timerfd */
  int64_t rings_at; /* what the bell is set to; CELL_NEVER: off */
  int is_polled;    /* by somebody else, who must hear the bell at once */
  struct cell_clock clock;
  struct slot *slots;
  uint32_t slot_count, first_free; /* index plus 1 */
  struct cell_timers timers;
  struct cell_tokens tokens;
  unsigned char scratch[SCRATCH];
};

/* A page that the kernel empties in a forked copy: asked before nearly each
** step, it saves a system call each time. NULL where that is not known.
*/
static const unsigned char *make_mark(void)
{
  unsigned char *mark = mmap(NULL, MARK_SIZE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (mark == MAP_FAILED)
    return NULL;
  if (madvise(mark, MARK_SIZE, MADV_WIPEONFORK) < 0) {
    munmap(mark, MARK_SIZE);
    return NULL;
  }
  *mark = 1;
  return mark;
}

static void reactor_free(struct cell_reactor *reactor)
{
  if (reactor->mark != NULL)
    munmap((void *)reactor->mark, MARK_SIZE);
  cell_fd_close(&reactor->epoll);
  cell_fd_close(&reactor->bell);
  cell_timers_clear(&reactor->timers);
  cell_tokens_clear(&reactor->tokens);
  free(reactor->slots);
  free(reactor);
}

struct cell_reactor *cell_reactor_new(struct cell_error *error)
{
  struct cell_reactor *reactor = malloc(sizeof *reactor);
  struct epoll_event event = {0};

  if (reactor == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "create a reactor");
    return NULL;
  }
  reactor->references = 1;
  reactor->owner = getpid();
  reactor->mark = make_mark();
  reactor->rings_at = CELL_NEVER;
  reactor->is_polled = 0;
  reactor->clock.offset = 0;
  reactor->slots = NULL;
  reactor->slot_count = reactor->first_free = 0;
  cell_timers_start(&reactor->timers);
  cell_tokens_start(&reactor->tokens);
  reactor->epoll = cell_fd_above_stdio(epoll_create1(EPOLL_CLOEXEC));
  reactor->bell = cell_fd_above_stdio(
    timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  event.events = EPOLLIN;
  event.data.u64 = TIMER_EVENT;
  if (reactor->epoll < 0 || reactor->bell < 0 ||
      epoll_ctl(reactor->epoll, EPOLL_CTL_ADD, reactor->bell, &event) < 0) {
    cell_fail(error, CELL_SYSTEM, errno, "create a reactor");
    reactor_free(reactor);
    return NULL;
  }
  return reactor;
}

struct cell_reactor *cell_reactor_keep(struct cell_reactor *reactor)
{
  reactor->references++;
  return reactor;
}

void cell_reactor_release(struct cell_reactor *reactor)
{
  if (reactor != NULL && --reactor->references == 0)
    reactor_free(reactor);
}

int cell_reactor_owned(const struct cell_reactor *reactor)
{
  return reactor->mark != NULL ? *reactor->mark : getpid() == reactor->owner;
}

const struct cell_clock *cell_reactor_clock(const struct cell_reactor *reactor)
{
  return &reactor->clock;
}

unsigned char *cell_reactor_scratch(struct cell_reactor *reactor, size_t *size)
{
  *size = sizeof reactor->scratch;
  return reactor->scratch;
}

/* Refuse in a forked copy: epoll set and timerfd are shared with the owner. */
static int check_owner(const struct cell_reactor *reactor,
                       struct cell_error *error)
{
  if (cell_reactor_owned(reactor))
    return 0;
  return cell_fail(error, CELL_CANCELLED, 0,
                   "this reactor belongs to the process that made it, and "
                   "this is a forked copy of it");
}

/* ---- sources ---- */

static struct slot *slot_of(struct cell_reactor *reactor,
                            const struct cell_source *source)
{
  return source->slot > 0 ? &reactor->slots[source->slot - 1] : NULL;
}

static int control(struct cell_reactor *reactor, int operation,
                   const struct cell_source *source)
{
  struct epoll_event event = {0};
  uint32_t index = (uint32_t)source->slot - 1;

  event.events = source->events;
  event.data.u64 = (uint64_t)reactor->slots[index].generation << 32 | index;
  return epoll_ctl(reactor->epoll, operation, source->fd, &event);
}

static int grow_slots(struct cell_reactor *reactor)
{
  uint32_t count = reactor->slot_count > 0 ? reactor->slot_count * 2 : 16;
  struct slot *slots = realloc(reactor->slots, count * sizeof *slots);
  uint32_t i;

  if (slots == NULL)
    return -1;
  for (i = reactor->slot_count; i < count; i++) {
    slots[i] = (struct slot){NULL, 0, 0, 0};
    slots[i].next_free = i + 1 < count ? i + 2 : 0;
  }
  reactor->first_free = reactor->slot_count + 1;
  reactor->slots = slots;
  reactor->slot_count = count;
  return 0;
}

int cell_source_add(struct cell_reactor *reactor, struct cell_source *source,
                    struct cell_error *error)
{
  struct slot *slot;

  if (check_owner(reactor, error) < 0)
    return -1;
  if (reactor->first_free == 0 && grow_slots(reactor) < 0)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "watch a descriptor");
  slot = &reactor->slots[reactor->first_free - 1];
  source->slot = (int32_t)reactor->first_free;
  if (source->events != 0 && control(reactor, EPOLL_CTL_ADD, source) < 0) {
    source->slot = 0;
    return cell_fail(error, CELL_SYSTEM, errno, "watch a descriptor");
  }
  reactor->first_free = slot->next_free;
  slot->source = source;
  slot->watched = source->events != 0;
  return 0;
}

int cell_source_want(struct cell_reactor *reactor, struct cell_source *source,
                     uint32_t events)
{
  struct slot *slot = slot_of(reactor, source);
  uint32_t before = source->events;
  int operation = EPOLL_CTL_MOD;

  if (slot == NULL || source->events == events)
    return 0;
  if (check_owner(reactor, NULL) < 0)
    return -1;
  /* A silent one leaves the set: epoll reports a hang-up unasked, again and
  ** again. */
  if (events == 0)
    operation = EPOLL_CTL_DEL;
  else if (!slot->watched)
    operation = EPOLL_CTL_ADD;
  source->events = events;
  if (control(reactor, operation, source) < 0) {
    source->events = before; /* to be tried again at the next call */
    return -1;
  }
  slot->watched = events != 0;
  return 0;
}

void cell_source_remove(struct cell_reactor *reactor,
                        struct cell_source *source)
{
  struct slot *slot = slot_of(reactor, source);

  if (slot == NULL)
    return;
  if (slot->watched && cell_reactor_owned(reactor))
    control(reactor, EPOLL_CTL_DEL, source);
  slot->source = NULL;
  slot->watched = 0;
  slot->generation++;
  slot->next_free = reactor->first_free;
  reactor->first_free = (uint32_t)source->slot;
  source->slot = 0;
}

static int dispatch(struct cell_reactor *reactor,
                    const struct epoll_event *event)
{
  uint32_t index = (uint32_t)event->data.u64;
  uint32_t generation = (uint32_t)(event->data.u64 >> 32);
  struct cell_source *source;

  if (event->data.u64 == TIMER_EVENT)
    return 0; /* setting it anew after the batch silences it */
  if (index >= reactor->slot_count ||
      reactor->slots[index].generation != generation)
    return 0;
  source = reactor->slots[index].source;
  if (source == NULL || !reactor->slots[index].watched)
    return 0;
  source->ready(source, event->events);
  return 1;
}

/* ---- timers ---- */

static void set_bell(struct cell_reactor *reactor, int64_t deadline)
{
  struct itimerspec when = {{0, 0}, {0, 0}};
  int64_t at = deadline;

  reactor->rings_at = deadline;
  if (deadline != CELL_NEVER) {
    at -= reactor->clock.offset;
    if (at < 1)
      at = 1; /* 0 would turn it off; the past rings at once */
    when.it_value.tv_sec = (time_t)(at / 1000000000);
    when.it_value.tv_nsec = (long)(at % 1000000000);
  }
  timerfd_settime(reactor->bell, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Whether a deadline has passed, so that the next step need not wait. */
static int is_due(const struct cell_reactor *reactor, int64_t deadline)
{
  return deadline != CELL_NEVER && deadline <= cell_clock_now(&reactor->clock);
}

int cell_reactor_pollfd(struct cell_reactor *reactor)
{
  int64_t first = cell_timers_first(&reactor->timers);

  if (!reactor->is_polled && cell_reactor_owned(reactor) &&
      first < reactor->rings_at)
    set_bell(reactor, first);
  reactor->is_polled = 1;
  return reactor->epoll;
}

int cell_timer_arm(struct cell_reactor *reactor, struct cell_timer *timer,
                   int64_t deadline, struct cell_error *error)
{
  if (check_owner(reactor, error) < 0)
    return -1;
  if (cell_timers_put(&reactor->timers, timer, deadline) < 0)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "set a timer");
  if (deadline < reactor->rings_at &&
      (reactor->is_polled || !is_due(reactor, deadline)))
    set_bell(reactor, deadline);
  return 0;
}

void cell_timer_disarm(struct cell_reactor *reactor, struct cell_timer *timer)
{
  cell_timers_drop(&reactor->timers, timer);
}

void cell_reactor_move_clock(struct cell_reactor *reactor, int64_t offset)
{
  reactor->clock.offset = offset;
  if (cell_reactor_owned(reactor))
    set_bell(reactor, cell_timers_first(&reactor->timers));
}

int cell_reactor_timeout(const struct cell_reactor *reactor)
{
  int64_t deadline = cell_timers_first(&reactor->timers);
  int64_t left;

  if (deadline == CELL_NEVER)
    return -1;
  left = deadline - cell_clock_now(&reactor->clock);
  if (left <= 0)
    return 0;
  left = (left + 999999) / 1000000;
  return left < INT32_MAX ? (int)left : INT32_MAX;
}

static int run_timers(struct cell_reactor *reactor)
{
  int64_t now;
  int handled = 0;

  if (cell_timers_first(&reactor->timers) != CELL_NEVER) {
    now = cell_clock_now(&reactor->clock);
    while (handled < TIMERS_A_STEP) {
      struct cell_timer *timer = cell_timers_due(&reactor->timers, now);

      if (timer == NULL)
        break;
      timer->due(timer);
      handled++;
    }
  }
  return handled;
}

int cell_reactor_step(struct cell_reactor *reactor, int timeout_ms,
                      struct cell_error *error)
{
  struct epoll_event events[BATCH];
  int rang = 0;
  int handled = 0;
  int count, i;

  if (check_owner(reactor, error) < 0)
    return -1;
  if (timeout_ms != 0 && is_due(reactor, cell_timers_first(&reactor->timers)))
    timeout_ms = 0;
  count = epoll_wait(reactor->epoll, events, BATCH, timeout_ms);
  if (count < 0 && errno != EINTR)
    return cell_fail(error, CELL_SYSTEM, errno, "epoll_wait");
  cell_reactor_keep(reactor); /* a callback may drop the last reference */
  for (i = 0; i < count; i++) {
    rang |= events[i].data.u64 == TIMER_EVENT;
    handled += dispatch(reactor, &events[i]);
  }
  handled += run_timers(reactor);
  if (rang)
    set_bell(reactor, cell_timers_first(&reactor->timers));
  cell_reactor_release(reactor);
  return handled;
}

/* ---- tokens ---- */

uint32_t cell_token_new(struct cell_reactor *reactor)
{
  return cell_tokens_new(&reactor->tokens);
}

void cell_token_free(struct cell_reactor *reactor, uint32_t token)
{
  cell_tokens_free(&reactor->tokens, token);
}

void cell_token_post(struct cell_reactor *reactor, uint32_t token)
{
  cell_tokens_post(&reactor->tokens, token);
}

uint32_t cell_token_take(struct cell_reactor *reactor)
{
  return cell_tokens_take(&reactor->tokens);
}
