/* process.c -- see process.h. */
#include "process.h"

#include "descriptor.h"
#include "input.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define LINGER_MS 100        /* for output of what a process left behind */
#define DRAIN_MAX 1048576u   /* bytes of a stream taken at the end of a cell */
#define END_OF_FILE_KEY 0x04 /* VEOF, Control-D */
#define INNER_MAX 4          /* stdin, stdout, stderr, kernel channel */
#define STAGE_SIZE 24

#define CONTAINER(pointer, type, member)                                       \
  ((type *)((char *)(pointer)-offsetof(type, member)))

struct cell_process {
  struct cell_sandbox *sandbox; /* kept */
  struct cell_reactor *reactor; /* the sandbox's */
  struct cell_listener listener;
  uint64_t request; /* of the SPAWN; 0: nothing is heard any more */
  enum cell_spawn_kind kind;
  enum cell_process_state state;
  struct cell_error error;
  struct cell_exit exit;
  struct cell_timer linger;
  int lingered;
  uint32_t pid;
  uint32_t token;
  size_t output_limit;
  struct cell_stream streams[2];
  struct cell_input input;
  struct cell_wire wire;
  char program[64]; /* argv[0], for messages */
};

static void post(struct cell_process *process)
{
  cell_token_post(process->reactor, process->token);
}

static void stream_news(struct cell_stream *stream)
{
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
  struct cell_process *process = CONTAINER(timer, struct cell_process, linger);

  process->lingered = 1;
  post(process);
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
  else
    cell_fail(&process->error, cell_kind_of((int)number), (int)number,
              "start %s (%s)", program, stage);
}

/* A master is one descriptor for both directions; epoll wants two. */
static void open_terminal(struct cell_process *process, int *fd)
{
  int writer = fcntl(*fd, F_DUPFD_CLOEXEC, 3);

  if (writer < 0)
    cell_fail(&process->error, CELL_SYSTEM, errno, "open a terminal");
  else
    cell_input_open(&process->input, process->reactor, writer, &process->error);
  cell_stream_open(&process->streams[0], process->reactor, cell_fd_take(fd),
                   process->output_limit, &process->error);
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
  if (process->kind == CELL_TERMINAL && *fd >= 0)
    open_terminal(process, fd);
}

static int output_ended(const struct cell_process *process)
{
  return cell_stream_ended(&process->streams[0]) &&
         cell_stream_ended(&process->streams[1]);
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
    CONTAINER(listener, struct cell_process, listener);

  if (type == CELL_SPAWNED)
    heard_spawned(process, payload, fd);
  else
    heard_exited(process, payload);
  post(process);
}

static void sandbox_ended(struct cell_listener *listener)
{
  struct cell_process *process =
    CONTAINER(listener, struct cell_process, listener);
  const struct cell_exit killed = {-1, SIGKILL, 0, 0, 0};

  process->error = *cell_sandbox_error(process->sandbox);
  if (process->state == CELL_PROCESS_RUNNING) {
    end_with(process, &killed);
  } else {
    process->state = CELL_PROCESS_FAILED;
    process->request = 0;
    process->streams[0].awaited = 0;
  }
  post(process);
}

/* ---- start ---- */

/* The ends that go in, in the order of SPAWN's descriptors. */
struct inner_ends {
  int fds[INNER_MAX];
  size_t count;
};

static int open_output(struct cell_process *process, int which,
                       struct inner_ends *inner, struct cell_error *error)
{
  int ends[2];

  if (cell_fd_pipe(ends) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "start %s", process->program);
  inner->fds[inner->count++] = ends[1];
  return cell_stream_open(&process->streams[which], process->reactor, ends[0],
                          process->output_limit, error);
}

static int open_input(struct cell_process *process, struct inner_ends *inner,
                      struct cell_error *error)
{
  int ends[2];

  if (cell_fd_pipe(ends) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "start %s", process->program);
  inner->fds[inner->count++] = ends[0];
  return cell_input_open(&process->input, process->reactor, ends[1], error);
}

static int open_wire(struct cell_process *process, struct inner_ends *inner,
                     struct cell_error *error)
{
  int ends[2];

