/* sandbox_end_test.c -- how a sandbox ends, and who says so.
**
** #S049 #S050 #S125 #S130 #S131
*/
#include "warden_double.h"

#include "process/process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECOND 1000000

static int64_t minutes(int count)
{
  return (int64_t)count * 60000 * MILLISECOND;
}

/* A recorded session: what a warden says, in order. `step` counts down; at 0
** the channel is cut, in place of that message.
*/
static void play_until(struct warden_double *warden, int step,
                       uint64_t *request)
{
  struct packed packed;

  if (step-- == 0)
    return;
  double_hello(warden);
  if (step-- == 0)
    return;
  *request = cell_sandbox_ask(warden->sandbox, CELL_FILE_LIST, NO_PAYLOAD, NULL,
                              0, NULL);
  if (step-- == 0)
    return;
  double_say(warden, CELL_ENTRIES, *request, pack(&packed, "4", 0));
  double_turn(warden);
  if (step-- == 0)
    return;
  double_say(warden, CELL_DONE, *request, pack(&packed, "4", 0));
  double_turn(warden);
}

static void test_cut(void)
{
  int step;

  for (step = 0; step < 5; step++) {
    struct cell_answer answer = {0};
    struct cell_error error;
    struct warden_double warden;
    uint64_t request = 0;
    int got;

    double_open(&warden, -1);
    play_until(&warden, step, &request);
    cell_fd_close(&warden.channel);
    check(double_verdict(&warden) == CELL_SANDBOX_GONE &&
            cell_sandbox_state(warden.sandbox) == CELL_SANDBOX_ENDED,
          "a channel that ends at step %d ends the sandbox", step);
    if (request != 0) {
      got = cell_sandbox_answer(warden.sandbox, request, &answer, &error);
      check(step == 4 ? got == 1 : got == -1 && error.kind == CELL_SANDBOX_GONE,
            "a call that waits ends, one that was answered keeps its answer");
      if (got == 1)
        cell_answer_clear(&answer);
    }
    double_close(&warden);
  }
}

static void test_failure(void)
{
  const struct cell_error *error;
  struct packed packed;
  struct warden_double warden;

  double_open(&warden, -1);
  double_say(&warden, CELL_FAILED, 0, pack(&packed, "4s", EPERM, "proc"));
  check(double_verdict(&warden) == CELL_UNSUPPORTED,
        "a step that fails at the start is told");
  error = cell_sandbox_error(warden.sandbox);
  check(error->number == EPERM && strcmp(error->stage, "proc") == 0 &&
          error->hint[0] != '\0',
        "with its stage, its errno and the remedy");
  double_close(&warden);
}

static void test_silence(void)
{
  struct warden_double warden;

  double_open(&warden, -1);
  cell_reactor_move_clock(warden.reactor, minutes(1));
  check(double_verdict(&warden) == CELL_OK,
        "the deadline is the warden's first");
  cell_reactor_move_clock(warden.reactor, minutes(1) + 1100 * MILLISECOND);
  check(double_verdict(&warden) == CELL_TIMEOUT,
        "one second later the host ends a silent one");
  double_close(&warden);

  double_run(&warden);
  check(cell_sandbox_set_deadline(warden.sandbox, 600000, CELL_DEADLINE_ENDS,
                                  NULL) == 0 &&
          double_hear(&warden) == CELL_DEADLINE,
        "a deadline can be moved");
  cell_reactor_move_clock(warden.reactor, minutes(9));
  check(double_verdict(&warden) == CELL_OK, "then the old one does not count");
  cell_reactor_move_clock(warden.reactor, minutes(11));
  check(double_verdict(&warden) == CELL_TIMEOUT, "and the new one does");
  double_close(&warden);
}

static void set_pausing_deadline(struct warden_double *warden)
{
  double_run(warden);
  check(cell_sandbox_set_deadline(warden->sandbox, 60000, CELL_DEADLINE_PAUSES,
                                  NULL) == 0 &&
          double_hear(warden) == CELL_DEADLINE,
        "a deadline can be set that pauses #S123");
}

