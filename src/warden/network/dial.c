/* dial.c -- see dial.h. */
#include "dial.h"

#include "../warden.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(struct warden *warden, uint64_t request, int number, int fd)
{
  unsigned char bytes[4];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)number);
  if (wire_send(warden->channel, CELL_DONE, request, &packer, fd) < 0 &&
      fd >= 0)
    wire_send_number(warden->channel, CELL_DONE, request, errno);
}

/* Start connecting; 0 or an errno. */
static int connect_to(struct dial *dial, int family)
{
  union {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
  } address;
  socklen_t size;

  memset(&address, 0, sizeof address);
  dial->family = family;
  dial->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (dial->fd < 0)
    return errno;
  if (family == AF_INET) {
    address.four.sin_family = AF_INET;
    address.four.sin_port = htons(dial->port);
    address.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof address.four;
  } else {
    address.six.sin6_family = AF_INET6;
    address.six.sin6_port = htons(dial->port);
    address.six.sin6_addr = in6addr_loopback;
    size = sizeof address.six;
  }
  if (connect(dial->fd, &address.any, size) == 0 || errno == EINPROGRESS)
    return 0;
  return errno;
}

/* -1: still connecting; else an errno. */
static int outcome(const struct dial *dial)
{
  struct pollfd poller = {dial->fd, POLLOUT, 0};
  socklen_t size = sizeof(int);
  int number = 0;

  if (poll(&poller, 1, 0) == 0)
    return warden_now_ms() >= dial->deadline ? ETIMEDOUT : -1;
  if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
    return errno;
  return number;
}

static void next_family(struct dial *dial, int *number)
{
  if (*number != ECONNREFUSED || dial->family != AF_INET)
    return;
  close(dial->fd);
  if (connect_to(dial, AF_INET6) == 0)
    *number = -1;
}

void dial_check(struct warden *warden)
{
  struct dials *dials = &warden->dials;
  struct dial *dial;
  size_t i = 0;
  int number;

  while (i < dials->count) {
    dial = &dials->list[i];
    number = outcome(dial);
    if (number > 0)
      next_family(dial, &number);
    if (number == -1) {
      i++;
      continue;
    }
    answer(warden, dial->request, number, number == 0 ? dial->fd : -1);
    if (dial->fd >= 0)
      close(dial->fd);
    *dial = dials->list[--dials->count];
  }
}

void dial_start(struct warden *warden)
{
  struct cell_unpacker unpacker;
  struct dials *dials = &warden->dials;
  struct dial *dial = &dials->list[dials->count];
  uint64_t request = warden->message.frame.request;
  uint32_t port;
  int number;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  port = cell_unpack_u32(&unpacker);
  if (!cell_unpack_done(&unpacker) || port == 0 || port > 65535) {
    answer(warden, request, EINVAL, -1);
    return;
  }
  if (dials->count == DIALS_MAX) {
    answer(warden, request, EAGAIN, -1);
    return;
  }
  dial->request = request;
  dial->port = (uint16_t)port;
  dial->deadline = warden_now_ms() + DIAL_MS;
  number = connect_to(dial, AF_INET);
  if (number != 0)
    next_family(dial, &number);
  if (number > 0) {
    answer(warden, request, number, -1);
    if (dial->fd >= 0)
      close(dial->fd);
    return;
  }
  dials->count++;
  dial_check(warden);
}
