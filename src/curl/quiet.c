/* quiet.c -- see quiet.h. */
#include "quiet.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

static int is_pending(void)
{
  sigset_t pending;

  return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void cell_quiet_begin(struct cell_quiet *quiet)
{
  sigset_t pipe;

  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  quiet->was_pending = is_pending();
  pthread_sigmask(SIG_BLOCK, &pipe, &quiet->mask);
}

void cell_quiet_end(struct cell_quiet *quiet)
{
  static const struct timespec at_once = {0, 0};
  int number = errno;
  sigset_t pipe;

  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  if (!quiet->was_pending && is_pending())
    sigtimedwait(&pipe, NULL, &at_once);
  pthread_sigmask(SIG_SETMASK, &quiet->mask, NULL);
  errno = number;
}
