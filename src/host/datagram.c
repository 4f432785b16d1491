/* datagram.c -- see datagram.h. */
#include "datagram.h"

#include "../descriptor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int refuse(const char *path, int number, struct cell_error *error)
{
  enum cell_kind kind = cell_kind_of(number);

  if (number == EAGAIN || number == ENOBUFS || number == ECONNREFUSED)
    kind = CELL_UNAVAILABLE;
  else if (number == EMSGSIZE)
    kind = CELL_LIMIT_EXCEEDED;
  return cell_fail(error, kind, number, "send to %s", path);
}

int cell_datagram_send(const char *path, const void *bytes, size_t size,
                       struct cell_error *error)
{
  struct sockaddr_un there = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  ssize_t sent;
  int number, fd;

  if (length >= sizeof there.sun_path)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "send: the path of a socket has at most %d bytes",
                     (int)sizeof there.sun_path - 1);
  memcpy(there.sun_path, path, length + 1);
  fd = cell_fd_above_stdio(
    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd < 0)
    return refuse(path, errno, error);
  do
    sent = sendto(fd, bytes, size, MSG_NOSIGNAL, (struct sockaddr *)&there,
                  sizeof there);
  while (sent < 0 && errno == EINTR);
  number = errno;
  cell_fd_close(&fd);
  return sent < 0 ? refuse(path, number, error) : 0;
}
