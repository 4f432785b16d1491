/* conversation.c -- questions to a warden, and what it says (sandbox.h). */
#include "../container.h"
#include "../start/remedy.h"
#include "sandbox_private.h"

#include <errno.h>
#include <sys/ioctl.h>

/* ---- what the warden says ---- */

static void heard_hello(struct cell_sandbox *sandbox,
                        const struct cell_delivery *delivery)
{
  if (sandbox->state != CELL_SANDBOX_STARTING || delivery->frame.request != 0 ||
      cell_reply_hello(delivery, &sandbox->hello) < 0) {
    cell_sandbox_violated(sandbox, "hello", delivery->frame.type);
    return;
  }
  sandbox->state = CELL_SANDBOX_RUNNING;
  cell_channel_hold(&sandbox->channel, 0);
  cell_sandbox_post(sandbox);
}

static void heard_socket(struct cell_sandbox *sandbox,
                         struct cell_delivery *delivery)
{
  struct cell_gateway *gateway = sandbox->options.gateway;
  enum cell_socket_kind kind;
  uint16_t port;

  if (sandbox->state != CELL_SANDBOX_STARTING || gateway == NULL ||
      delivery->frame.request != 0 ||
      cell_reply_socket(delivery, &kind, &port) < 0) {
    cell_sandbox_violated(sandbox, "socket", delivery->frame.type);
    return;
  }
  if (cell_reply_starved(delivery)) {
    cell_fail(&sandbox->error, CELL_SYSTEM, EMFILE,
              "take a socket of the sandbox");
    cell_sandbox_begin_end(sandbox);
    return;
  }
  gateway->opened(gateway, kind, port, &delivery->fds[0]);
}

static void heard_failed(struct cell_sandbox *sandbox,
                         const struct cell_delivery *delivery)
{
  char stage[sizeof sandbox->error.stage];
  uint32_t number;

  if (sandbox->state != CELL_SANDBOX_STARTING ||
      cell_reply_failed(delivery, &number, stage, sizeof stage) < 0) {
    cell_sandbox_violated(sandbox, "failure", delivery->frame.type);
    return;
  }
  cell_remedy(&sandbox->error, stage, (int)number, "");
  cell_sandbox_begin_end(sandbox);
}

/* Half of what it may tell is given again at once, as long as we can. */
static void heard_asked(struct cell_sandbox *sandbox,
                        const struct cell_delivery *delivery)
{
  struct cell_refusal refusal = {CELL_REFUSED_NO_NETWORK, 1, 0, "", ""};
  unsigned char bytes[4];
  struct cell_packer packer;

  if (sandbox->state != CELL_SANDBOX_RUNNING || delivery->frame.request != 0 ||
      sandbox->asked_left == 0 ||
      cell_reply_asked(delivery, refusal.host) < 0) {
    cell_sandbox_violated(sandbox, "a name", delivery->frame.type);
    return;
  }
  sandbox->asked_left--;
  if (sandbox->asked_left <= CELL_ASKED_MOST / 2 &&
      cell_channel_has_room(&sandbox->channel)) {
    cell_pack_start(&packer, bytes, sizeof bytes);
    cell_pack_u32(&packer, CELL_ASKED_MOST - sandbox->asked_left);
    if (cell_channel_send(&sandbox->channel, CELL_ASK_ON, 0, packer.bytes,
                          packer.used, NULL, 0, NULL) == 0)
      sandbox->asked_left = CELL_ASKED_MOST;
  }
  if (cell_refusals_add(&sandbox->refusals, &refusal))
    cell_sandbox_post(sandbox);
}

static void heard_paused(struct cell_sandbox *sandbox,
                         const struct cell_delivery *delivery)
{
  if (sandbox->then != CELL_DEADLINE_PAUSES || delivery->frame.request != 0 ||
      delivery->frame.length != 0 || delivery->fd_count != 0) {
    cell_sandbox_violated(sandbox, "a pause", delivery->frame.type);
    return;
  }
  sandbox->paused = 1;
  cell_timer_disarm(sandbox->reactor, &sandbox->deadline);
  cell_sandbox_post(sandbox);
}

static void tell_listener(struct cell_sandbox *sandbox,
                          struct cell_question *question,
                          struct cell_delivery *delivery, int last)
{
  struct cell_listener *listener = question->listener;
  struct cell_unpacker payload;
  int fd = delivery->fd_count > 0 ? cell_fd_take(&delivery->fds[0]) : -1;

