/* deadline.c -- see deadline.h. */
#include "deadline.h"

#include "../process/reaper.h"
#include "../warden.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define MAX_S ((uint64_t)10 * 365 * 24 * 3600)

/* All of the sandbox ends with its PID 1, whatever that was doing. */
static void end(int number)
{
  (void)number;
  _exit(CELL_EXIT_DEADLINE);
}

/* Blocked, it is left to the descriptor that the loop looks at. */
static void block(int how)
{
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  sigprocmask(how, &set, NULL);
}

void deadline_prepare(void)
{
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_handler = end;
  sigaction(SIGALRM, &action, NULL);
}

int deadline_set(uint64_t milliseconds)
{
  struct itimerval timer;

  memset(&timer, 0, sizeof timer);
  if (milliseconds / 1000 > MAX_S)
    milliseconds = MAX_S * 1000;
  if (milliseconds == 0)
    milliseconds = 1;
  timer.it_value.tv_sec = (time_t)(milliseconds / 1000);
  timer.it_value.tv_usec = (suseconds_t)(milliseconds % 1000 * 1000);
  return setitimer(ITIMER_REAL, &timer, NULL);
}

void deadline_change(struct warden *warden)
{
  struct cell_unpacker unpacker;
  uint64_t milliseconds;
  uint32_t then;
  int result = 0;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  milliseconds = cell_unpack_u64(&unpacker);
  then = cell_unpack_u32(&unpacker);
  if (!cell_unpack_done(&unpacker) || then > CELL_DEADLINE_PAUSES)
    result = EINVAL;
  else if (deadline_set(milliseconds) < 0)
    result = errno;
  else
    block(then == CELL_DEADLINE_PAUSES ? SIG_BLOCK : SIG_UNBLOCK);
  wire_send_number(warden->channel, CELL_DONE, warden->message.frame.request,
                   result);
}

void deadline_came(struct warden *warden)
{
  struct cell_packer nothing = {0};
  int result = reaper_signal_all(warden, SIGSTOP);

  if (result != 0 && result != ESRCH)
    _exit(CELL_EXIT_DEADLINE);
  warden->paused = 1;
  wire_send(warden->channel, CELL_PAUSED, 0, &nothing, -1);
}
