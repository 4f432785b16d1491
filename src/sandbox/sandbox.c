/* sandbox.c -- see sandbox.h.
**
** What ends a sandbox, and who tells: its channel (end of file, a wrong
** message), its pidfd (readable: every process of it is gone), its stem (it was
** reaped: with the wait status), the host's own clock, and close. Whichever
** comes first makes it ENDING, which kills. It is ENDED when the pidfd says so
** and it is known why; else when the stem has said how it went, or a second
** after the pidfd if the stem stays silent.
*/
#include "sandbox.h"

#include "../container.h"
#include "../start/launch.h"
#include "sandbox_private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_GRACE_MS 1000 /* for the stem to tell how it ended */
#define PIDFD_SIGNAL_GROUP 4u

void cell_sandbox_post(struct cell_sandbox *sandbox)
{
  cell_token_post(sandbox->reactor, sandbox->token);
}

/* ---- the end ---- */

static void say_deadline(struct cell_error *error)
{
  cell_fail(error, CELL_TIMEOUT, 0,
            "the sandbox reached its deadline; give create a longer timeout, "
            "or call set_timeout in time");
}

/* Why it ended, as far as its exit tells and nothing else did before. */
static void explain_end(struct cell_sandbox *sandbox)
{
  int status = (int)sandbox->wait_status;
  int code =
    sandbox->status_told && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  struct cell_error *error = &sandbox->error;

  if (code == CELL_EXIT_DEADLINE)
    say_deadline(error);
  else if (sandbox->status_told && sandbox->oom_kills > 0)
    cell_fail(error, CELL_OUT_OF_MEMORY, 0,
              "the sandbox ran out of memory; give create more memory");
  else if (sandbox->status_told && WIFSIGNALED(status))
    cell_fail(error, CELL_SANDBOX_GONE, 0,
              "the sandbox was killed from outside (signal %d)",
              WTERMSIG(status));
  else if (code >= 0)
    cell_fail(error, CELL_SANDBOX_GONE, 0,
              "the sandbox has ended by itself (exit %d)", code);
  else
    cell_fail(error, CELL_SANDBOX_GONE, 0, "the sandbox has gone");
}

/* Nothing of it is left, and what can be known is known. */
static void settle(struct cell_sandbox *sandbox)
{
  uint32_t i;

  if (sandbox->state == CELL_SANDBOX_ENDED)
    return;
  sandbox->state = CELL_SANDBOX_ENDED;
  cell_birth_end(&sandbox->birth);
  cell_timer_disarm(sandbox->reactor, &sandbox->settling);
  if (sandbox->error.kind == CELL_OK)
    explain_end(sandbox);
  for (i = 0; i < sandbox->questions.size; i++) {
    struct cell_question *question = &sandbox->questions.rows[i];
    struct cell_listener *listener = question->listener;

    if (question->state != CELL_QUESTION_ASKED || listener == NULL)
      continue;
    question->listener = NULL;
    listener->ended(listener);
  }
  cell_sandbox_post(sandbox);
}

/* Its process group at once (Linux 6.9): warden and reaper then end beside each
** other, not one after the other.
*/
static void kill_warden(struct cell_sandbox *sandbox)
{
  if (sandbox->pidfd >= 0 && syscall(SYS_pidfd_send_signal, sandbox->pidfd,
                                     SIGKILL, NULL, PIDFD_SIGNAL_GROUP) < 0)
    syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0);
}

static void end_companions(struct cell_sandbox *sandbox)
{
  while (sandbox->companions != NULL) {
    struct cell_companion *companion = sandbox->companions;

    sandbox->companions = companion->next;
    companion->ended(companion);
  }
}

void cell_sandbox_begin_end(struct cell_sandbox *sandbox)
{
  if (sandbox->state >= CELL_SANDBOX_ENDING)
    return;
  sandbox->state = CELL_SANDBOX_ENDING;
  cell_timer_disarm(sandbox->reactor, &sandbox->deadline);
  if (sandbox->channel.fd >= 0) {
    unsigned char goodbye[CELL_FRAME_HEADER];

    /* Past the queue. A forked copy of the host may hold the channel open, so
    ** that its end of file would not be seen. */
    cell_frame_header(goodbye, 0, CELL_GOODBYE, 0);
    cell_fd_send(sandbox->channel.fd, goodbye, sizeof goodbye, NULL, 0, NULL,
                 0);
    cell_channel_close(&sandbox->channel);
  }
  cell_fd_close(&sandbox->home_watch);
  end_companions(sandbox);
  kill_warden(sandbox);
  if (sandbox->pidfd < 0 && sandbox->birth.process == NULL)
    settle(sandbox); /* nobody will tell more */
  else
    cell_sandbox_post(sandbox);
}

