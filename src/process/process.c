/* process.c -- see process.h. */
#include "process_private.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define LINGER_MS 100        /* for output of what a process left behind */
#define TRUTH_MS 1000        /* for the reason why a wire has ended */
#define DRAIN_MAX 1048576u   /* bytes of a stream taken at the end of a cell */
#define END_OF_FILE_KEY 0x04 /* VEOF, Control-D */
#define STAGE_SIZE 24

static void post(struct cell_process *process)
{
  cell_token_post(process->reactor, process->token);
}

static int output_ended(const struct cell_process *process)
{
  return cell_stream_ended(&process->streams[0]) &&
         cell_stream_ended(&process->streams[1]);
}

/* Whoever keeps what has ended, to ask it for its result, keeps no descriptor:
** nobody reads what would be written.
*/
static void let_go(struct cell_process *process)
{
  if (process->state == CELL_PROCESS_FAILED ||
      (process->state == CELL_PROCESS_EXITED && output_ended(process)))
    cell_input_end(&process->input);
}

static void stream_news(struct cell_stream *stream)
{
  let_go(stream->owner);
  post(stream->owner);
}

static void input_news(struct cell_input *input)
{
  post(input->owner);
}

static void wire_news(struct cell_wire *wire)
{
  post(wire->owner);
}

static void linger_over(struct cell_timer *timer)
{
  struct cell_process *process =
    CELL_CONTAINER(timer, struct cell_process, linger);

  process->lingered = 1;
  post(process);
}

static void truth_over(struct cell_timer *timer)
{
  post(CELL_CONTAINER(timer, struct cell_process, truth));
}

/* ---- what is heard of it ---- */

static void fail_spawn(struct cell_process *process, uint32_t number,
                       const char *stage)
{
  const char *program = process->program;

  process->state = CELL_PROCESS_FAILED;
  process->streams[0].awaited = 0;
  process->request = 0;
  if (strcmp(stage, "program") == 0)
    cell_fail(&process->error, cell_kind_of((int)number), (int)number,
              "start %s", program);
  else if (strcmp(stage, "deadline") == 0)
    cell_fail(
      &process->error, CELL_TIMEOUT, 0,
      "start %s: the sandbox reached its deadline and is paused; resume "
      "gives it time again",
      program);
  else if (strcmp(stage, "cwd") == 0)
    cell_fail(&process->error, cell_kind_of((int)number), (int)number,
              "start %s in the directory %s", program, process->cwd);
  else
    cell_fail(&process->error, cell_kind_of((int)number), (int)number,
              "start %s (%s)", program, stage);
}

/* A master is one descriptor for both directions; epoll wants two. */
static int open_terminal(struct cell_process *process, int *fd)
{
  struct cell_error *error = &process->error;
  int writer = *fd >= 0 ? fcntl(*fd, F_DUPFD_CLOEXEC, 3) : -1;

  if (writer < 0)
    return cell_fail(error, CELL_SYSTEM, *fd >= 0 ? errno : EMFILE,
                     "open a terminal");
  if (cell_input_open(&process->input, process->reactor, writer, error) < 0)
    return -1;
  return cell_stream_open(&process->streams[0], process->reactor,
                          cell_fd_take(fd), process->output_limit, error);
}

/* It runs, but cannot be had. */
static void give_up(struct cell_process *process)
{
  uint64_t request =
    cell_process_signal(process, SIGKILL, CELL_SCOPE_GROUP, NULL);

  cell_sandbox_forget(process->sandbox, request);
  cell_sandbox_forget(process->sandbox, process->request);
  process->state = CELL_PROCESS_FAILED;
  process->streams[0].awaited = 0;
  process->request = 0;
}

static void heard_spawned(struct cell_process *process,
                          struct cell_unpacker *payload, int *fd)
{
  uint32_t number = cell_unpack_u32(payload);
  char stage[STAGE_SIZE];

  cell_unpack_string(payload, stage, sizeof stage);
  if (number != 0) {
    fail_spawn(process, number, stage);
    return;
  }
  process->pid = cell_unpack_u32(payload);
  process->state = CELL_PROCESS_RUNNING;
  if (process->kind == CELL_TERMINAL && open_terminal(process, fd) < 0)
    give_up(process);
}

static void end_with(struct cell_process *process, const struct cell_exit *how)
{
  const struct cell_clock *clock = cell_reactor_clock(process->reactor);

  process->state = CELL_PROCESS_EXITED;
  process->exit = *how;
  process->request = 0;
  process->streams[0].awaited = 0;
  if (!output_ended(process) &&
      cell_timer_arm(process->reactor, &process->linger,
                     cell_clock_after(clock, LINGER_MS), NULL) < 0)
    process->lingered = 1;
}

