/* stream.c -- see stream.h.
**
** Every byte that came is kept in the head until that is full, from then on in
** the tail, a ring. So the last tail_limit bytes are always there, and a reader
** at position p finds its bytes in the head, in the ring, or dropped.
*/
#include "stream.h"

#include "../bytes/utf8.h"
#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define LIMIT_MIN 16u /* room for the rest of a character in either half */
#define FIRST_SIZE 4096u
#define EVENT_BYTES 131072u /* read for one event */
#define MASKED_BLOCK 16384u /* read at once from one that is masked */

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

/* ---- keeping ---- */

/* A larger buffer, or the old one and its size as the limit from now on. */
static void grow(struct cell_stream *stream, unsigned char **bytes,
                 size_t *size, size_t *limit)
{
  size_t wanted = smaller(*size > 0 ? *size * 4 : FIRST_SIZE, *limit);
  unsigned char *larger = realloc(*bytes, wanted);

  if (larger == NULL) {
    stream->failed = 1;
    *limit = *size;
    return;
  }
  *bytes = larger;
  *size = wanted;
}

/* Where the next bytes go: at most two pieces, CELL_STREAM_BLOCK in all.
** Returns how many; none when no memory could be had.
*/
static int reserve(struct cell_stream *stream, struct iovec pieces[2])
{
  size_t at, room, first;

  if (stream->head_used == stream->head_size &&
      stream->head_size < stream->head_limit)
    grow(stream, &stream->head, &stream->head_size, &stream->head_limit);
  if (stream->head_used < stream->head_size) {
    pieces[0].iov_base = stream->head + stream->head_used;
    pieces[0].iov_len = stream->head_size - stream->head_used;
    return 1;
  }
  /* While it grows the ring begins at 0, so its bytes may be moved. */
  if (stream->tail_used == stream->tail_size &&
      stream->tail_size < stream->tail_limit)
    grow(stream, &stream->tail, &stream->tail_size, &stream->tail_limit);
  if (stream->tail_size == 0)
    return 0;
  if (stream->tail_size < stream->tail_limit) {
    pieces[0].iov_base = stream->tail + stream->tail_used;
    pieces[0].iov_len = stream->tail_size - stream->tail_used;
    return 1;
  }
  at = (stream->tail_start + stream->tail_used) % stream->tail_size;
  room = smaller(stream->tail_size, CELL_STREAM_BLOCK);
  first = smaller(room, stream->tail_size - at);
  pieces[0].iov_base = stream->tail + at;
  pieces[0].iov_len = first;
  pieces[1].iov_base = stream->tail;
  pieces[1].iov_len = room - first;
  return pieces[1].iov_len > 0 ? 2 : 1;
}

/* `count` bytes were put where reserve said. */
static void commit(struct cell_stream *stream, size_t count)
{
  size_t overwritten;

  stream->total += count;
  if (stream->head_used < stream->head_size) {
    stream->head_used += count;
    return;
  }
  if (stream->tail_size == 0)
    return;
  stream->tail_used += count;
  if (stream->tail_used > stream->tail_size) {
    overwritten = stream->tail_used - stream->tail_size;
    stream->tail_start = (stream->tail_start + overwritten) % stream->tail_size;
    stream->tail_used = stream->tail_size;
  }
}

/* Keep bytes that were read into a reader's buffer. */
static void keep(struct cell_stream *stream, const unsigned char *bytes,
                 size_t length)
{
  while (length > 0) {
    struct iovec pieces[2];
    int count = reserve(stream, pieces);
    size_t done = 0;
    int i;

    for (i = 0; i < count && done < length; i++) {
      size_t part = smaller(pieces[i].iov_len, length - done);

      memcpy(pieces[i].iov_base, bytes + done, part);
      done += part;
    }
    if (count == 0)
      done = length; /* counted only */
    commit(stream, done);
    bytes += done;
    length -= done;
  }
}

/* ---- reading ---- */

static uint64_t unread(const struct cell_stream *stream)
{
  return stream->total - stream->position;
}

/* How many bytes may be read without dropping one that a held reader wants. */
static size_t allowed(const struct cell_stream *stream)
{
  size_t most = smaller(CELL_STREAM_BLOCK, stream->tail_limit);

  if (!stream->held)
    return SIZE_MAX;
  return unread(stream) < most ? most - (size_t)unread(stream) : 0;
}

static void adjust(struct cell_stream *stream)
{
  if (stream->fd >= 0)
    cell_source_want(stream->reactor, &stream->source,
                     allowed(stream) > 0 ? EPOLLIN : 0);
}

/* What a mask has kept back is no secret. */
static void let_out(struct cell_stream *stream)
{
  if (stream->masking != NULL)
    keep(stream, stream->block,
         cell_masking_end(stream->masking, stream->block));
}

static void end(struct cell_stream *stream)
{
  cell_source_remove(stream->reactor, &stream->source);
  cell_fd_close(&stream->fd);
  let_out(stream);
}