  question->expected.spawned = question->expected.type == CELL_SPAWN;
  if (last)
    cell_question_free(&sandbox->questions, question);
  if (listener != NULL) {
    cell_unpack_start(&payload, delivery->frame.payload,
                      delivery->frame.length);
    listener->heard(listener, delivery->frame.type, &payload, &fd);
  }
  cell_fd_close(&fd);
}

/* Whether anybody wants the answer or not. */
static void keep_home_watch(struct cell_sandbox *sandbox,
                            struct cell_delivery *delivery)
{
  struct cell_unpacker payload;

  cell_unpack_start(&payload, delivery->frame.payload, delivery->frame.length);
  cell_unpack_u32(&payload);
  if (delivery->fd_count > 0 ||
      (cell_unpack_u32(&payload) & CELL_CHANGED_UNWATCHED))
    cell_fd_close(&sandbox->home_watch);
  if (delivery->fd_count == 0)
    return;
  sandbox->home_watch = cell_fd_take(&delivery->fds[0]);
  delivery->fd_count = 0;
}

static void heard_answer(struct cell_sandbox *sandbox,
                         struct cell_delivery *delivery)
{
  struct cell_question *question =
    cell_question_find(&sandbox->questions, delivery->frame.request);
  enum cell_reply reply;

  if (question == NULL || question->state == CELL_QUESTION_ANSWERED ||
      sandbox->state != CELL_SANDBOX_RUNNING) {
    cell_sandbox_violated(sandbox, "an answer to nothing",
                          delivery->frame.type);
    return;
  }
  reply = cell_reply_check(&question->expected, delivery);
  if (reply == CELL_REPLY_WRONG) {
    cell_sandbox_violated(sandbox, "a wrong answer", delivery->frame.type);
    return;
  }
  if (question->expected.type == CELL_SPAWN || question->listener != NULL) {
    tell_listener(sandbox, question, delivery, reply == CELL_REPLY_LAST);
    return;
  }
  if (question->expected.type == CELL_CHANGES)
    keep_home_watch(sandbox, delivery);
  if (question->state == CELL_QUESTION_FORGOTTEN) {
    if (reply == CELL_REPLY_LAST)
      cell_question_free(&sandbox->questions, question);
    return;
  }
  if ((question->expected.type == CELL_DIAL ||
       question->expected.type == CELL_LISTEN) &&
      delivery->fd_count > 0)
    cell_fd_nonblocking(delivery->fds[0]);
  if (cell_question_add(question, delivery, &sandbox->error) < 0) {
    cell_sandbox_begin_end(sandbox);
    return;
  }
  if (reply == CELL_REPLY_LAST) {
    question->state = CELL_QUESTION_ANSWERED;
    cell_sandbox_post(sandbox);
  }
}

void cell_sandbox_heard(struct cell_channel *channel,
                        struct cell_delivery *delivery)
{
  struct cell_sandbox *sandbox =
    CELL_CONTAINER(channel, struct cell_sandbox, channel);

  switch (delivery->frame.type) {
  case CELL_HELLO:
    heard_hello(sandbox, delivery);
    break;
  case CELL_SOCKET:
    heard_socket(sandbox, delivery);
    break;
  case CELL_FAILED:
    heard_failed(sandbox, delivery);
    break;
  case CELL_ASKED:
    heard_asked(sandbox, delivery);
    break;
  case CELL_PAUSED:
    heard_paused(sandbox, delivery);
    break;
  default:
    heard_answer(sandbox, delivery);
    break;
  }
}

/* ---- asking ---- */

static int check_alive(struct cell_sandbox *sandbox, struct cell_error *error)
{
  if (sandbox->state < CELL_SANDBOX_ENDING)
    return 0;
  if (error != NULL && sandbox->error.kind != CELL_OK)
    *error = sandbox->error;
  else
    cell_fail(error, CELL_SANDBOX_GONE, 0, "the sandbox has gone");
  return -1;
}

