/* wire.c -- see wire.h. */
#include "wire.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BLOCK 65536u
#define BLOCKS 16 /* read in a row, so that others have their turn */
#define FIRST_SIZE 4096u
#define OUT_MAX (CELL_KERNEL_FRAME_MAX + 1048576u) /* bytes that may wait */
#define KEPT_MAX 262144u /* a larger buffer is given back when empty */

/* ---- buffers ---- */

static void buffer_clear(struct cell_wire_buffer *buffer)
{
  free(buffer->bytes);
  *buffer = (struct cell_wire_buffer){NULL, 0, 0, 0};
}

static void buffer_drop(struct cell_wire_buffer *buffer, size_t count)
{
  buffer->start += count;
  buffer->used -= count;
  if (buffer->used > 0)
    return;
  buffer->start = 0;
  if (buffer->size > KEPT_MAX)
    buffer_clear(buffer);
}

/* Room for at least `count` more bytes behind those that wait. */
static int buffer_reserve(struct cell_wire_buffer *buffer, size_t count)
{
  size_t size = buffer->size > 0 ? buffer->size : FIRST_SIZE;
  unsigned char *bytes;

  if (buffer->start + buffer->used + count <= buffer->size)
    return 0;
  if (buffer->start > 0 && buffer->used > 0)
    memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->used);
  buffer->start = 0;
  while (size < buffer->used + count)
    size *= 2;
  if (size == buffer->size)
    return 0;
  bytes = realloc(buffer->bytes, size);
  if (bytes == NULL)
    return -1;
  buffer->bytes = bytes;
  buffer->size = size;
  return 0;
}

/* ---- the descriptors ---- */

static void want(struct cell_wire *wire, uint32_t in)
{
  cell_source_want(wire->reactor, &wire->source, in);
  cell_source_want(wire->reactor, &wire->sink,
                   wire->out.used > 0 ? EPOLLOUT : 0u);
}

static void stop(struct cell_wire *wire)
{
  cell_source_remove(wire->reactor, &wire->source);
  cell_source_remove(wire->reactor, &wire->sink);
  cell_fd_close(&wire->reader);
  cell_fd_close(&wire->writer);
}

static long parse(const struct cell_wire *wire, struct cell_frame *frame)
{
  if (wire->in.used == 0)
    return 0;
  return cell_frame_parse(wire->in.bytes + wire->in.start, wire->in.used,
                          CELL_KERNEL_FRAME_MAX, frame);
}

/* How much to ask for next: little at first, then as much as has come. */
static size_t read_size(const struct cell_wire *wire)
{
  if (wire->in.used < FIRST_SIZE)
    return FIRST_SIZE;
  return wire->in.used < BLOCK ? wire->in.used : BLOCK;
}

