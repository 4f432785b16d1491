/* hostile_changes_test.c -- what a warden that has been taken over could say of
** changed files and of watched directories. #S054 #S056 #S060
*/
#include "hostile.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- changed files ---- */

#define CHANGES(what, expected, path, length, change, size)                    \
  ANSWER(expected, what, CELL_CHANGES, CELL_CHANGES_ARE, ASKED, "4444b48", 0u, \
         0u, 1u, 1u, path, (size_t)(length), change, size)

static void changed_files(void)
{
  static char path[CELL_PATH_MAX + 1];
  struct fake fake;
  const uint64_t one = 1;

  memset(path, 'a', sizeof path);
  CHANGES("a changed file", CELL_OK, "d/a\nb\xff", 6, 0u, one);
  CHANGES("one with dots in its name", CELL_OK, "..d/.e/f..", 10, 2u, one);
  CHANGES("a path that leads up #S060", CELL_PROTOCOL, "d/../../e", 9, 0u, one);
  CHANGES("that is up", CELL_PROTOCOL, "..", 2, 0u, one);
  CHANGES("that begins at the root #S060", CELL_PROTOCOL, "/etc/passwd", 11, 0u,
          one);
  CHANGES("that ends nowhere", CELL_PROTOCOL, "d/", 2, 0u, one);
  CHANGES("that has nothing in between", CELL_PROTOCOL, "d//e", 4, 0u, one);
  CHANGES("that is the home", CELL_PROTOCOL, ".", 1, 0u, one);
  CHANGES("that is none", CELL_PROTOCOL, "", 0, 0u, one);
  CHANGES("with a NUL #S060", CELL_PROTOCOL, "a\0b", 3, 0u, one);
  CHANGES("that no system call takes", CELL_PROTOCOL, path, CELL_PATH_MAX, 0u,
          one);
  CHANGES("a change that there is not #S054", CELL_PROTOCOL, "a", 1, 3u, one);
  CHANGES("a size of 2^63 #S054", CELL_PROTOCOL, "a", 1, 0u, HUGE_COUNT);
}

static void change_counts(void)
{
  struct fake fake;

  RIGHT("no change", CELL_CHANGES, CELL_CHANGES_ARE, ASKED, "4444", 0u, 0u, 0u,
        0u);
  RIGHT("an errno", CELL_CHANGES, CELL_CHANGES_ARE, ASKED, "4444", 12u,
        CELL_CHANGED_UNWATCHED, 0u, 0u);
  WRONG("more than are told in all", CELL_CHANGES, CELL_CHANGES_ARE, ASKED,
        "4444s48", 0u, 0u, 0u, 1u, "a", 0u, (uint64_t)1);
  WRONG("more than may be told #S048", CELL_CHANGES, CELL_CHANGES_ARE, ASKED,
        "4444", 0u, 0u, 0xffffffffu, CELL_CHANGES_MAX + 1);
  WRONG("more than it holds #S048", CELL_CHANGES, CELL_CHANGES_ARE, ASKED,
        "4444", 0u, 0u, 1000u, 1000u);
  WRONG("a flag that there is not", CELL_CHANGES, CELL_CHANGES_ARE, ASKED,
        "4444", 0u, 8u, 0u, 0u);
  WRONG("changes and an errno", CELL_CHANGES, CELL_CHANGES_ARE, ASKED, "4444",
        12u, 0u, 1u, 0u);
  WRONG("half of an answer", CELL_CHANGES, CELL_CHANGES_ARE, ASKED, "4", 0u);
  WRONG("changes that nobody asked for", CELL_METRICS, CELL_CHANGES_ARE, ASKED,
        "4444", 0u, 0u, 0u, 0u);
}

/* ---- the descriptor that tells of changes ---- */

/* A verdict on one that is passed; *state is what the host thinks then. */
static enum cell_kind verdict_on(int fd, uint32_t flags, int forget,
                                 enum cell_home_state *state)
{
  struct fake fake;
  enum cell_kind kind;

  open_fake(&fake, CELL_CHANGES);
  if (forget)
    cell_sandbox_forget(fake.sandbox, fake.request);
  say_with(&fake, &fd, fd >= 0, CELL_CHANGES_ARE, fake.request, "4444", 0u,
           flags, 0u, 0u);
  cell_fd_close(&fd);
  step(&fake);
  kind = cell_sandbox_error(fake.sandbox)->kind;
  *state = cell_sandbox_home_state(fake.sandbox);
  close_fake(&fake);
  return kind;
}

static enum cell_kind verdict_on_other(int fd)
{
  enum cell_home_state state;

  if (fd < 0)
    abort();
  return verdict_on(fd, CELL_CHANGED_PASSED, 0, &state);
}

static int watch_of(const char *path)
{
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

  if (fd < 0 || inotify_add_watch(fd, path, IN_OPEN) < 0)
    abort();
  return fd;
}

