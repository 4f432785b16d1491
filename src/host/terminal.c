/* terminal.c -- see terminal.h.
**
** program -> stage -> guard: the guard is nobody's child, and hears of the end
** of the program by the end of a pipe that only the program holds.
*/
#include "terminal.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What was begun is ended; then a soft reset: no pasting in brackets, no mouse,
** no news of the focus, cursor keys as usual, and the screen that it had.
*/
#define RESET                                                                  \
  "\033\\\033[!p\033[?2004l\033[?1l\033[?1000l\033[?1002l\033[?1003l"          \
  "\033[?1004l\033[?1006l\033[?1047l"
#define DONE "d" /* the program has done it itself */

/* ---- the guard ---- */

static void close_others(void)
{
  long fd, most = sysconf(_SC_OPEN_MAX);

#ifdef SYS_close_range
  if (syscall(SYS_close_range, 2, ~0U, 0) == 0)
    return;
#endif
  for (fd = 2; fd < (most > 0 ? most : 1024); fd++)
    close((int)fd);
}

/* Every signal is blocked: it outlives the program, also in the background. */
static void stand_guard(int end, int fd, const struct termios *before)
{
  char told;
  ssize_t got;

  if (dup2(end, 0) < 0 || dup2(fd, 1) < 0)
    return;
  close_others();
  do
    got = read(0, &told, 1);
  while (got < 0 && errno == EINTR);
  if (got != 0)
    return;
  tcsetattr(1, TCSANOW, before); /* first: what is full cannot be written to */
  got = write(1, RESET "\r\n", sizeof RESET + 1);
  (void)got;
}

static int start_guard(struct cell_terminal *terminal, struct cell_error *error)
{
  int ends[2];
  sigset_t every, mask;
  pid_t stage;
  int status = 0;

  if (cell_fd_pipe(ends) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "guard the terminal");
  sigfillset(&every);
  pthread_sigmask(SIG_BLOCK, &every, &mask);
  stage = fork();
  if (stage == 0) {
    pid_t guard;

    cell_fd_close(&ends[1]);
    guard = fork();
    if (guard == 0)
      stand_guard(ends[0], terminal->fd, &terminal->before);
    _exit(guard < 0);
  }
  while (stage > 0 && waitpid(stage, &status, 0) < 0 && errno == EINTR)
    ;
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  cell_fd_close(&ends[0]);
  terminal->guard = ends[1];
  if (stage >= 0 && status == 0)
    return 0;
  return cell_fail(error, CELL_SYSTEM, stage < 0 ? errno : EAGAIN,
                   "guard the terminal");
}

/* ---- the program ---- */

static void came(struct cell_source *source, uint32_t events)
{
  struct cell_terminal *terminal =
    CELL_CONTAINER(source, struct cell_terminal, source);
  struct signalfd_siginfo info;

  (void)events;
  if (read(terminal->resized, &info, sizeof info) == (ssize_t)sizeof info)
    cell_token_post(terminal->reactor, terminal->token);
}

static void mask_resizing(int how)
{
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  pthread_sigmask(how, &set, NULL);
}

static int hear_resizing(struct cell_terminal *terminal,
                         struct cell_error *error)
{
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  terminal->resized =
    cell_fd_above_stdio(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  terminal->source = (struct cell_source){terminal->resized, EPOLLIN, came, 0};
  if (terminal->resized >= 0 && terminal->token != 0 &&
      cell_source_add(terminal->reactor, &terminal->source, error) == 0) {
    mask_resizing(SIG_BLOCK);
    return 0;
  }
  terminal->source.ready = NULL;
  return cell_fail(error, CELL_SYSTEM, errno, "hear of the terminal's size");
}

static int make_raw(const struct cell_terminal *terminal, int keeps_lines,
                    struct cell_error *error)
{
  struct termios raw = terminal->before;

  cfmakeraw(&raw);
  if (keeps_lines)
    raw.c_oflag |= OPOST;
  if (tcsetattr(terminal->fd, TCSADRAIN, &raw) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "change the terminal");
  return 0;
}

int cell_terminal_open(struct cell_terminal *terminal,
                       struct cell_reactor *reactor, int fd, int keeps_lines,
                       struct cell_error *error)
{
  *terminal = (struct cell_terminal)CELL_TERMINAL_CLOSED;
  terminal->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (terminal->fd < 0 || tcgetattr(terminal->fd, &terminal->before) < 0) {
    cell_fail(error, CELL_UNSUPPORTED, errno, "descriptor %d", fd);
    cell_fd_close(&terminal->fd);
    return -1;
  }
  terminal->reactor = cell_reactor_keep(reactor);
  terminal->token = cell_token_new(reactor);
  if (start_guard(terminal, error) == 0 &&
      hear_resizing(terminal, error) == 0 &&
      make_raw(terminal, keeps_lines, error) == 0) {
    terminal->is_foreign = !keeps_lines;
    return 0;
  }
  cell_terminal_close(terminal);
  return -1;
}

void cell_terminal_close(struct cell_terminal *terminal)
{
  if (terminal->reactor == NULL)
    return;
  if (cell_reactor_owned(terminal->reactor)) {
    if (terminal->is_foreign)
      (void)!write(terminal->fd, RESET, sizeof RESET - 1);
    tcsetattr(terminal->fd, terminal->is_foreign ? TCSAFLUSH : TCSADRAIN,
              &terminal->before);
    if (terminal->guard >= 0)
      cell_fd_write(terminal->guard, DONE, 1);
  }
  if (terminal->source.ready != NULL) {
    cell_source_remove(terminal->reactor, &terminal->source);
    mask_resizing(SIG_UNBLOCK);
  }
  if (terminal->token != 0)
    cell_token_free(terminal->reactor, terminal->token);
  cell_fd_close(&terminal->resized);
  cell_fd_close(&terminal->guard);
  cell_fd_close(&terminal->fd);
  cell_reactor_release(terminal->reactor);
  terminal->reactor = NULL;
}
