/* bell_test.c -- the reactor's news on a socket. */
#include "check.h"
#include "descriptor.h"
#include "reactor/bell.h"
#include "reactor/clock.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define ROUNDS 20

static void ring(struct cell_timer *timer)
{
  (void)timer;
}

static int dial(const struct cell_bell *bell)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (connect(fd, (const struct sockaddr *)&bell->address,
              sizeof bell->address) < 0)
    cell_fd_close(&fd);
  return fd;
}

/* The next byte, or 0. */
static char next(int fd)
{
  struct pollfd waiting = {fd, POLLIN, 0};
  char byte = 0;

  if (poll(&waiting, 1, PATIENCE_MS) == 1 && read(fd, &byte, 1) == 1)
    return byte;
  return 0;
}

static void test_news(struct cell_reactor *reactor)
{
  struct cell_bell bell;
  struct cell_timer timer = {0};
  struct cell_error error = {0};
  struct pollfd ended;
  char path[sizeof bell.address.sun_path];
  int64_t began;
  int rounds;
  int fd;

  check(cell_bell_listen(&bell, &error) == 0, "a bell listens: %s",
        error.message);
  strcpy(path, bell.address.sun_path);
  check(cell_bell_accept(&bell, cell_reactor_pollfd(reactor), &error) == 0,
        "nobody has connected yet");
  fd = dial(&bell);
  check(fd >= 0 &&
          cell_bell_accept(&bell, cell_reactor_pollfd(reactor), &error) == 1,
        "the host connects: %s", error.message);
  check(access(path, F_OK) < 0 && errno == ENOENT, "the path is removed");
  *strrchr(path, '/') = '\0';
  check(access(path, F_OK) < 0 && errno == ENOENT, "its folder too");

  timer.due = ring;
  began = cell_clock_now(cell_reactor_clock(reactor));
  for (rounds = 0; rounds < ROUNDS; rounds++) {
    cell_timer_arm(reactor, &timer, 1, &error);
    if (next(fd) != 'r' || cell_reactor_step(reactor, 0, &error) < 0 ||
        write(fd, "k", 1) != 1)
      break;
  }
  check(rounds == ROUNDS, "it rings for timers that are due");
  check(cell_clock_now(cell_reactor_clock(reactor)) - began <
          ROUNDS / 2 * INT64_C(1000000000),
        "at once, and not only each second");
  check(next(fd) == 'r',
        "it also rings when nothing happens, for a host that is to end");

  check(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD,
        "the process is not the host's child");
  ended = (struct pollfd){bell.pidfd, POLLIN, 0};
  cell_fd_close(&fd);
  check(poll(&ended, 1, PATIENCE_MS) == 1, "it ends with the socket");
  cell_bell_close(&bell);
  cell_bell_close(&bell);
}

static void test_stranger(struct cell_reactor *reactor)
{
  struct cell_bell bell;
  struct cell_error error = {0};
  char path[sizeof bell.address.sun_path];
  pid_t copy;
  int fd;

  cell_bell_listen(&bell, &error);
  strcpy(path, bell.address.sun_path);
  copy = fork();
  if (copy == 0) {
    fd = dial(&bell);
    cell_bell_close(&bell); /* only the original removes the path */
    _exit(fd >= 0 ? 0 : 1);
  }
  waitpid(copy, NULL, 0);
  check(cell_bell_accept(&bell, cell_reactor_pollfd(reactor), &error) == 0,
        "the connection of another process is refused");
  check(access(path, F_OK) == 0, "a forked copy leaves the path");
  cell_bell_close(&bell);
  check(access(path, F_OK) < 0, "closing removes the path");
}

int main(void)
{
  struct cell_error error = {0};
  struct cell_reactor *reactor = cell_reactor_new(&error);

  check(reactor != NULL, "a reactor");
  test_news(reactor);
  test_stranger(reactor);
  cell_reactor_release(reactor);
  return check_status();
}