  if (cell_fd_pair(SOCK_STREAM, ends) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "start %s", process->program);
  inner->fds[inner->count++] = ends[1];
  return cell_wire_open(&process->wire, process->reactor, ends[0], error);
}

static int open_ends(struct cell_process *process,
                     const struct cell_process_options *options,
                     struct inner_ends *inner, struct cell_error *error)
{
  if (options->kind == CELL_TERMINAL) {
    cell_stream_await(&process->streams[0]);
    return 0;
  }
  if ((options->input && open_input(process, inner, error) < 0) ||
      open_output(process, 0, inner, error) < 0 ||
      open_output(process, 1, inner, error) < 0)
    return -1;
  if (options->kind == CELL_KERNEL)
    return open_wire(process, inner, error);
  return 0;
}

static void pack_list(struct cell_packer *packer, const char *const *strings)
{
  uint32_t count = 0;
  uint32_t i;

  while (strings[count] != NULL)
    count++;
  cell_pack_u32(packer, count);
  for (i = 0; i < count; i++)
    cell_pack_string(packer, strings[i]);
}

static int ask_spawn(struct cell_process *process,
                     const struct cell_process_options *options,
                     const struct inner_ends *inner, struct cell_error *error)
{
  unsigned char *bytes = malloc(CELL_MESSAGE_MAX);
  int piped = options->input && options->kind != CELL_TERMINAL;
  struct cell_packer packer;

  if (bytes == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "start %s",
                     process->program);
  cell_pack_start(&packer, bytes, CELL_MESSAGE_MAX);
  cell_pack_u32(&packer, options->kind);
  cell_pack_u32(&packer, piped ? CELL_SPAWN_STDIN : 0);
  cell_pack_u32(&packer, options->rows);
  cell_pack_u32(&packer, options->columns);
  cell_pack_string(&packer, options->cwd != NULL ? options->cwd : "");
  pack_list(&packer, options->argv);
  pack_list(&packer, options->envs);
  if (packer.failed)
    cell_fail(error, CELL_LIMIT_EXCEEDED, E2BIG,
              "start %s: arguments and environment take more than %u bytes",
              process->program, CELL_MESSAGE_MAX);
  else
    process->request = cell_sandbox_spawn(
      process->sandbox, &process->listener, options->kind == CELL_TERMINAL,
      &packer, inner->fds, inner->count, error);
  free(bytes);
  return process->request != 0 ? 0 : -1;
}

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
  process->input.fd = process->wire.fd = -1;
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
  process->token = cell_token_new(process->reactor);
  return process;
}

struct cell_process *
cell_process_spawn(struct cell_sandbox *sandbox,
                   const struct cell_process_options *options,
                   struct cell_error *error)
{
  struct cell_process *process = allocate(sandbox, options, error);
  struct inner_ends inner = {{-1, -1, -1, -1}, 0};
  size_t i;

  if (process == NULL)
    return NULL;
  if (process->token == 0) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "start a process");
    goto failed;
  }
  if (open_ends(process, options, &inner, error) < 0 ||
      ask_spawn(process, options, &inner, error) < 0)
    goto failed;
  goto done;

failed:
  cell_process_release(process);
  process = NULL;

done:
  for (i = 0; i < inner.count; i++)
    cell_fd_close(&inner.fds[i]);
  return process;
}

/* ---- the end ---- */

void cell_process_release(struct cell_process *process)
{
  if (process == NULL)
    return;
  if (process->request != 0)
    cell_sandbox_forget(process->sandbox, process->request);
  cell_timer_disarm(process->reactor, &process->linger);
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

int cell_process_receive(struct cell_process *process, struct cell_frame *frame,
                         struct cell_error *error)
{
  const struct cell_error *end = cell_sandbox_error(process->sandbox);
  int result = cell_wire_receive(&process->wire, frame, error);

  if (result > 0 && frame->type == CELL_KERNEL_DONE) {
    /* What a cell printed is in the pipes by now, not all of it yet here. */
    cell_stream_drain(&process->streams[0], DRAIN_MAX);
    cell_stream_drain(&process->streams[1], DRAIN_MAX);
  } else if (result < 0 && end->kind != CELL_OK && !process->wire.broken &&
             error != NULL) {
    *error = *end;
  }
  return result;
}