static void passed_watch(void)
{
  enum cell_home_state state;
  int fd = watch_of("/dev/null"), null;

  check(verdict_on(fd, CELL_CHANGED_PASSED, 0, &state) == CELL_OK &&
          state == CELL_HOME_UNCHANGED,
        "an inotify instance tells that nothing has changed");
  fd = watch_of("/dev/null");
  null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  cell_fd_close(&null);
  check(verdict_on(fd, CELL_CHANGED_PASSED, 0, &state) == CELL_OK &&
          state == CELL_HOME_CHANGED,
        "or that something may have");
  check(verdict_on(watch_of("/dev/null"), CELL_CHANGED_PASSED, 1, &state) ==
            CELL_OK &&
          state == CELL_HOME_UNCHANGED,
        "it is kept when nobody wants the answer any more");
  check(verdict_on(-1, CELL_CHANGED_UNWATCHED, 0, &state) == CELL_OK &&
          state == CELL_HOME_UNWATCHED,
        "without one nobody knows");
  check(verdict_on(-1, CELL_CHANGED_PASSED, 0, &state) == CELL_PROTOCOL,
        "one that was to come and did not is wrong");
  check(verdict_on(watch_of("/dev/null"), 0, 0, &state) == CELL_PROTOCOL &&
          verdict_on(watch_of("/dev/null"),
                     CELL_CHANGED_PASSED | CELL_CHANGED_UNWATCHED, 0,
                     &state) == CELL_PROTOCOL,
        "so is one that is not announced, or denied #S055");
}

static void other_descriptors(void)
{
  int ends[2];

  if (cell_fd_pipe(ends) < 0)
    abort();
  check(verdict_on_other(ends[0]) == CELL_PROTOCOL &&
          verdict_on_other(ends[1]) == CELL_PROTOCOL &&
          verdict_on_other(open("/dev/null", O_RDWR | O_CLOEXEC)) ==
            CELL_PROTOCOL &&
          verdict_on_other(open("/", O_RDONLY | O_CLOEXEC)) == CELL_PROTOCOL &&
          verdict_on_other(open("/", O_PATH | O_CLOEXEC)) == CELL_PROTOCOL,
        "a pipe, a device, a directory, a place are no watch #S056");
  check(verdict_on_other(eventfd(0, EFD_CLOEXEC)) == CELL_PROTOCOL &&
          verdict_on_other(epoll_create1(EPOLL_CLOEXEC)) == CELL_PROTOCOL &&
          verdict_on_other(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) ==
            CELL_PROTOCOL &&
          verdict_on_other(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) ==
            CELL_PROTOCOL &&
          verdict_on_other(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) ==
            CELL_PROTOCOL,
        "nor are other nameless files, a terminal or a socket #S056");
}

/* ---- watched directories ---- */

#define EVENT(what, expected, name, length, event)                             \
  ANSWER(expected, what, CELL_WATCH_NEXT, CELL_EVENTS, ASKED, "444b4", 0u, 0u, \
         1u, name, (size_t)(length), event)

static void events(void)
{
  struct fake fake;

  EVENT("an event", CELL_OK, "d/e", 3, 4u);
  EVENT("one outside of the directory #S060", CELL_PROTOCOL, "../e", 4, 0u);
  EVENT("one anywhere #S060", CELL_PROTOCOL, "/etc/passwd", 11, 0u);
  EVENT("one of no name", CELL_PROTOCOL, "", 0, 0u);
  EVENT("one with a NUL #S060", CELL_PROTOCOL, "a\0b", 3, 0u);
  EVENT("one that there is not #S054", CELL_PROTOCOL, "a", 1, 5u);
  RIGHT("the end of a watch", CELL_WATCH_NEXT, CELL_EVENTS, ASKED, "444", 0u,
        CELL_EVENTS_ENDED, 0u);
  RIGHT("an errno alone", CELL_WATCH_NEXT, CELL_EVENTS, ASKED, "4", 125u);
  WRONG("nothing at all", CELL_WATCH_NEXT, CELL_EVENTS, ASKED, "444", 0u, 0u,
        0u);
  WRONG("a flag that there is not", CELL_WATCH_NEXT, CELL_EVENTS, ASKED, "444",
        0u, 4u, 0u);
  WRONG("events and an errno", CELL_WATCH_NEXT, CELL_EVENTS, ASKED, "444", 3u,
        1u, 0u);
  WRONG("more than it holds #S048", CELL_WATCH_NEXT, CELL_EVENTS, ASKED, "444",
        0u, 0u, 0xffffffffu);
  WRONG("events that nobody asked for", CELL_WATCH, CELL_EVENTS, ASKED, "444",
        0u, CELL_EVENTS_ENDED, 0u);
  open_fake(&fake, CELL_WATCH_NEXT);
  SAY(&fake, CELL_EVENTS, fake.request, "444", 0u, CELL_EVENTS_ENDED, 0u);
  SAY(&fake, CELL_EVENTS, fake.request, "444", 0u, CELL_EVENTS_ENDED, 0u);
  expect(&fake, CELL_PROTOCOL, "more than one answer to one question #S051");
}

int main(void)
{
  int descriptors = count_descriptors();

  changed_files();
  change_counts();
  passed_watch();
  other_descriptors();
  events();
  check(count_descriptors() == descriptors, "no descriptor is left");
  return check_status();
}