void cell_sandbox_violated(struct cell_sandbox *sandbox, const char *what,
                           uint32_t type)
{
  cell_fail(&sandbox->error, CELL_PROTOCOL, 0,
            "the sandbox broke the protocol (%s, message %u) and was ended",
            what, type);
  cell_sandbox_begin_end(sandbox);
}

static void forget_pidfd(struct cell_sandbox *sandbox)
{
  cell_source_remove(sandbox->reactor, &sandbox->ending);
  cell_fd_close(&sandbox->pidfd);
}

/* The pidfd is readable: every process of it is gone. */
static void warden_gone(struct cell_source *source, uint32_t events)
{
  struct cell_sandbox *sandbox =
    CELL_CONTAINER(source, struct cell_sandbox, ending);
  int known = sandbox->error.kind != CELL_OK;
  int64_t patience =
    cell_clock_after(cell_reactor_clock(sandbox->reactor), STATUS_GRACE_MS);

  (void)events;
  cell_launch_reap(sandbox->pidfd);
  forget_pidfd(sandbox);
  cell_channel_drain(&sandbox->channel); /* its last words come first */
  cell_sandbox_begin_end(sandbox);
  if (known || sandbox->birth.process == NULL ||
      cell_timer_arm(sandbox->reactor, &sandbox->settling, patience, NULL) < 0)
    settle(sandbox);
}

static void patience_over(struct cell_timer *timer)
{
  settle(CELL_CONTAINER(timer, struct cell_sandbox, settling));
}

static void deadline_passed(struct cell_timer *timer)
{
  struct cell_sandbox *sandbox =
    CELL_CONTAINER(timer, struct cell_sandbox, deadline);

  cell_channel_drain(&sandbox->channel);
  if (sandbox->state >= CELL_SANDBOX_ENDING || sandbox->paused)
    return;
  say_deadline(&sandbox->error);
  cell_sandbox_begin_end(sandbox);
}

/* ---- what the channel and the stem say ---- */

static void channel_ended(struct cell_channel *channel,
                          enum cell_channel_end why)
{
  struct cell_sandbox *sandbox =
    CELL_CONTAINER(channel, struct cell_sandbox, channel);

  if (why == CELL_CHANNEL_BROKEN)
    cell_sandbox_violated(sandbox, "not a frame", 0);
  /* A stem that died with the create in its socket looks like this first;
  ** then it will be lost, and the create repeated. */
  else if (sandbox->state != CELL_SANDBOX_STARTING ||
           sandbox->birth.process == NULL || sandbox->birth.answered)
    cell_sandbox_begin_end(sandbox);
}

static void created(struct cell_birth *birth, int *pidfd)
{
  struct cell_sandbox *sandbox =
    CELL_CONTAINER(birth, struct cell_sandbox, birth);

  sandbox->pidfd = cell_fd_take(pidfd);
  sandbox->ending =
    (struct cell_source){sandbox->pidfd, EPOLLIN, warden_gone, 0};
  if (cell_source_add(sandbox->reactor, &sandbox->ending, &sandbox->error) < 0)
    cell_sandbox_begin_end(sandbox);
  if (sandbox->state >= CELL_SANDBOX_ENDING)
    kill_warden(sandbox);
  else
    cell_channel_hold(&sandbox->channel, 0);
}

static void ended(struct cell_birth *birth, uint32_t wait_status,
                  uint32_t oom_kills)
{
  struct cell_sandbox *sandbox =
    CELL_CONTAINER(birth, struct cell_sandbox, birth);

  sandbox->status_told = 1;
  sandbox->wait_status = wait_status;
  sandbox->oom_kills = oom_kills;
  forget_pidfd(sandbox);
  cell_channel_drain(&sandbox->channel);
  cell_sandbox_begin_end(sandbox);
  settle(sandbox);
}

