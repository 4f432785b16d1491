/* channel.c -- see channel.h. */
#include "channel.h"

#include "../container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define QUEUED_MAX 256u           /* messages, and */
#define QUEUED_BYTES_MAX 4194304u /* bytes that may wait */
#define MESSAGES_AN_EVENT 16
#define MESSAGES_A_DRAIN 1024 /* more than a socket buffer holds */

struct cell_outgoing {
  struct cell_outgoing *next;
  unsigned char header[CELL_FRAME_HEADER];
  int fds[CELL_FDS_MAX]; /* owned copies */
  size_t fd_count;
  size_t length;
  unsigned char payload[];
};

static void outgoing_free(struct cell_outgoing *outgoing)
{
  size_t i;

  for (i = 0; i < outgoing->fd_count; i++)
    cell_fd_close(&outgoing->fds[i]);
  free(outgoing);
}

static struct cell_outgoing *outgoing_new(const unsigned char *header,
                                          const void *payload, size_t length,
                                          const int *fds, size_t count,
                                          struct cell_error *error)
{
  struct cell_outgoing *outgoing = malloc(sizeof *outgoing + length);

  if (outgoing == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "queue a message");
    return NULL;
  }
  outgoing->next = NULL;
  memcpy(outgoing->header, header, CELL_FRAME_HEADER);
  outgoing->length = length;
  if (length > 0)
    memcpy(outgoing->payload, payload, length);
  for (outgoing->fd_count = 0; outgoing->fd_count < count;
       outgoing->fd_count++) {
    int copy = fcntl(fds[outgoing->fd_count], F_DUPFD_CLOEXEC, 3);

    if (copy < 0) {
      cell_fail(error, CELL_SYSTEM, errno, "queue a message");
      outgoing_free(outgoing);
      return NULL;
    }
    outgoing->fds[outgoing->fd_count] = copy;
  }
  return outgoing;
}

static void drop_first(struct cell_channel *channel)
{
  struct cell_outgoing *outgoing = channel->first;

  channel->first = outgoing->next;
  if (channel->first == NULL)
    channel->last = NULL;
  channel->queued--;
  channel->bytes -= outgoing->length;
  outgoing_free(outgoing);
}

/* Whether a send that failed so may succeed later. */
static int is_full(int number)
{
  return number == EAGAIN || number == ENOBUFS || number == ENOMEM;
}

static void flush(struct cell_channel *channel)
{
  uint32_t room = EPOLLOUT;

  while (!channel->held && channel->first != NULL) {
    struct cell_outgoing *outgoing = channel->first;

    if (cell_fd_send(channel->fd, outgoing->header, CELL_FRAME_HEADER,
                     outgoing->payload, outgoing->length, outgoing->fds,
                     outgoing->fd_count) < 0) {
      if (is_full(errno))
        break;
      /* The socket has room all the same, and would ring without end: it is
      ** tried again with what comes next. */
      if (errno == ETOOMANYREFS) {
        room = 0;
        break;
      }
    }
    drop_first(channel); /* sent, or the peer is gone, which `ended` tells */
  }
  cell_source_want(channel->reactor, &channel->source,
                   channel->first != NULL && !channel->held ? EPOLLIN | room
                                                            : EPOLLIN);
}

/* ---- receiving ---- */

static void close_fds(struct cell_delivery *delivery)
{
  size_t i;

  for (i = 0; i < delivery->fd_count; i++)
    cell_fd_close(&delivery->fds[i]);
}

/* Returns 1 when there may be another delivery. */
static int receive(struct cell_channel *channel)
{
  struct cell_delivery delivery;
  size_t size;
  unsigned char *bytes = cell_reactor_scratch(channel->reactor, &size);
  long got =
    cell_fd_receive(channel->fd, bytes, size, delivery.fds, CELL_FDS_MAX,
                    &delivery.fd_count, &delivery.fds_lost);
  enum cell_channel_end why = CELL_CHANNEL_BROKEN;

  if (got < 0 && errno == EAGAIN)
    return 0;
  if (got > 0 && (size_t)got <= size &&
      cell_frame_parse(bytes, (size_t)got, CELL_MESSAGE_MAX, &delivery.frame) ==
        got) {
    channel->heard(channel, &delivery);
    close_fds(&delivery);
    return 1;
  }
  if (got <= 0)
    why = CELL_CHANNEL_CLOSED;
  else
    close_fds(&delivery);
  cell_source_remove(channel->reactor, &channel->source);
  channel->ended(channel, why);
  return 0;
}

