/* program.c -- see program.h. */
#include "program.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void fill(sigset_t *set)
{
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
}

/* The interpreter has a handler of its own for SIGINT: an error at some line of
** Lua is no end at once.
*/
static void give_back(void)
{
  sigset_t set;

  fill(&set);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void came(struct cell_source *source, uint32_t events)
{
  struct cell_stop *stop = CELL_CONTAINER(source, struct cell_stop, source);
  struct signalfd_siginfo info;

  (void)events;
  if (read(stop->fd, &info, sizeof info) != (ssize_t)sizeof info)
    return;
  stop->signal = (int)info.ssi_signo;
  cell_source_want(stop->reactor, source, 0);
  give_back();
  cell_token_post(stop->reactor, stop->token);
}

int cell_stop_open(struct cell_stop *stop, struct cell_reactor *reactor,
                   struct cell_error *error)
{
  sigset_t set;

  *stop = (struct cell_stop)CELL_STOP_CLOSED;
  stop->reactor = cell_reactor_keep(reactor);
  stop->token = cell_token_new(reactor);
  fill(&set);
  stop->fd =
    cell_fd_above_stdio(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  stop->source = (struct cell_source){stop->fd, EPOLLIN, came, 0};
  if (stop->token != 0 && stop->fd >= 0 &&
      cell_source_add(reactor, &stop->source, error) == 0) {
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return 0;
  }
  cell_fail(error, CELL_SYSTEM, errno, "hear signals");
  stop->source.ready = NULL;
  cell_stop_close(stop);
  return -1;
}

void cell_stop_close(struct cell_stop *stop)
{
  if (stop->reactor == NULL)
    return;
  if (stop->source.ready != NULL) {
    cell_source_remove(stop->reactor, &stop->source);
    if (stop->signal == 0 && cell_reactor_owned(stop->reactor))
      give_back();
  }
  if (stop->token != 0)
    cell_token_free(stop->reactor, stop->token);
  cell_fd_close(&stop->fd);
  cell_reactor_release(stop->reactor);
  stop->reactor = NULL;
}

uint64_t cell_program_raise_files(void)
{
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}