/* What read says: bytes; 0 when there is nothing now, or nothing any more. */
static size_t outcome(struct cell_stream *stream, long count)
{
  if (count > 0)
    return (size_t)count;
  /* A terminal says EIO when its last user has gone. */
  if (count == 0 || (errno != EAGAIN && errno != EINTR))
    end(stream);
  return 0;
}

static void shorten(struct iovec pieces[2], int *count, size_t most)
{
  if (pieces[0].iov_len >= most) {
    pieces[0].iov_len = most;
    *count = 1;
  } else if (*count == 2) {
    pieces[1].iov_len = smaller(pieces[1].iov_len, most - pieces[0].iov_len);
  }
}

/* As cell_stream_drain. What was read lies behind where it is written to. */
static int drain_masked(struct cell_stream *stream, size_t most)
{
  uint64_t total = stream->total;
  unsigned char *from = stream->block + stream->room;

  while (most > 0 && stream->fd >= 0) {
    size_t asked = smaller(smaller(most, allowed(stream)), MASKED_BLOCK);
    size_t got;

    if (asked == 0)
      break;
    got = outcome(stream, read(stream->fd, from, asked));
    keep(stream, stream->block,
         cell_masking_feed(stream->masking, from, got, stream->block));
    most -= got;
    if (got < asked)
      break;
  }
  adjust(stream);
  return stream->total > total;
}

int cell_stream_drain(struct cell_stream *stream, size_t most)
{
  unsigned char dropped[1024];
  int came = 0;

  if (stream->masking != NULL)
    return drain_masked(stream, most);

  while (most > 0 && stream->fd >= 0) {
    size_t bound = smaller(most, allowed(stream));
    struct iovec pieces[2];
    int count;
    size_t asked, got;

    if (bound == 0)
      break;
    count = reserve(stream, pieces);
    if (count == 0) {
      pieces[0] = (struct iovec){dropped, sizeof dropped};
      count = 1;
    }
    shorten(pieces, &count, bound);
    asked = pieces[0].iov_len + (count == 2 ? pieces[1].iov_len : 0);
    got = outcome(stream, readv(stream->fd, pieces, count));
    commit(stream, got);
    most -= got;
    came |= got > 0;
    if (got < asked)
      break; /* the pipe is empty: save the call that would say so */
  }
  adjust(stream);
  return came;
}

static void ready(struct cell_source *source, uint32_t events)
{
  struct cell_stream *stream =
    CELL_CONTAINER(source, struct cell_stream, source);
  int came = cell_stream_drain(stream, EVENT_BYTES);

  (void)events;
  if ((came || stream->fd < 0) && stream->news != NULL)
    stream->news(stream); /* may close the stream: nothing after this */
}

static void forget_mask(struct cell_stream *stream)
{
  cell_masking_close(stream->masking);
  free(stream->block);
  stream->masking = NULL;
  stream->block = NULL;
}

int cell_stream_open(struct cell_stream *stream, struct cell_reactor *reactor,
                     int fd, size_t limit, struct cell_error *error)
{
  void (*news)(struct cell_stream *) = stream->news;
  void *owner = stream->owner;
  struct cell_masking *masking = stream->masking;
  unsigned char *block = stream->block;
  size_t room = stream->room;
  int held = stream->held;

  if (limit < LIMIT_MIN)
    limit = LIMIT_MIN;
  *stream = (struct cell_stream){0};
  stream->news = news;
  stream->owner = owner;
  stream->held = held;
  stream->masking = masking;
  stream->block = block;
  stream->room = room;
  stream->reactor = reactor;
  stream->fd = fd;
  stream->head_limit = limit / 2;
  stream->tail_limit = limit - limit / 2;
  stream->source.fd = fd;
  stream->source.events = EPOLLIN;
  stream->source.ready = ready;
  if (cell_fd_nonblocking(fd) < 0) {
    cell_fail(error, CELL_SYSTEM, errno, "open a stream");
    cell_fd_close(&stream->fd);
    return -1;
  }
  if (cell_source_add(reactor, &stream->source, error) < 0) {
    cell_fd_close(&stream->fd);
    return -1;
  }
  return 0;
}

int cell_stream_mask(struct cell_stream *stream, struct cell_mask *mask,
                     struct cell_error *error)
{
  struct cell_masking *masking = cell_masking_open(mask);
  size_t room = cell_mask_room(mask, MASKED_BLOCK);
  unsigned char *block = malloc(room + MASKED_BLOCK);

  if (masking == NULL || block == NULL) {
    cell_masking_close(masking);
    free(block);
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "mask a stream");
  }
  forget_mask(stream);
  stream->masking = masking;
  stream->block = block;
  stream->room = room;
  return 0;
}

void cell_stream_close(struct cell_stream *stream)
{
  forget_mask(stream);
  if (stream->reactor == NULL)
    return;
  end(stream);
  free(stream->head);
  free(stream->tail);
  *stream = (struct cell_stream){0};
  stream->fd = -1;
}

void cell_stream_hold(struct cell_stream *stream, int held)
{
  stream->held = held;
  adjust(stream);
}