static void receive_some(struct cell_channel *channel, int most)
{
  int i;

  for (i = 0; i < most; i++) {
    if (!receive(channel) || channel->fd < 0)
      break;
  }
}

static void ready(struct cell_source *source, uint32_t events)
{
  struct cell_channel *channel =
    CELL_CONTAINER(source, struct cell_channel, source);

  (void)events;
  if (channel->first != NULL)
    flush(channel);
  receive_some(channel, MESSAGES_AN_EVENT);
}

void cell_channel_drain(struct cell_channel *channel)
{
  if (channel->fd >= 0)
    receive_some(channel, MESSAGES_A_DRAIN);
}

int cell_channel_open(struct cell_channel *channel,
                      struct cell_reactor *reactor, int fd,
                      struct cell_error *error)
{
  channel->reactor = reactor;
  channel->fd = fd;
  channel->held = 0;
  channel->source = (struct cell_source){fd, EPOLLIN, ready, 0};
  if (cell_source_add(reactor, &channel->source, error) == 0)
    return 0;
  cell_fd_close(&channel->fd);
  return -1;
}

int cell_channel_reopen(struct cell_channel *channel, int fd,
                        struct cell_error *error)
{
  int held = channel->held;

  cell_source_remove(channel->reactor, &channel->source);
  cell_fd_close(&channel->fd);
  if (cell_channel_open(channel, channel->reactor, fd, error) < 0)
    return -1;
  channel->held = held;
  return 0;
}

void cell_channel_close(struct cell_channel *channel)
{
  if (channel->reactor == NULL)
    return;
  while (channel->first != NULL)
    drop_first(channel);
  cell_source_remove(channel->reactor, &channel->source);
  cell_fd_close(&channel->fd);
}

void cell_channel_hold(struct cell_channel *channel, int held)
{
  channel->held = held;
  if (!held && channel->fd >= 0)
    flush(channel);
}

int cell_channel_has_room(const struct cell_channel *channel)
{
  return channel->queued < QUEUED_MAX && channel->bytes < QUEUED_BYTES_MAX;
}

int cell_channel_send(struct cell_channel *channel, uint32_t type,
                      uint64_t request, const void *payload, size_t length,
                      const int *fds, size_t count, struct cell_error *error)
{
  unsigned char header[CELL_FRAME_HEADER];
  struct cell_outgoing *outgoing;

  if (length > CELL_MESSAGE_MAX || count > CELL_FDS_MAX)
    return cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
                     "a message of %zu bytes is too long: at most %u", length,
                     CELL_MESSAGE_MAX);
  if (!cell_reactor_owned(channel->reactor))
    return cell_fail(error, CELL_CANCELLED, 0,
                     "a forked copy of the host cannot use its sandboxes");
  cell_frame_header(header, (uint32_t)length, type, request);
  if (!channel->held && channel->first == NULL) {
    if (cell_fd_send(channel->fd, header, sizeof header, payload, length, fds,
                     count) >= 0)
      return 0;
    if (errno == ETOOMANYREFS)
      return cell_fail(error, CELL_SYSTEM, errno,
                       "pass a descriptor to a sandbox: programs of this user, "
                       "perhaps code in another sandbox, have too many on "
                       "their way; raise `ulimit -n`");
    if (!is_full(errno))
      return 0;
  }
  outgoing = outgoing_new(header, payload, length, fds, count, error);
  if (outgoing == NULL)
    return -1;
  if (channel->last != NULL)
    channel->last->next = outgoing;
  else
    channel->first = outgoing;
  channel->last = outgoing;
  channel->queued++;
  channel->bytes += length;
  if (!channel->held)
    flush(channel);
  return 0;
}
