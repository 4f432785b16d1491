/* bridge.c -- see bridge.h. */
#include "bridge.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TURN_MAX (256u << 10) /* bytes of a side in a turn, then others' */

void cell_socket_reset(int fd)
{
  struct linger linger = {1, 0};

  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static struct cell_bridge_side *other(struct cell_bridge_side *side)
{
  return side == &side->bridge->sides[0] ? &side->bridge->sides[1]
                                         : &side->bridge->sides[0];
}

static void drop_kept(struct cell_bridge_side *side)
{
  free(side->kept);
  side->kept = NULL;
  side->kept_from = side->kept_size = 0;
}

static void side_close(struct cell_bridge *bridge,
                       struct cell_bridge_side *side)
{
  cell_source_remove(bridge->reactor, &side->source);
  cell_fd_close(&side->fd);
  drop_kept(side);
}

void cell_bridge_close(struct cell_bridge *bridge)
{
  if (bridge->reactor == NULL)
    return;
  side_close(bridge, &bridge->sides[0]);
  side_close(bridge, &bridge->sides[1]);
}

static void finish(struct cell_bridge *bridge)
{
  cell_bridge_close(bridge);
  bridge->done(bridge);
}

static void reset(struct cell_bridge *bridge)
{
  cell_socket_reset(bridge->sides[0].fd);
  cell_socket_reset(bridge->sides[1].fd);
  finish(bridge);
}

/* ---- from one side to the other ---- */

/* Send as much as is taken. Bytes sent, or -1 for an error. */
static long push(struct cell_bridge_side *from, const unsigned char *bytes,
                 size_t size)
{
  struct cell_bridge *bridge = from->bridge;
  size_t sent = 0;
  ssize_t count;

  while (sent < size) {
    count = send(other(from)->fd, bytes + sent, size - sent,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0 && errno != EAGAIN)
      return -1;
    if (count <= 0)
      break;
    sent += (size_t)count;
  }
  from->copied += sent;
  if (sent > 0 && bridge->counted != NULL &&
      !bridge->counted(bridge, from != &bridge->sides[0], sent))
    return -1;
  return (long)sent;
}

/* Keep bytes after those that are kept already. */
static int keep(struct cell_bridge_side *side, const unsigned char *bytes,
                size_t size)
{
  size_t held = side->kept_size - side->kept_from;
  unsigned char *kept;

  if (held > CELL_BRIDGE_KEPT_MAX || size > CELL_BRIDGE_KEPT_MAX - held)
    return -1;
  kept = malloc(held + size);
  if (kept == NULL)
    return -1;
  if (held > 0)
    memcpy(kept, side->kept + side->kept_from, held);
  memcpy(kept + held, bytes, size);
  drop_kept(side);
  side->kept = kept;
  side->kept_size = held + size;
  return 0;
}

/* 1: nothing is kept any more. 0: some is. -1: an error. */
static int flush(struct cell_bridge_side *from)
{
  long sent;

  if (from->kept == NULL)
    return 1;
  sent =
    push(from, from->kept + from->kept_from, from->kept_size - from->kept_from);
  if (sent < 0)
    return -1;
  from->kept_from += (size_t)sent;
  if (from->kept_from < from->kept_size)
    return 0;
  drop_kept(from);
  return 1;
}

/* What comes from here is an answer, with which all ends. */
static int is_answer(const struct cell_bridge_side *side)
{
  return side->bridge->answered != NULL && side == &side->bridge->sides[1];
}

static int is_over(const struct cell_bridge *bridge)
{
  return bridge->answered != NULL && bridge->sides[1].ended;
}

/* Read once into the scratch: bytes, 0: nothing now or the end, -1: error. */
static long pull(struct cell_bridge_side *from, unsigned char **bytes,
                 size_t most)
{
  size_t size;
  ssize_t count;

  *bytes = cell_reactor_scratch(from->bridge->reactor, &size);
  if (size > most)
    size = most;
  do
    count = recv(from->fd, *bytes, size, MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  if (count == 0)
    from->ended = 1;
  if (count < 0 && errno == ECONNRESET && is_answer(from)) {
    from->ended = 1; /* it has left bytes unread, after its answer */
    return 0;
  }
  if (count < 0)
    return errno == EAGAIN ? 0 : -1;
  return (long)count;
}

static int is_gated(const struct cell_bridge_side *side)
{
  return side->bridge->gate != NULL && side == &side->bridge->sides[0];
}

/* 0: the gate has spoken and the bridge is gone. 1: go on. -1: error. */
static int ask_gate(struct cell_bridge_side *from)
{
  struct cell_bridge *bridge = from->bridge;
  unsigned char *bytes;
  size_t held = from->kept_size - from->kept_from;
  size_t room = CELL_BRIDGE_KEPT_MAX - held;
  long count = from->ended || room == 0 ? 0 : pull(from, &bytes, room);

  if (count < 0 || (count > 0 && keep(from, bytes, (size_t)count) < 0))
    return -1;
  held = from->kept_size - from->kept_from;
  if (count == 0 && held == 0 && !from->ended)
    return 1;
  switch (bridge->gate(bridge, held > 0 ? from->kept + from->kept_from : NULL,
                       held, from->ended)) {
  case CELL_GATE_OPEN:
    bridge->gate = NULL;
    return 1;
  case CELL_GATE_PASS:
    return flush(from) > 0 ? 1 : -1;
  case CELL_GATE_WAIT:
    return held < CELL_BRIDGE_KEPT_MAX && !from->ended ? 1 : -1;
  default:
    return 0;
  }
}

/* 1: go on. -1: an error. */
static int copy(struct cell_bridge_side *from)
{
  size_t total = 0;
  int flushed = flush(from);

  while (flushed > 0 && !from->ended && total < TURN_MAX) {
    unsigned char *bytes;
    long count = pull(from, &bytes, CELL_BRIDGE_KEPT_MAX);
    long sent;

    if (count < 0)
      return -1;
    if (count == 0)
      break;
    if (from->bridge->heard != NULL && from == &from->bridge->sides[1])
      from->bridge->heard(from->bridge, bytes, (size_t)count);
    sent = push(from, bytes, (size_t)count);
    if (sent < 0 ||
        (sent < count && keep(from, bytes + sent, (size_t)(count - sent)) < 0))
      return -1;
    total += (size_t)count;
    flushed = sent == count;
    if (count < (long)CELL_BRIDGE_KEPT_MAX)
      break; /* that was all */
  }
  if (flushed < 0)
    return -1;
  if (flushed > 0 && from->ended && !from->passed) {
    from->passed = 1;
    shutdown(other(from)->fd, SHUT_WR);
  }
  return 1;
}

static uint32_t wanted(struct cell_bridge_side *side)
{
  uint32_t events = 0;

  if (!side->ended && (side->kept == NULL || is_gated(side)))
    events |= EPOLLIN;
  if (other(side)->kept != NULL && !is_gated(other(side)))
    events |= EPOLLOUT;
  return events;
}

/* Copy from a side; 0: the bridge is gone. */
static int move(struct cell_bridge_side *from)
{
  int result = 1;

  if (is_gated(from))
    result = ask_gate(from);
  if (result > 0 && !is_gated(from))
    result = copy(from);
  if (result < 0)
    reset(from->bridge);
  return result > 0;
}

/* Only what is kept of the answer still has to go. */
static void end_answer(struct cell_bridge *bridge)
{
  if (bridge->sides[1].passed) {
    bridge->answered(bridge);
    return;
  }
  cell_source_remove(bridge->reactor, &bridge->sides[1].source);
  drop_kept(&bridge->sides[0]);
  if (cell_source_want(bridge->reactor, &bridge->sides[0].source, EPOLLOUT) < 0)
    reset(bridge);
}

static void settle(struct cell_bridge *bridge)
{
  int i;

  if (is_over(bridge)) {
    end_answer(bridge);
    return;
  }

  if (bridge->sides[0].passed && bridge->sides[1].passed) {
    finish(bridge);
    return;
  }
  for (i = 0; i < 2; i++) {
    struct cell_bridge_side *side = &bridge->sides[i];

    if (cell_source_want(bridge->reactor, &side->source, wanted(side)) < 0) {
      reset(bridge);
      return;
    }
  }
}

void cell_bridge_turn(struct cell_bridge *bridge)
{
  if (move(&bridge->sides[0]) && move(&bridge->sides[1]))
    settle(bridge);
}

static void ready(struct cell_source *source, uint32_t events)
{
  struct cell_bridge_side *side =
    CELL_CONTAINER(source, struct cell_bridge_side, source);
  struct cell_bridge *bridge = side->bridge;
  int broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  int had_ended = side->ended;

  if (is_over(bridge)) {
    if (move(&bridge->sides[1]))
      settle(bridge);
    return;
  }
  if ((broken || (events & EPOLLIN)) && !move(side))
    return;
  if (!is_over(bridge) && (broken || (events & EPOLLOUT)) && !move(other(side)))
    return;
  /* Not read any more, and gone all the same. */
  if ((events & EPOLLERR) && had_ended) {
    reset(bridge);
    return;
  }
  settle(bridge);
}

int cell_bridge_open(struct cell_bridge *bridge, struct cell_reactor *reactor,
                     int fds[2], struct cell_error *error)
{
  int on = 1, i;

  bridge->reactor = reactor;
  for (i = 0; i < 2; i++) {
    struct cell_bridge_side *side = &bridge->sides[i];

    side->bridge = bridge;
    side->fd = cell_fd_take(&fds[i]);
    setsockopt(side->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    side->source = (struct cell_source){side->fd, EPOLLIN, ready, 0};
  }
  for (i = 0; i < 2; i++) {
    if (cell_source_add(reactor, &bridge->sides[i].source, error) < 0) {
      cell_bridge_close(bridge);
      return -1;
    }
  }
  return 0;
}

int cell_bridge_give(struct cell_bridge *bridge, int side, const void *bytes,
                     size_t size)
{
  return size > 0 ? keep(&bridge->sides[side], bytes, size) : 0;
}

void cell_bridge_replace(struct cell_bridge *bridge, int side,
                         unsigned char *bytes, size_t size)
{
  drop_kept(&bridge->sides[side]);
  bridge->sides[side].kept = bytes;
  bridge->sides[side].kept_size = size;
}

int cell_bridge_take(struct cell_bridge *bridge, int side)
{
  struct cell_bridge_side *taken = &bridge->sides[side];
  int fd;

  cell_source_remove(bridge->reactor, &taken->source);
  fd = cell_fd_take(&taken->fd);
  cell_bridge_close(bridge);
  return fd;
}