static void failed(struct cell_birth *birth, const struct cell_error *why)
{
  struct cell_sandbox *sandbox =
    CELL_CONTAINER(birth, struct cell_sandbox, birth);

  if (sandbox->error.kind == CELL_OK)
    sandbox->error = *why;
  cell_sandbox_begin_end(sandbox);
  settle(sandbox);
}

/* ---- start ---- */

/* A pair, the create with one end of it, the configuration through the other.
** Questions wait until the warden is known to exist: only a create that nobody
** has acted on may be repeated.
*/
static int start(struct cell_sandbox *sandbox, struct cell_stem *stem,
                 struct cell_error *error)
{
  int ends[2];
  int again = sandbox->channel.reactor != NULL;
  int opened;
  int result = -1;

  if (cell_fd_pair(SOCK_SEQPACKET, ends) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "create a sandbox");
  if (cell_sandbox_configure(&sandbox->options, ends[0], error) < 0 ||
      cell_sandbox_request(sandbox, stem, ends[1], error) < 0)
    goto done;
  opened = again ? cell_channel_reopen(&sandbox->channel,
                                       cell_fd_take(&ends[0]), error)
                 : cell_channel_open(&sandbox->channel, sandbox->reactor,
                                     cell_fd_take(&ends[0]), error);
  if (opened < 0)
    goto done;
  cell_channel_hold(&sandbox->channel, 1);
  result = 0;

done:
  cell_fd_close(&ends[0]);
  cell_fd_close(&ends[1]);
  return result;
}

static void lost(struct cell_birth *birth, struct cell_stem *stem)
{
  struct cell_sandbox *sandbox =
    CELL_CONTAINER(birth, struct cell_sandbox, birth);

  if (sandbox->state == CELL_SANDBOX_STARTING && !birth->answered) {
    int first = !sandbox->repeated;

    sandbox->repeated = 1;
    if (first && start(sandbox, stem, &sandbox->error) == 0)
      return;
    if (first)
      cell_birth_end(birth);
    else
      cell_fail(&sandbox->error, CELL_UNAVAILABLE, 0,
                "create a sandbox: the process that makes them was killed "
                "twice");
    cell_sandbox_begin_end(sandbox);
  }
  if (sandbox->state == CELL_SANDBOX_ENDING && sandbox->pidfd < 0)
    settle(sandbox);
}

static struct cell_sandbox *allocate(struct cell_reactor *reactor,
                                     const struct cell_sandbox_options *options,
                                     struct cell_error *error)
{
  struct cell_sandbox *sandbox = calloc(1, sizeof *sandbox);
  int64_t deadline;

  if (sandbox == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "create a sandbox");
    return NULL;
  }
  sandbox->references = 1;
  sandbox->asked_left = options->gateway == NULL ? CELL_ASKED_MOST : 0;
  sandbox->reactor = cell_reactor_keep(reactor);
  sandbox->options = *options;
  sandbox->options.mounts = NULL;
  sandbox->pidfd = sandbox->home_watch = -1;
  sandbox->channel.fd = -1;
  sandbox->channel.heard = cell_sandbox_heard;
  sandbox->channel.ended = channel_ended;
  sandbox->birth.created = created;
  sandbox->birth.ended = ended;
  sandbox->birth.failed = failed;
  sandbox->birth.lost = lost;
  sandbox->deadline.due = deadline_passed;
  sandbox->settling.due = patience_over;
  deadline = cell_clock_after(cell_reactor_clock(reactor),
                              options->timeout_ms + CELL_HOST_GRACE_MS);
  sandbox->token = cell_token_new(reactor);
  if (sandbox->token == 0 || cell_sandbox_copy_mounts(sandbox, options) < 0) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "create a sandbox");
    cell_sandbox_release(sandbox);
    return NULL;
  }
  if (cell_timer_arm(reactor, &sandbox->deadline, deadline, error) < 0) {
    cell_sandbox_release(sandbox);
    return NULL;
  }
  return sandbox;
}

struct cell_sandbox *
cell_sandbox_create(struct cell_stem *stem,
                    const struct cell_sandbox_options *options,
                    struct cell_error *error)
{
  struct cell_sandbox *sandbox =
    allocate(cell_stem_reactor(stem), options, error);