static void heard_exited(struct cell_process *process,
                         struct cell_unpacker *payload)
{
  int status = (int)cell_unpack_u32(payload);
  struct cell_exit how = {-1, 0, 0, 0, 0};

  if (WIFEXITED(status))
    how.code = WEXITSTATUS(status);
  else
    how.signal = WTERMSIG(status);
  how.out_of_memory = (int)cell_unpack_u32(payload);
  how.cpu_us = cell_unpack_u64(payload);
  how.memory_peak = cell_unpack_u64(payload);
  end_with(process, &how);
}

static void heard(struct cell_listener *listener, uint32_t type,
                  struct cell_unpacker *payload, int *fd)
{
  struct cell_process *process =
    CELL_CONTAINER(listener, struct cell_process, listener);

  if (type == CELL_SPAWNED)
    heard_spawned(process, payload, fd);
  else
    heard_exited(process, payload);
  let_go(process);
  post(process);
}

/* Nobody writes any more: read to the end of file, which closes. A short read
** is not yet that, so once again.
*/
static void read_last_words(struct cell_process *process)
{
  int i;

  for (i = 0; i < 4 && cell_process_owned(process); i++)
    cell_stream_drain(&process->streams[i % 2], DRAIN_MAX);
}

static void sandbox_ended(struct cell_listener *listener)
{
  struct cell_process *process =
    CELL_CONTAINER(listener, struct cell_process, listener);
  const struct cell_exit killed = {-1, SIGKILL, 0, 0, 0};

  process->error = *cell_sandbox_error(process->sandbox);
  read_last_words(process);
  if (process->error.kind == CELL_CANCELLED) { /* nobody waits for its words */
    cell_wire_close(&process->wire);
    cell_input_close(&process->input);
  }
  if (process->state == CELL_PROCESS_RUNNING) {
    end_with(process, &killed);
  } else {
    process->state = CELL_PROCESS_FAILED;
    process->request = 0;
    process->streams[0].awaited = 0;
  }
  let_go(process);
  post(process);
}

/* ---- start ---- */

static struct cell_process *allocate(struct cell_sandbox *sandbox,
                                     const struct cell_process_options *options,
                                     struct cell_error *error)
{
  struct cell_process *process = calloc(1, sizeof *process);
  int i;

  if (process == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "start a process");
    return NULL;
  }
  process->sandbox = cell_sandbox_keep(sandbox);
  process->reactor = cell_sandbox_reactor(sandbox);
  process->kind = options->kind;
  process->output_limit = options->output_limit;
  process->listener = (struct cell_listener){heard, sandbox_ended};
  process->linger.due = linger_over;
  process->truth.due = truth_over;
  process->input.fd = process->wire.reader = process->wire.writer = -1;
  process->input.owner = process->wire.owner = process;
  process->input.news = input_news;
  process->wire.news = wire_news;
  for (i = 0; i < 2; i++) {
    process->streams[i].fd = -1;
    process->streams[i].news = stream_news;
    process->streams[i].owner = process;
  }
  strncat(process->program, options->argv[0] != NULL ? options->argv[0] : "",
          sizeof process->program - 1);
  strncat(process->cwd, options->cwd != NULL ? options->cwd : "",
          sizeof process->cwd - 1);
  process->token = cell_token_new(process->reactor);
  return process;
}

struct cell_process *
cell_process_spawn(struct cell_sandbox *sandbox,
                   const struct cell_process_options *options,
                   struct cell_error *error)
{
  struct cell_process *process = allocate(sandbox, options, error);

  if (process == NULL)
    return NULL;
  if (process->token != 0 && cell_spawn_ask(process, options, error) == 0)
    return process;
  if (process->token == 0)
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "start a process");
  cell_process_release(process);
  return NULL;
}

/* ---- the end ---- */

void cell_process_release(struct cell_process *process)
{
  if (process == NULL)
    return;
  if (process->request != 0)
    cell_sandbox_forget(process->sandbox, process->request);
  cell_timer_disarm(process->reactor, &process->linger);
  cell_timer_disarm(process->reactor, &process->truth);
  cell_stream_close(&process->streams[0]);
  cell_stream_close(&process->streams[1]);
  cell_input_close(&process->input);
  cell_wire_close(&process->wire);
  cell_token_free(process->reactor, process->token);
  cell_sandbox_release(process->sandbox); /* last: it keeps the reactor */
  free(process);
}

void cell_process_free(struct cell_process *process)
{
  if (process == NULL)
    return;
  if (process->request != 0) { /* it may run, or start still */
    uint64_t request =
      cell_process_signal(process, SIGKILL, CELL_SCOPE_GROUP, NULL);

    cell_sandbox_forget(process->sandbox, request);
  }
  cell_process_release(process);
}

/* ---- looking at it ---- */

enum cell_process_state cell_process_state(const struct cell_process *process)
{
  return process->state;
}

