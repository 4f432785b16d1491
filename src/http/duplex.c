/* duplex.c -- see duplex.h. */
#include "duplex.h"

#include "../container.h"
#include "server_library.h"

#include <errno.h>
#include <sys/epoll.h>

#define RECORD_MAX 16384u /* of TLS */

static void unwatch(struct cell_duplex *duplex)
{
  if (duplex->is_watched)
    cell_source_remove(duplex->reactor, &duplex->source);
  duplex->is_watched = 0;
}

static void end(struct cell_duplex *duplex)
{
  unwatch(duplex);
  cell_token_post(duplex->reactor, duplex->token);
  duplex->over(duplex);
}

static void fail(struct cell_duplex *duplex)
{
  duplex->is_broken = duplex->has_ended = 1;
  cell_queue_clear(&duplex->out);
  end(duplex);
}

/* For a whole record: what is left of one in the library may be lost. */
static int has_room(const struct cell_duplex *duplex)
{
  return CELL_SERVER_KEPT_MAX - duplex->in.size >= RECORD_MAX;
}

static uint32_t wanted(const struct cell_duplex *duplex)
{
  return (!duplex->has_ended && has_room(duplex) ? EPOLLIN : 0u) |
         (duplex->out.size > 0 ? EPOLLOUT : 0u);
}

static void look(struct cell_duplex *duplex)
{
  if (duplex->is_watched &&
      cell_source_want(duplex->reactor, &duplex->source, wanted(duplex)) < 0)
    fail(duplex);
}

/* Until there is no room, or nothing more: with TLS the socket does not tell of
** all that is there. 0: go on. -1: it has broken.
*/
static int pull(struct cell_duplex *duplex)
{
  size_t size, room;
  unsigned char *bytes = cell_reactor_scratch(duplex->reactor, &size);
  ssize_t count;

  while (!duplex->has_ended && has_room(duplex)) {
    room = CELL_SERVER_KEPT_MAX - duplex->in.size;
    count =
      duplex->library->receive(duplex->made, bytes, size < room ? size : room);
    if (count < 0)
      return errno == EAGAIN ? 0 : -1;
    duplex->has_ended = count == 0;
    cell_token_post(duplex->reactor, duplex->token);
    if (cell_queue_put(&duplex->in, bytes, (size_t)count,
                       CELL_SERVER_KEPT_MAX) < 0)
      return -1;
  }
  return 0;
}

static int push(struct cell_duplex *duplex)
{
  struct cell_queue *out = &duplex->out;
  ssize_t count;

  while (out->size > 0) {
    count =
      duplex->library->send(duplex->made, out->bytes + out->from, out->size);
    if (count < 0)
      return errno == EAGAIN ? 0 : -1;
    cell_queue_skip(out, (size_t)count);
    cell_token_post(duplex->reactor, duplex->token);
  }
  return 0;
}

static void ready(struct cell_source *source, uint32_t events)
{
  struct cell_duplex *duplex =
    CELL_CONTAINER(source, struct cell_duplex, source);
  int is_gone = (events & (EPOLLERR | EPOLLHUP)) != 0;
  int could_read = (wanted(duplex) & EPOLLIN) != 0;

  if (pull(duplex) < 0 || push(duplex) < 0 || (is_gone && !could_read))
    fail(duplex); /* told of a peer that is gone, although nobody asked */
  else if (duplex->is_finishing && duplex->out.size == 0)
    end(duplex);
  else
    look(duplex);
}

int cell_duplex_open(struct cell_duplex *duplex, struct cell_reactor *reactor,
                     int fd, uint32_t token, const void *early, size_t size)
{
  duplex->source = (struct cell_source){fd, EPOLLIN, ready, 0};
  duplex->reactor = reactor;
  duplex->token = token;
  if (cell_queue_put(&duplex->in, early, size, CELL_SERVER_KEPT_MAX) < 0 ||
      cell_source_add(reactor, &duplex->source, NULL) < 0) {
    duplex->is_broken = duplex->has_ended = 1;
    return -1;
  }
  duplex->is_watched = 1;
  cell_token_post(reactor, token);
  return 0;
}

size_t cell_duplex_read(struct cell_duplex *duplex, void *bytes, size_t size)
{
  int was_full = !has_room(duplex);
  size_t count = cell_queue_take(&duplex->in, bytes, size);

  if (was_full && duplex->is_watched && pull(duplex) < 0)
    fail(duplex);
  look(duplex);
  return count;
}

size_t cell_duplex_write(struct cell_duplex *duplex, const void *bytes,
                         size_t size)
{
  size_t room = CELL_SERVER_KEPT_MAX - duplex->out.size;

  if (!duplex->is_watched || duplex->is_finishing)
    return size;
  if (size > room)
    size = room;
  if (cell_queue_put(&duplex->out, bytes, size, CELL_SERVER_KEPT_MAX) < 0)
    return 0;
  if (push(duplex) < 0)
    fail(duplex);
  else
    look(duplex);
  return size;
}

void cell_duplex_finish(struct cell_duplex *duplex)
{
  if (!duplex->is_watched || duplex->is_finishing)
    return;
  duplex->is_finishing = 1;
  if (duplex->out.size == 0)
    end(duplex);
}

void cell_duplex_close(struct cell_duplex *duplex)
{
  if (duplex->reactor == NULL)
    return;
  unwatch(duplex);
  duplex->has_ended = 1;
  if (!duplex->is_finishing || duplex->out.size > 0)
    duplex->is_broken = 1;
  cell_queue_clear(&duplex->in);
  cell_queue_clear(&duplex->out);
}
