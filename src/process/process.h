/* process.h -- a program inside a sandbox: its pipes, terminal or kernel wire.
**
** The host makes the pipes and sends the inner ends in, so output never passes
** through the warden. Freeing a process closes its pipes and kills it, unless
** it was released (detached). Nothing blocks.
*/
#ifndef CELL_PROCESS_H
#define CELL_PROCESS_H

#include "../sandbox/sandbox.h"
#include "../wire/frame.h"
#include "stream.h"

struct cell_process;

struct cell_process_options {
  enum cell_spawn_kind kind;
  const char *const *argv; /* NULL-terminated */
  const char *const *envs; /* NULL-terminated, complete */
  const char *cwd;         /* "": home */
  int input;               /* 1: a pipe for write; 0: /dev/null */
  uint32_t rows, columns;
  size_t output_limit; /* bytes kept of each stream */
  int is_session;      /* a kernel that is a fork of the stem's zygote */
};

enum cell_process_state {
  CELL_PROCESS_STARTING,
  CELL_PROCESS_RUNNING,
  CELL_PROCESS_EXITED, /* status is known; output may still come */
  CELL_PROCESS_FAILED  /* never started: cell_process_error says why */
};

struct cell_exit {
  int code;   /* exit status, or -1 */
  int signal; /* number, or 0 */
  int out_of_memory;
  uint64_t cpu_us;
  uint64_t memory_peak;
};

struct cell_process *
cell_process_spawn(struct cell_sandbox *sandbox,
                   const struct cell_process_options *options,
                   struct cell_error *error);
void cell_process_free(struct cell_process *process);
/* Let go without killing it. */
void cell_process_release(struct cell_process *process);

enum cell_process_state cell_process_state(const struct cell_process *process);
/* 0 in a forked copy of the host, where nothing is read or written: its bytes
** are for the original.
*/
int cell_process_owned(const struct cell_process *process);
const struct cell_error *cell_process_error(const struct cell_process *process);
/* As the code inside sees it; 0 until it runs. */
uint32_t cell_process_pid(const struct cell_process *process);
/* Valid when EXITED. A sandbox that ends makes -1 and SIGKILL of it, and
** cell_process_error then tells why.
*/
const struct cell_exit *cell_process_exit(const struct cell_process *process);
/* 1 when it has exited and its output has ended, or 100 ms have passed since
** for what it left behind to be read.
*/
int cell_process_finished(const struct cell_process *process);
uint32_t cell_process_token(const struct cell_process *process);

/* 0 stdout (or the terminal), 1 stderr; NULL when there is none. Its news and
** owner are the process's own; its token is posted.
*/
struct cell_stream *cell_process_stream(struct cell_process *process,
                                        int which);
/* cell_stream_read of one that there is: its end may be that of the process. */
size_t cell_process_read(struct cell_process *process, int which, void *buffer,
                         size_t size, int text, int *end, uint64_t *skipped);

/* Mask what it prints from now on. Keeps the mask. */
int cell_process_mask(struct cell_process *process, struct cell_mask *mask,
                      struct cell_error *error);

/* Input: queues at most 64 KiB beyond what the pipe takes. Returns how many
** bytes were taken (0: full, try later), or -1: EPIPE when nobody reads.
*/
long cell_process_write(struct cell_process *process, const void *bytes,
                        size_t length, struct cell_error *error);
/* After what was queued. A terminal gets its end-of-file character. */
void cell_process_close_input(struct cell_process *process);

/* Questions; answered through cell_sandbox_answer. */
uint64_t cell_process_signal(struct cell_process *process, int signal,
                             enum cell_signal_scope scope,
                             struct cell_error *error);
uint64_t cell_process_resize(struct cell_process *process, uint32_t rows,
                             uint32_t columns, struct cell_error *error);

/* ---- kernels ---- */
/* Queue one frame (copied). LIMIT_EXCEEDED beyond CELL_KERNEL_FRAME_MAX. */
int cell_process_send(struct cell_process *process, uint32_t type,
                      uint64_t request, const void *payload, size_t length,
                      struct cell_error *error);
/* The next whole frame; valid until the next receive on this process. 1, 0 (not
** yet), or -1: the wire was broken (PROTOCOL), or has ended, for at most a
** second of waiting because the sandbox has (its reason), else UNAVAILABLE.
** With a CELL_KERNEL_DONE everything that was printed before it is in the
** streams.
*/
int cell_process_receive(struct cell_process *process, struct cell_frame *frame,
                         struct cell_error *error);

#endif