int cell_process_owned(const struct cell_process *process)
{
  return cell_reactor_owned(process->reactor);
}

const struct cell_error *cell_process_error(const struct cell_process *process)
{
  return &process->error;
}

uint32_t cell_process_pid(const struct cell_process *process)
{
  return process->pid;
}

const struct cell_exit *cell_process_exit(const struct cell_process *process)
{
  return &process->exit;
}

int cell_process_finished(const struct cell_process *process)
{
  if (process->state == CELL_PROCESS_FAILED)
    return 1;
  return process->state == CELL_PROCESS_EXITED &&
         (process->lingered || output_ended(process));
}

uint32_t cell_process_token(const struct cell_process *process)
{
  return process->token;
}

struct cell_stream *cell_process_stream(struct cell_process *process, int which)
{
  if (which != 0 && (which != 1 || process->kind == CELL_TERMINAL))
    return NULL;
  return &process->streams[which];
}

size_t cell_process_read(struct cell_process *process, int which, void *buffer,
                         size_t size, int text, int *end, uint64_t *skipped)
{
  size_t count = cell_stream_read(&process->streams[which], buffer, size, text,
                                  end, skipped);

  let_go(process);
  return count;
}

int cell_process_mask(struct cell_process *process, struct cell_mask *mask,
                      struct cell_error *error)
{
  int i;

  for (i = 0; i < 2; i++)
    if (cell_stream_mask(&process->streams[i], mask, error) < 0)
      return -1;
  return 0;
}

/* ---- talking to it ---- */

long cell_process_write(struct cell_process *process, const void *bytes,
                        size_t length, struct cell_error *error)
{
  if (process->kind == CELL_TERMINAL && process->state == CELL_PROCESS_STARTING)
    return 0;
  return cell_input_write(&process->input, bytes, length, error);
}

void cell_process_close_input(struct cell_process *process)
{
  static const char key = END_OF_FILE_KEY;

  if (process->kind == CELL_TERMINAL)
    cell_process_write(process, &key, 1, NULL);
  else
    cell_input_finish(&process->input);
}

uint64_t cell_process_signal(struct cell_process *process, int signal,
                             enum cell_signal_scope scope,
                             struct cell_error *error)
{
  unsigned char bytes[16];
  struct cell_packer packer;

  if (process->request == 0) {
    cell_fail(error, CELL_NOT_FOUND, ESRCH, "signal %s", process->program);
    return 0;
  }
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u64(&packer, process->request);
  cell_pack_u32(&packer, (uint32_t)signal);
  cell_pack_u32(&packer, scope);
  return cell_sandbox_ask(process->sandbox, CELL_SIGNAL, &packer, NULL, 0,
                          error);
}

uint64_t cell_process_resize(struct cell_process *process, uint32_t rows,
                             uint32_t columns, struct cell_error *error)
{
  unsigned char bytes[16];
  struct cell_packer packer;

  if (process->request == 0) {
    cell_fail(error, CELL_NOT_FOUND, ESRCH, "resize %s", process->program);
    return 0;
  }
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u64(&packer, process->request);
  cell_pack_u32(&packer, rows);
  cell_pack_u32(&packer, columns);
  return cell_sandbox_ask(process->sandbox, CELL_RESIZE, &packer, NULL, 0,
                          error);
}

int cell_process_send(struct cell_process *process, uint32_t type,
                      uint64_t request, const void *payload, size_t length,
                      struct cell_error *error)
{
  return cell_wire_send(&process->wire, type, request, payload, length, error);
}

/* A wire that ends is the kernel's end or the sandbox's, which says so a moment
** later. 1 while it is worth waiting to know which.
*/
static int awaits_truth(struct cell_process *process)
{
  const struct cell_clock *clock = cell_reactor_clock(process->reactor);

  if (process->request == 0 || process->wire.broken ||
      !cell_reactor_owned(process->reactor))
    return 0;
  if (process->truth.deadline != 0)
    return cell_clock_now(clock) < process->truth.deadline;
  return cell_timer_arm(process->reactor, &process->truth,
                        cell_clock_after(clock, TRUTH_MS), NULL) == 0;
}

int cell_process_receive(struct cell_process *process, struct cell_frame *frame,
                         struct cell_error *error)
{
  const struct cell_error *end = cell_sandbox_error(process->sandbox);
  int result = cell_wire_receive(&process->wire, frame, error);

  if (result > 0 && frame->type == CELL_KERNEL_DONE) {
    /* What a cell printed is in the pipes by now, not all of it yet here. */
    cell_stream_drain(&process->streams[0], DRAIN_MAX);
    cell_stream_drain(&process->streams[1], DRAIN_MAX);
  }
  if (result >= 0)
    return result;
  if (awaits_truth(process))
    return 0;
  if (end->kind != CELL_OK && !process->wire.broken && error != NULL)
    *error = *end;
  return -1;
}
