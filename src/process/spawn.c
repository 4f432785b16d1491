/* spawn.c -- the ends of a process, and the request to start it. */
#include "../descriptor.h"
#include "process_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define INNER_MAX 5 /* stdin, stdout, stderr, and a kernel's wire */

/* The ends that go in, in the order of SPAWN's descriptors. */
struct inner_ends {
  int fds[INNER_MAX];
  size_t count;
};

/* The inode is ours, and the code may be another user: it could not open its
** own /dev/stdout without the mode.
*/
static int open_pipe(struct cell_process *process, int ends[2],
                     struct cell_error *error)
{
  if (cell_fd_pipe(ends) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "start %s", process->program);
  fchmod(ends[0], 0666);
  return 0;
}

static int open_output(struct cell_process *process, int which,
                       struct inner_ends *inner, struct cell_error *error)
{
  int ends[2];

  if (open_pipe(process, ends, error) < 0)
    return -1;
  inner->fds[inner->count++] = ends[1];
  return cell_stream_open(&process->streams[which], process->reactor, ends[0],
                          process->output_limit, error);
}

static int open_input(struct cell_process *process, struct inner_ends *inner,
                      struct cell_error *error)
{
  int ends[2];

  if (open_pipe(process, ends, error) < 0)
    return -1;
  inner->fds[inner->count++] = ends[0];
  return cell_input_open(&process->input, process->reactor, ends[1], error);
}

static int open_wire(struct cell_process *process, struct inner_ends *inner,
                     struct cell_error *error)
{
  int to_kernel[2], from_kernel[2];

  if (open_pipe(process, to_kernel, error) < 0)
    return -1;
  inner->fds[inner->count++] = to_kernel[0];
  if (open_pipe(process, from_kernel, error) < 0) {
    cell_fd_close(&to_kernel[1]);
    return -1;
  }
  inner->fds[inner->count++] = from_kernel[1];
  return cell_wire_open(&process->wire, process->reactor, from_kernel[0],
                        to_kernel[1], error);
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

static int ask(struct cell_process *process,
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
  cell_pack_u32(&packer, (piped ? CELL_SPAWN_STDIN : 0u) |
                           (options->is_session ? CELL_SPAWN_FORK : 0u));
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

int cell_spawn_ask(struct cell_process *process,
                   const struct cell_process_options *options,
                   struct cell_error *error)
{
  struct inner_ends inner = {{-1, -1, -1, -1, -1}, 0};
  int result = open_ends(process, options, &inner, error);
  size_t i;

  if (result == 0)
    result = ask(process, options, &inner, error);
  for (i = 0; i < inner.count; i++)
    cell_fd_close(&inner.fds[i]);
  return result;
}
