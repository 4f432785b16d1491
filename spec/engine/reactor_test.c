/* reactor_test.c -- one descriptor to wait on, timers, tokens, forked copies.
** #S125 #S132
*/
#include "check.h"
#include "descriptor.h"
#include "reactor/reactor.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECOND 1000000

struct watched {
  struct cell_source source; /* first: the pointers are the same */
  struct cell_reactor *reactor;
  struct watched *other; /* removed when this one is ready */
  int count;
};

static void ready(struct cell_source *source, uint32_t events)
{
  struct watched *watched = (struct watched *)source;
  char byte;

  (void)events;
  watched->count++;
  if (watched->other != NULL)
    cell_source_remove(watched->reactor, &watched->other->source);
  else
    check(read(source->fd, &byte, 1) >= 0, "a ready descriptor can be read");
}

static int polls(struct cell_reactor *reactor, int timeout_ms)
{
  struct pollfd waiting = {cell_reactor_pollfd(reactor), POLLIN, 0};

  return poll(&waiting, 1, timeout_ms) == 1;
}

static void watch(struct cell_reactor *reactor, struct watched *watched, int fd)
{
  memset(watched, 0, sizeof *watched);
  watched->source.fd = fd;
  watched->source.events = EPOLLIN;
  watched->source.ready = ready;
  watched->reactor = reactor;
  check(cell_source_add(reactor, &watched->source, NULL) == 0,
        "a descriptor can be watched");
}

static void test_sources(struct cell_reactor *reactor)
{
  struct watched first, second, third;
  int a[2], b[2], c[2];

  cell_fd_pipe(a);
  cell_fd_pipe(b);
  cell_fd_pipe(c);
  watch(reactor, &first, a[0]);
  watch(reactor, &second, b[0]);
  check(!polls(reactor, 0), "nothing rings while nothing happens");
  check(write(a[1], "x", 1) == 1 && polls(reactor, 1000),
        "the pollfd rings when a descriptor is ready");
  check(cell_reactor_step(reactor, 0, NULL) == 1 && first.count == 1,
        "a step handles the event");
  check(cell_reactor_step(reactor, 0, NULL) == 0, "and no other");

  first.other = &second;
  second.other = &first;
  check(write(a[1], "x", 1) + write(b[1], "x", 1) == 2, "two are ready");
  cell_reactor_step(reactor, 0, NULL);
  check(first.count + second.count == 2,
        "one that is removed inside a batch is not called any more");

  watch(reactor, &third, c[0]);
  cell_source_want(reactor, &third.source, 0);
  cell_fd_close(&c[1]);
  cell_reactor_step(reactor, 20, NULL);
  check(third.count == 0,
        "a silent descriptor stays silent when its other end is closed");
  cell_source_want(reactor, &third.source, EPOLLIN);
  cell_source_remove(reactor,
                     first.source.slot ? &first.source : &second.source);
  cell_reactor_step(reactor, 1000, NULL);
  check(third.count == 1, "and rings when it is wanted again");
  cell_source_remove(reactor, &third.source);
  cell_source_remove(reactor, &third.source);
  check(!polls(reactor, 0), "removing is idempotent, and nothing rings after");
  cell_fd_close(&a[0]);
  cell_fd_close(&a[1]);
  cell_fd_close(&b[0]);
  cell_fd_close(&b[1]);
  cell_fd_close(&c[0]);
}

struct alarm {
  struct cell_timer timer; /* first */
  int order;
  int *next;
};

static void due(struct cell_timer *timer)
{
  struct alarm *alarm = (struct alarm *)timer;

  alarm->order = ++*alarm->next;
}

static void test_timers(struct cell_reactor *reactor)
{
  const struct cell_clock *clock = cell_reactor_clock(reactor);
  struct alarm alarms[20];
  int64_t now = cell_clock_now(clock);
  int next = 0;
  int sorted = 1;
  int i;

  check(cell_reactor_timeout(reactor) == -1, "without a timer no timeout");
  memset(alarms, 0, sizeof alarms);
  for (i = 0; i < 20; i++) {
    alarms[i].timer.due = due;
    alarms[i].next = &next;
    cell_timer_arm(reactor, &alarms[i].timer,
                   now + (1 + (i * 7) % 20) * MILLISECOND, NULL);
  }
  cell_timer_disarm(reactor, &alarms[3].timer);
  cell_timer_disarm(reactor, &alarms[3].timer);
  check(cell_reactor_timeout(reactor) <= 1, "the timeout is the earliest's");
  check(polls(reactor, 1000), "the pollfd rings for timers");
  while (next < 19)
    cell_reactor_step(reactor, 100, NULL);
  for (i = 0; i < 20; i++) {
    int j;

    for (j = 0; j < 20; j++) {
      if (i != 3 && j != 3 &&
          alarms[i].timer.deadline < alarms[j].timer.deadline &&
          alarms[i].order > alarms[j].order)
        sorted = 0;
    }
  }
  check(sorted && alarms[3].order == 0,
        "timers ring in their order, a disarmed one does not");
  cell_reactor_step(reactor, 0, NULL);
  check(!polls(reactor, 0), "after the last the pollfd is silent");
}