static uint64_t ask(struct cell_sandbox *sandbox, uint32_t type,
                    struct cell_listener *listener, int terminal,
                    const struct cell_packer *payload, const int *fds,
                    size_t count, struct cell_error *error)
{
  struct cell_question *question;

  if (check_alive(sandbox, error) < 0)
    return 0;
  if (payload->failed) {
    cell_fail(error, CELL_LIMIT_EXCEEDED, E2BIG, "ask a sandbox");
    return 0;
  }
  if (!cell_channel_has_room(&sandbox->channel)) {
    cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
              "too many questions wait for the sandbox; step the reactor");
    return 0;
  }
  question = cell_question_new(&sandbox->questions, type, error);
  if (question == NULL)
    return 0;
  question->listener = listener;
  question->expected.terminal = terminal;
  if (cell_channel_send(&sandbox->channel, type, question->request,
                        payload->bytes, payload->used, fds, count, error) == 0)
    return question->request;
  cell_question_free(&sandbox->questions, question);
  return 0;
}

uint64_t cell_sandbox_ask(struct cell_sandbox *sandbox, uint32_t type,
                          const struct cell_packer *payload, const int *fds,
                          size_t count, struct cell_error *error)
{
  return ask(sandbox, type, NULL, 0, payload, fds, count, error);
}

uint64_t cell_sandbox_spawn(struct cell_sandbox *sandbox,
                            struct cell_listener *listener, int terminal,
                            const struct cell_packer *payload, const int *fds,
                            size_t count, struct cell_error *error)
{
  return ask(sandbox, CELL_SPAWN, listener, terminal, payload, fds, count,
             error);
}

uint64_t cell_sandbox_ask_socket(struct cell_sandbox *sandbox, uint32_t type,
                                 struct cell_listener *listener,
                                 const struct cell_packer *payload,
                                 struct cell_error *error)
{
  return ask(sandbox, type, listener, 0, payload, NULL, 0, error);
}

int cell_sandbox_answer(struct cell_sandbox *sandbox, uint64_t request,
                        struct cell_answer *answer, struct cell_error *error)
{
  struct cell_question *question =
    cell_question_find(&sandbox->questions, request);

  if (question == NULL || question->state == CELL_QUESTION_FORGOTTEN)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "nothing was asked under this number");
  if (question->state == CELL_QUESTION_ANSWERED) {
    *answer = question->answer;
    answer->question = question->expected.type;
    question->answer = (struct cell_answer){0};
    question->answer.fd = -1;
    cell_question_free(&sandbox->questions, question);
    return 1;
  }
  if (sandbox->state < CELL_SANDBOX_ENDING || sandbox->error.kind == CELL_OK)
    return 0; /* while it ends it is soon known why */
  cell_question_free(&sandbox->questions, question);
  return check_alive(sandbox, error);
}

void cell_sandbox_forget(struct cell_sandbox *sandbox, uint64_t request)
{
  struct cell_question *question =
    cell_question_find(&sandbox->questions, request);

  if (question == NULL)
    return;
  if (question->state == CELL_QUESTION_ANSWERED) {
    cell_question_free(&sandbox->questions, question);
    return;
  }
  question->state = CELL_QUESTION_FORGOTTEN;
  question->listener = NULL;
  cell_answer_clear(&question->answer);
}

int cell_sandbox_set_deadline(struct cell_sandbox *sandbox, int64_t timeout_ms,
                              enum cell_deadline then, struct cell_error *error)
{
  const struct cell_clock *clock = cell_reactor_clock(sandbox->reactor);
  int64_t grace = then == CELL_DEADLINE_PAUSES ? CELL_HOST_PAUSE_GRACE_MS
                                               : CELL_HOST_GRACE_MS;
  unsigned char bytes[16];
  struct cell_packer packer;
  uint64_t request;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u64(&packer, (uint64_t)timeout_ms);
  cell_pack_u32(&packer, then);
  request = cell_sandbox_ask(sandbox, CELL_DEADLINE, &packer, NULL, 0, error);
  if (request == 0)
    return -1;
  cell_sandbox_forget(sandbox, request);
  sandbox->then = then;
  sandbox->paused = 0;
  return cell_timer_arm(sandbox->reactor, &sandbox->deadline,
                        cell_clock_after(clock, timeout_ms + grace), error);
}

enum cell_home_state cell_sandbox_home_state(const struct cell_sandbox *sandbox)
{
  int waiting = 0;

  if (sandbox->home_watch < 0 ||
      ioctl(sandbox->home_watch, FIONREAD, &waiting) < 0)
    return CELL_HOME_UNWATCHED;
  return waiting > 0 ? CELL_HOME_CHANGED : CELL_HOME_UNCHANGED;
}