int cell_stream_ended(const struct cell_stream *stream)
{
  return stream->fd < 0 && !stream->awaited;
}

void cell_stream_await(struct cell_stream *stream)
{
  stream->fd = -1;
  stream->awaited = 1;
}

void cell_stream_restart(struct cell_stream *stream)
{
  let_out(stream); /* to be forgotten with the rest */
  stream->head_used = stream->tail_used = stream->tail_start = 0;
  stream->total = stream->position = 0;
  adjust(stream);
}

/* ---- the reader ---- */

/* Copy kept bytes from the position on; moves the position past dropped ones.
 */
static size_t copy_kept(struct cell_stream *stream, unsigned char *buffer,
                        size_t size, uint64_t *skipped)
{
  uint64_t tail_from = stream->total - stream->tail_used;
  size_t copied = 0;

  if (stream->position < stream->head_used) {
    copied = smaller(size, stream->head_used - (size_t)stream->position);
    memcpy(buffer, stream->head + stream->position, copied);
    stream->position += copied;
    if (copied == size || tail_from > stream->position)
      return copied; /* what follows the gap is for the next call */
  }
  if (stream->position < tail_from) {
    *skipped = tail_from - stream->position;
    stream->position = tail_from;
  }
  while (copied < size && stream->position < stream->total) {
    size_t at = (stream->tail_start + (size_t)(stream->position - tail_from)) %
                stream->tail_size;
    size_t part = smaller(size - copied, stream->tail_size - at);

    part = smaller(part, (size_t)unread(stream));
    memcpy(buffer + copied, stream->tail + at, part);
    stream->position += part;
    copied += part;
  }
  return copied;
}

static size_t read_directly(struct cell_stream *stream, unsigned char *buffer,
                            size_t size)
{
  size_t got = outcome(stream, read(stream->fd, buffer, size));

  keep(stream, buffer, got);
  stream->position = stream->total;
  return got;
}

/* The next bytes for a reader who has read all that is kept. */
static size_t read_more(struct cell_stream *stream, unsigned char *buffer,
                        size_t size, uint64_t *skipped)
{
  if (stream->masking == NULL)
    return read_directly(stream, buffer, size);
  cell_stream_drain(stream, size);
  return copy_kept(stream, buffer, size, skipped);
}

size_t cell_stream_there(const struct cell_stream *stream)
{
  int there = 0;

  if (unread(stream) > 0)
    return (size_t)unread(stream);
  if (stream->fd >= 0 && ioctl(stream->fd, FIONREAD, &there) == 0 && there > 0)
    return (size_t)there;
  return 0;
}

size_t cell_stream_read(struct cell_stream *stream, void *buffer, size_t size,
                        int text, int *end_of_file, uint64_t *skipped)
{
  size_t count = 0;
  int final;

  *skipped = 0;
  if (size > 0 && unread(stream) > 0)
    count = copy_kept(stream, buffer, size, skipped);
  else if (size > 0 && stream->fd >= 0)
    count = read_more(stream, buffer, size, skipped);
  /* Short of what was asked: known bytes end here, for ever or at a gap. */
  final = count < size && (unread(stream) > 0 || stream->fd < 0);
  if (text && count > 0 && !final) {
    size_t whole = cell_utf8_prefix(buffer, count);

    /* A buffer that is smaller than one character gets its bytes. */
    if (whole > 0 || count < size) {
      stream->position -= count - whole;
      count = whole;
    }
  }
  *end_of_file =
    count == 0 && size > 0 && cell_stream_ended(stream) && unread(stream) == 0;
  adjust(stream);
  return count;
}

static void reverse(unsigned char *bytes, size_t from, size_t to)
{
  while (from + 1 < to) {
    unsigned char byte = bytes[from];

    bytes[from++] = bytes[--to];
    bytes[to] = byte;
  }
}

/* Turn the ring so that it begins at 0. */
static void straighten(struct cell_stream *stream)
{
  if (stream->tail_start == 0)
    return;
  reverse(stream->tail, 0, stream->tail_start);
  reverse(stream->tail, stream->tail_start, stream->tail_size);
  reverse(stream->tail, 0, stream->tail_size);
  stream->tail_start = 0;
}

void cell_stream_kept(struct cell_stream *stream, const unsigned char **head,
                      size_t *head_length, const unsigned char **tail,
                      size_t *tail_length, uint64_t *total)
{
  size_t cut;

  let_out(stream);
  straighten(stream);
  *head = stream->head != NULL ? stream->head : (const unsigned char *)"";
  *head_length = stream->head_used;
  *tail = stream->tail != NULL ? stream->tail : (const unsigned char *)"";
  *tail_length = stream->tail_used;
  *total = stream->total;
  if (*total == *head_length + *tail_length)
    return;
  *head_length = cell_utf8_prefix(*head, *head_length);
  cut = cell_utf8_suffix(*tail, *tail_length);
  *tail += cut;
  *tail_length -= cut;
}