static void test_clock(struct cell_reactor *reactor)
{
  const struct cell_clock *clock = cell_reactor_clock(reactor);
  struct alarm alarm;
  int next = 0;

  memset(&alarm, 0, sizeof alarm);
  alarm.timer.due = due;
  alarm.next = &next;
  cell_timer_arm(reactor, &alarm.timer, cell_clock_after(clock, 3600000), NULL);
  check(!polls(reactor, 0) && cell_reactor_timeout(reactor) > 3590000,
        "an hour is an hour");
  cell_reactor_move_clock(reactor, (int64_t)3600 * 1000 * MILLISECOND);
  check(polls(reactor, 1000), "a clock that is moved rings the timer");
  cell_reactor_step(reactor, 0, NULL);
  check(alarm.order == 1, "and the step runs it");
  cell_reactor_move_clock(reactor, 0);
  check(cell_clock_after(clock, INT64_MAX) == CELL_NEVER,
        "a deadline too far away is never");
}

static void test_tokens(struct cell_reactor *reactor)
{
  uint32_t a = cell_token_new(reactor);
  uint32_t b = cell_token_new(reactor);
  uint32_t c;

  check(a != 0 && b != 0 && a != b, "tokens differ and are not 0");
  cell_token_post(reactor, b);
  cell_token_post(reactor, a);
  cell_token_post(reactor, b);
  cell_token_post(reactor, 0);
  check(cell_token_take(reactor) == b && cell_token_take(reactor) == a &&
          cell_token_take(reactor) == 0,
        "each is taken once, in the order of the news");
  cell_token_post(reactor, a);
  cell_token_free(reactor, a);
  c = cell_token_new(reactor);
  check(c != a && cell_token_take(reactor) == 0,
        "news of what is gone is not taken");
  check(cell_token_new(reactor) == a, "its number is used again after that");
}

/* In a child: what the copy may do. Returns 0 when all is as it must be. */
static int in_copy(struct cell_reactor *reactor, struct watched *watched,
                   struct cell_timer *timer)
{
  struct cell_error error;
  int wrong = 0;

  wrong |= cell_reactor_owned(reactor);
  wrong |=
    cell_reactor_step(reactor, 0, &error) != -1 || error.kind != CELL_CANCELLED;
  wrong |= cell_timer_arm(reactor, timer, 1, &error) != -1;
  cell_source_remove(reactor, &watched->source);
  cell_timer_disarm(reactor, timer);
  cell_reactor_release(reactor);
  return wrong;
}

static void test_fork(void)
{
  struct cell_reactor *reactor = cell_reactor_new(NULL);
  struct watched watched;
  struct cell_timer timer = {0, NULL, 0};
  int ends[2];
  int status = -1;
  pid_t child;

  cell_fd_pipe(ends);
  watch(reactor, &watched, ends[0]);
  child = fork();
  if (child == 0)
    _exit(in_copy(reactor, &watched, &timer));
  waitpid(child, &status, 0);
  check(status == 0, "a forked copy is refused, and only closes");
  check(write(ends[1], "x", 1) == 1 && polls(reactor, 1000),
        "the owner's pollfd still rings after the copy has ended");
  cell_reactor_step(reactor, 0, NULL);
  check(watched.count == 1, "and its step still works");
  cell_source_remove(reactor, &watched.source);
  cell_reactor_release(reactor);
  cell_fd_close(&ends[0]);
  cell_fd_close(&ends[1]);
}

static void test_closed_stdio(void)
{
  int saved[3];
  struct cell_reactor *reactor;
  int pipe_ends[2], pair[2];
  int low = 0;
  int i;

  for (i = 0; i < 3; i++) {
    saved[i] = dup(i);
    saved[i] = saved[i] > 2 ? saved[i] : dup(saved[i]);
  }
  fflush(stdout);
  for (i = 0; i < 3; i++)
    close(i);
  reactor = cell_reactor_new(NULL);
  low |= cell_fd_pipe(pipe_ends) < 0 || pipe_ends[0] < 3 || pipe_ends[1] < 3;
  low |= cell_fd_pair(SOCK_SEQPACKET, pair) < 0 || pair[0] < 3 || pair[1] < 3;
  low |= cell_reactor_pollfd(reactor) < 3;
  for (i = 0; i < 3; i++)
    low |= dup2(saved[i], i) != i;
  check(!low, "with closed standard streams nothing of ours takes their place");
  for (i = 0; i < 3; i++)
    close(saved[i]);
  for (i = 0; i < 2; i++) {
    cell_fd_close(&pipe_ends[i]);
    cell_fd_close(&pair[i]);
  }
  cell_reactor_release(reactor);
}

int main(void)
{
  struct cell_error error;
  struct cell_reactor *reactor = cell_reactor_new(&error);

  if (!check(reactor != NULL, "a reactor can be made"))
    return 1;
  test_sources(reactor);
  test_timers(reactor);
  test_clock(reactor);
  test_tokens(reactor);
  cell_reactor_release(reactor);
  test_fork();
  test_closed_stdio();
  return check_status();
}