static void test_pausing_deadline(void)
{
  struct warden_double warden;
  struct packed packed;

  set_pausing_deadline(&warden);
  double_say(&warden, CELL_PAUSED, 0, pack(&packed, ""));
  check(double_verdict(&warden) == CELL_OK &&
          cell_sandbox_paused(warden.sandbox),
        "the warden says that it has come");
  cell_reactor_move_clock(warden.reactor, minutes(60));
  check(double_verdict(&warden) == CELL_OK, "nothing ends then");
  check(cell_sandbox_set_deadline(warden.sandbox, 60000, CELL_DEADLINE_PAUSES,
                                  NULL) == 0 &&
          !cell_sandbox_paused(warden.sandbox),
        "a new one makes it as it was");
  double_close(&warden);

  set_pausing_deadline(&warden);
  cell_reactor_move_clock(warden.reactor,
                          minutes(1) + 9000 * (int64_t)MILLISECOND);
  check(double_verdict(&warden) == CELL_OK, "the host is patient with it");
  cell_reactor_move_clock(warden.reactor,
                          minutes(1) + 11000 * (int64_t)MILLISECOND);
  check(double_verdict(&warden) == CELL_TIMEOUT,
        "and ends one that does not pause");
  double_close(&warden);

  double_run(&warden);
  double_say(&warden, CELL_PAUSED, 0, pack(&packed, ""));
  check(double_verdict(&warden) == CELL_PROTOCOL,
        "a pause that nobody asked for breaks the protocol");
  double_close(&warden);
}

/* ---- with a process behind it ---- */

static pid_t start_sleeper(int *pidfd)
{
  pid_t child = fork();

  if (child == 0) {
    for (;;)
      pause();
  }
  *pidfd = (int)syscall(SYS_pidfd_open, child, 0);
  return child;
}

static void test_killed(void)
{
  struct cell_answer answer;
  struct cell_error error;
  struct warden_double warden;
  uint64_t request;
  int pidfd;
  pid_t child = start_sleeper(&pidfd);

  double_open(&warden, pidfd);
  double_hello(&warden);
  request =
    cell_sandbox_ask(warden.sandbox, CELL_METRICS, NO_PAYLOAD, NULL, 0, NULL);
  kill(child, SIGKILL);
  while (cell_sandbox_state(warden.sandbox) != CELL_SANDBOX_ENDED)
    cell_reactor_step(warden.reactor, 1000, NULL);
  check(double_verdict(&warden) == CELL_SANDBOX_GONE &&
          cell_sandbox_answer(warden.sandbox, request, &answer, &error) == -1,
        "a warden that is killed from outside ends the pending call");
  check(double_hear(&warden) == CELL_CONFIGURE, "its channel is closed too");
  double_close(&warden);
  waitpid(child, NULL, 0); /* ours: reaped by the sandbox, or here */
}

static void test_close_kills(void)
{
  struct warden_double warden;
  siginfo_t how = {0};
  int pidfd;
  pid_t child = start_sleeper(&pidfd);

  double_open(&warden, pidfd);
  double_hello(&warden);
  cell_sandbox_close(warden.sandbox);
  check(cell_sandbox_state(warden.sandbox) == CELL_SANDBOX_ENDING,
        "close does not wait");
  waitid(P_PID, (id_t)child, &how, WEXITED | WNOWAIT);
  check(how.si_code == CLD_KILLED && how.si_status == SIGKILL,
        "it kills whatever the warden does");
  double_turn(&warden);
  check(cell_sandbox_state(warden.sandbox) == CELL_SANDBOX_ENDED &&
          double_verdict(&warden) == CELL_CANCELLED,
        "a step later nothing of it is left");
  check(waitpid(child, NULL, WNOHANG) == -1,
        "a warden that is a child of the host was reaped");
  double_close(&warden);
}