/* 1: bytes came. 0: none now. -1: the end. */
static int read_some(struct cell_wire *wire)
{
  size_t size = read_size(wire);
  long got;

  if (buffer_reserve(&wire->in, size) < 0)
    return -1;
  got =
    read(wire->reader, wire->in.bytes + wire->in.start + wire->in.used, size);
  if (got > 0) {
    wire->in.used += (size_t)got;
    return (size_t)got == size ? 1 : 0;
  }
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Read until there is a whole frame. As cell_frame_parse; the end of the wire
** closes it.
*/
static long advance(struct cell_wire *wire, struct cell_frame *frame)
{
  long whole = parse(wire, frame);
  int blocks;

  for (blocks = 0; whole == 0 && wire->reader >= 0 && blocks < BLOCKS;
       blocks++) {
    int more = read_some(wire);

    if (more < 0)
      stop(wire);
    whole = parse(wire, frame);
    if (more <= 0)
      break;
  }
  if (whole < 0) {
    wire->broken = 1;
    stop(wire);
  }
  return whole;
}

static void drop_taken(struct cell_wire *wire)
{
  if (wire->taken == 0)
    return;
  buffer_drop(&wire->in, wire->taken);
  wire->taken = 0;
}

/* -1: nobody reads any more, and what was to be sent is dropped. */
static int flush(struct cell_wire *wire)
{
  while (wire->out.used > 0) {
    long sent = cell_fd_write(wire->writer, wire->out.bytes + wire->out.start,
                              wire->out.used);

    if (sent < 0 && errno == EAGAIN)
      break;
    if (sent < 0) {
      buffer_drop(&wire->out, wire->out.used);
      return -1;
    }
    buffer_drop(&wire->out, (size_t)sent);
  }
  return 0;
}

static void readable(struct cell_source *source, uint32_t events)
{
  struct cell_wire *wire = CELL_CONTAINER(source, struct cell_wire, source);
  struct cell_frame frame;

  (void)events; /* an error shows at the read */
  /* A frame that is in use must not move, and one that waits is enough. Silent
  ** only now, not when it came: most are taken before more comes. */
  if (wire->taken > 0 || parse(wire, &frame) > 0)
    want(wire, 0);
  else if (advance(wire, &frame) == 0 && wire->reader >= 0)
    return;
  wire->news(wire);
}

/* The pipe to the kernel takes more, or nobody reads it any more. */
static void writable(struct cell_source *sink, uint32_t events)
{
  struct cell_wire *wire = CELL_CONTAINER(sink, struct cell_wire, sink);

  (void)events; /* an error shows at the write */
  flush(wire);
  want(wire, wire->source.events);
}

int cell_wire_open(struct cell_wire *wire, struct cell_reactor *reactor,
                   int reader, int writer, struct cell_error *error)
{
  wire->reactor = reactor;
  wire->reader = reader;
  wire->writer = writer;
  wire->source = (struct cell_source){reader, EPOLLIN, readable, 0};
  wire->sink = (struct cell_source){writer, 0, writable, 0};
  if (cell_fd_nonblocking(reader) < 0 || cell_fd_nonblocking(writer) < 0)
    cell_fail(error, CELL_SYSTEM, errno, "open the wire of a kernel");
  else if (cell_source_add(reactor, &wire->source, error) == 0 &&
           cell_source_add(reactor, &wire->sink, error) == 0)
    return 0;
  stop(wire);
  return -1;
}

void cell_wire_close(struct cell_wire *wire)
{
  if (wire->reactor == NULL)
    return;
  stop(wire);
  buffer_clear(&wire->in);
  buffer_clear(&wire->out);
  wire->taken = 0;
}

static int fail_closed(const struct cell_wire *wire, struct cell_error *error)
{
  if (wire->broken)
    return cell_fail(error, CELL_PROTOCOL, 0,
                     "the kernel sent a frame of more than %u bytes",
                     CELL_KERNEL_FRAME_MAX);
  return cell_fail(error, CELL_UNAVAILABLE, 0, "the kernel has ended");
}

/* Room is reserved before. */
static void queue(struct cell_wire *wire, const void *bytes, size_t length)
{
  struct cell_wire_buffer *out = &wire->out;

  memcpy(out->bytes + out->start + out->used, bytes, length);
  out->used += length;
}

int cell_wire_send(struct cell_wire *wire, uint32_t type, uint64_t request,
                   const void *payload, size_t length, struct cell_error *error)
{
  unsigned char header[CELL_FRAME_HEADER];

  if (wire->writer < 0)
    return fail_closed(wire, error);
  if (!cell_reactor_owned(wire->reactor))
    return cell_fail(error, CELL_CANCELLED, 0,
                     "a forked copy of the host cannot use its kernels");
  if (length > CELL_KERNEL_FRAME_MAX ||
      wire->out.used + length + sizeof header > OUT_MAX)
    return cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
                     "a kernel takes at most %u bytes at a time",
                     CELL_KERNEL_FRAME_MAX);
  if (buffer_reserve(&wire->out, sizeof header + length) < 0)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "send to a kernel");
  cell_frame_header(header, (uint32_t)length, type, request);
  queue(wire, header, sizeof header);
  if (length > 0)
    queue(wire, payload, length);
  if (flush(wire) < 0)
    return fail_closed(wire, error);
  want(wire, wire->source.events);
  return 0;
}

int cell_wire_receive(struct cell_wire *wire, struct cell_frame *frame,
                      struct cell_error *error)
{
  long whole;

  drop_taken(wire);
  whole = advance(wire, frame);
  if (whole > 0) {
    wire->taken = (size_t)whole;
    return 1;
  }
  if (wire->reader < 0)
    return fail_closed(wire, error);
  want(wire, EPOLLIN);
  return 0;
}
