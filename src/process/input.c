/* input.c -- see input.h. */
#include "input.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

static void stop(struct cell_input *input)
{
  cell_source_remove(input->reactor, &input->source);
  cell_fd_close(&input->fd);
  free(input->queue);
  input->queue = NULL;
  input->used = input->start = 0;
}

/* 0 when the descriptor takes no more now; -1 when it never will. */
static long write_some(struct cell_input *input, const unsigned char *bytes,
                       size_t length)
{
  long written = cell_fd_write(input->fd, bytes, length);

  if (written >= 0)
    return written;
  if (errno == EAGAIN)
    return 0;
  input->failed = errno;
  stop(input);
  return -1;
}

static void flush(struct cell_input *input)
{
  while (input->used > 0) {
    size_t part = smaller(CELL_INPUT_QUEUE - input->start, input->used);
    long written = write_some(input, input->queue + input->start, part);

    if (written < 0)
      return;
    if (written == 0)
      break;
    input->start = (input->start + (size_t)written) % CELL_INPUT_QUEUE;
    input->used -= (size_t)written;
  }
  if (input->used == 0 && input->closing)
    stop(input);
  else
    cell_source_want(input->reactor, &input->source,
                     input->used > 0 ? EPOLLOUT : 0);
}

static void ready(struct cell_source *source, uint32_t events)
{
  struct cell_input *input = CELL_CONTAINER(source, struct cell_input, source);

  (void)events; /* an error too shows at the write */
  flush(input);
  input->news(input);
}

int cell_input_open(struct cell_input *input, struct cell_reactor *reactor,
                    int fd, struct cell_error *error)
{
  input->reactor = reactor;
  input->fd = fd;
  input->source = (struct cell_source){fd, 0, ready, 0};
  if (cell_fd_nonblocking(fd) < 0) {
    cell_fail(error, CELL_SYSTEM, errno, "open the standard input");
    cell_fd_close(&input->fd);
    return -1;
  }
  if (cell_source_add(reactor, &input->source, error) < 0) {
    cell_fd_close(&input->fd);
    return -1;
  }
  return 0;
}

void cell_input_close(struct cell_input *input)
{
  if (input->reactor != NULL)
    stop(input);
}

void cell_input_end(struct cell_input *input)
{
  if (input->reactor == NULL || input->fd < 0)
    return;
  input->failed = EPIPE;
  stop(input);
}

static size_t enqueue(struct cell_input *input, const unsigned char *bytes,
                      size_t length)
{
  size_t taken = 0;

  if (input->queue == NULL)
    input->queue = malloc(CELL_INPUT_QUEUE);
  while (input->queue != NULL && taken < length &&
         input->used < CELL_INPUT_QUEUE) {
    size_t at = (input->start + input->used) % CELL_INPUT_QUEUE;
    size_t part = smaller(CELL_INPUT_QUEUE - at, length - taken);

    part = smaller(part, CELL_INPUT_QUEUE - input->used);
    memcpy(input->queue + at, bytes + taken, part);
    input->used += part;
    taken += part;
  }
  return taken;
}

static long fail_unread(const struct cell_input *input,
                        struct cell_error *error)
{
  return cell_fail(error, CELL_SYSTEM, input->failed,
                   "write: the program does not read any more");
}

long cell_input_write(struct cell_input *input, const void *bytes,
                      size_t length, struct cell_error *error)
{
  size_t taken = 0;

  if (input->failed != 0)
    return fail_unread(input, error);
  if (input->reactor == NULL || input->fd < 0 || input->closing)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "write: the standard input is closed");
  if (!cell_reactor_owned(input->reactor))
    return cell_fail(error, CELL_CANCELLED, 0,
                     "a forked copy of the host cannot write");
  while (input->used == 0 && taken < length) {
    long written =
      write_some(input, (const unsigned char *)bytes + taken, length - taken);

    if (written < 0)
      return fail_unread(input, error);
    if (written == 0)
      break;
    taken += (size_t)written;
  }
  taken += enqueue(input, (const unsigned char *)bytes + taken, length - taken);
  cell_source_want(input->reactor, &input->source,
                   input->used > 0 ? EPOLLOUT : 0);
  return (long)taken;
}

void cell_input_finish(struct cell_input *input)
{
  if (input->reactor == NULL || input->fd < 0)
    return;
  input->closing = 1;
  if (input->used == 0)
    stop(input);
}