  if (sandbox != NULL && start(sandbox, stem, error) < 0) {
    cell_sandbox_release(sandbox);
    sandbox = NULL;
  }
  return sandbox;
}

struct cell_sandbox *
cell_sandbox_attach(struct cell_reactor *reactor,
                    const struct cell_sandbox_options *options, int channel,
                    int pidfd, struct cell_error *error)
{
  struct cell_sandbox *sandbox = allocate(reactor, options, error);

  if (sandbox == NULL) {
    cell_fd_close(&channel);
    cell_fd_close(&pidfd);
    return NULL;
  }
  sandbox->pidfd = pidfd;
  sandbox->ending = (struct cell_source){pidfd, EPOLLIN, warden_gone, 0};
  if (cell_channel_open(&sandbox->channel, reactor, channel, error) < 0 ||
      (pidfd >= 0 && cell_source_add(reactor, &sandbox->ending, error) < 0) ||
      cell_sandbox_configure(&sandbox->options, channel, error) < 0) {
    cell_sandbox_release(sandbox);
    return NULL;
  }
  return sandbox;
}

void cell_sandbox_hear(struct cell_sandbox *sandbox)
{
  cell_channel_drain(&sandbox->channel);
}

struct cell_refusals *cell_sandbox_refusals(struct cell_sandbox *sandbox)
{
  return &sandbox->refusals;
}

/* ---- life ---- */

struct cell_sandbox *cell_sandbox_keep(struct cell_sandbox *sandbox)
{
  sandbox->references++;
  return sandbox;
}

void cell_sandbox_release(struct cell_sandbox *sandbox)
{
  struct cell_reactor *reactor;

  if (sandbox == NULL || --sandbox->references > 0)
    return;
  cell_sandbox_close(sandbox);
  reactor = sandbox->reactor;
  cell_birth_end(&sandbox->birth);
  forget_pidfd(sandbox);
  cell_timer_disarm(reactor, &sandbox->deadline);
  cell_timer_disarm(reactor, &sandbox->settling);
  cell_questions_clear(&sandbox->questions);
  cell_refusals_clear(&sandbox->refusals);
  cell_token_free(reactor, sandbox->token);
  free(sandbox->mounts);
  free(sandbox);
  cell_reactor_release(reactor);
}

void cell_sandbox_close(struct cell_sandbox *sandbox)
{
  if (sandbox->state >= CELL_SANDBOX_ENDING)
    return;
  cell_fail(&sandbox->error, CELL_CANCELLED, 0, "the sandbox was closed");
  if (cell_reactor_owned(sandbox->reactor)) {
    cell_sandbox_begin_end(sandbox);
    return;
  }
  /* A forked copy of the host ends its own view of it, nothing else. */
  sandbox->state = CELL_SANDBOX_ENDING;
  cell_channel_close(&sandbox->channel);
  forget_pidfd(sandbox);
  cell_fd_close(&sandbox->home_watch);
  end_companions(sandbox);
  settle(sandbox);
}

int cell_sandbox_accompany(struct cell_sandbox *sandbox,
                           struct cell_companion *companion,
                           struct cell_error *error)
{
  if (sandbox->state >= CELL_SANDBOX_ENDING)
    return cell_fail(error, CELL_SANDBOX_GONE, 0, "the sandbox has gone");
  companion->next = sandbox->companions;
  sandbox->companions = companion;
  return 0;
}

struct cell_companion *
cell_sandbox_companions(const struct cell_sandbox *sandbox)
{
  return sandbox->companions;
}

enum cell_sandbox_state cell_sandbox_state(const struct cell_sandbox *sandbox)
{
  return sandbox->state;
}

const struct cell_error *cell_sandbox_error(const struct cell_sandbox *sandbox)
{
  return &sandbox->error;
}

int cell_sandbox_paused(const struct cell_sandbox *sandbox)
{
  return sandbox->paused;
}

const struct cell_hello *cell_sandbox_hello(const struct cell_sandbox *sandbox)
{
  return &sandbox->hello;
}

struct cell_reactor *cell_sandbox_reactor(struct cell_sandbox *sandbox)
{
  return sandbox->reactor;
}

uint32_t cell_sandbox_token(const struct cell_sandbox *sandbox)
{
  return sandbox->token;
}