static void test_collected(void)
{
  struct warden_double warden;
  int pidfd;
  int status = 0;
  pid_t child = start_sleeper(&pidfd);

  double_open(&warden, pidfd);
  cell_sandbox_release(warden.sandbox);
  waitpid(child, &status, 0);
  check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
        "the last reference kills it, without a step");
  cell_reactor_release(warden.reactor);
  cell_fd_close(&warden.channel);
}

/* ---- a forked copy of the host ---- */

static int in_copy(struct warden_double *warden)
{
  struct cell_error error;
  int wrong = 0;

  wrong |= cell_sandbox_ask(warden->sandbox, CELL_METRICS, NO_PAYLOAD, NULL, 0,
                            &error) != 0 ||
           error.kind != CELL_CANCELLED;
  cell_sandbox_close(warden->sandbox);
  wrong |= cell_sandbox_state(warden->sandbox) != CELL_SANDBOX_ENDED;
  cell_sandbox_release(warden->sandbox);
  cell_reactor_release(warden->reactor);
  return wrong;
}

static void test_fork(void)
{
  struct warden_double warden;
  int status = -1;
  int pidfd;
  pid_t sleeper = start_sleeper(&pidfd);
  pid_t copy;

  double_open(&warden, pidfd);
  double_hello(&warden);
  double_hear(&warden);
  copy = fork();
  if (copy == 0)
    _exit(in_copy(&warden));
  waitpid(copy, &status, 0);
  check(status == 0, "a forked copy cannot use a sandbox, only let go of it");
  check(double_hear(&warden) == 0 && waitpid(sleeper, NULL, WNOHANG) == 0,
        "it says no goodbye and kills nothing");
  check(cell_sandbox_ask(warden.sandbox, CELL_METRICS, NO_PAYLOAD, NULL, 0,
                         NULL) != 0 &&
          double_hear(&warden) == CELL_METRICS,
        "the original goes on");
  double_close(&warden);
  waitpid(sleeper, NULL, 0);
}

/* ---- many ---- */

static void test_others_turn(void)
{
  struct packed packed;
  struct warden_double loud, quiet;
  struct cell_reactor *reactor;
  const struct cell_sandbox_options options = {"iquiet", 60000, 1, 1, 1,    1,
                                               0,        0,     0, 0, NULL, 0};
  uint64_t request;
  int ends[2];
  int steps = 0;
  int i;

  double_run(&loud);
  reactor = loud.reactor;
  cell_fd_pair(SOCK_SEQPACKET, ends);
  quiet.fd_count = 0;
  quiet.reactor = reactor;
  quiet.channel = ends[1];
  quiet.sandbox = cell_sandbox_attach(reactor, &options, ends[0], -1, NULL);
  request =
    cell_sandbox_ask(loud.sandbox, CELL_FILE_LIST, NO_PAYLOAD, NULL, 0, NULL);
  for (i = 0; i < 200; i++)
    double_say(&loud, CELL_ENTRIES, request, pack(&packed, "4", 0));
  double_say(&quiet, CELL_HELLO, 0,
             pack(&packed, "4444444", 0, 0, 0, 0, 0, 0, 0));
  while (cell_sandbox_state(quiet.sandbox) == CELL_SANDBOX_STARTING) {
    cell_reactor_step(reactor, 1000, NULL);
    steps++;
  }
  check(steps <= 2, "a flood of messages leaves the others their turn");
  cell_sandbox_release(quiet.sandbox);
  cell_fd_close(&quiet.channel);
  double_close(&loud);
}

int main(void)
{
  int before = count_descriptors();

  signal(SIGPIPE, SIG_DFL); /* the engine must not raise it */
  test_cut();
  test_failure();
  test_silence();
  test_pausing_deadline();
  test_killed();
  test_close_kills();
  test_collected();
  test_fork();
  test_others_turn();
  check(count_descriptors() == before, "no descriptor is left");
  return check_status();
}
