/* parcel.c -- see parcel.h. */
#include "parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int parcel_send(int socket, const void *bytes, size_t size, const int *fds,
                size_t count)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * PARCEL_FDS_MAX)];
  } control;
  struct iovec vector = {(void *)bytes, size};
  struct msghdr header;
  ssize_t sent;

  memset(&header, 0, sizeof header);
  memset(&control, 0, sizeof control);
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (count > 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
  }
  do
    sent = sendmsg(socket, &header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -1 : 0;
}

/* There is room for more in the control message, where no sender is told. */
static void take_descriptors(const struct cmsghdr *part, struct parcel *parcel)
{
  size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int), i;
  int fd;

  for (i = 0; i < count; i++) {
    memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
    if (parcel->count < PARCEL_FDS_MAX)
      parcel->fds[parcel->count++] = fd;
    else
      close(fd);
  }
}

static void read_control(struct msghdr *header, struct parcel *parcel)
{
  struct cmsghdr *part;
  struct ucred sender;

  for (part = CMSG_FIRSTHDR(header); part != NULL;
       part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != SOL_SOCKET)
      continue;
    if (part->cmsg_type == SCM_RIGHTS)
      take_descriptors(part, parcel);
    if (part->cmsg_type == SCM_CREDENTIALS) {
      memcpy(&sender, CMSG_DATA(part), sizeof sender);
      parcel->sender = sender.pid;
    }
  }
}

int parcel_receive(int socket, void *bytes, size_t size, struct parcel *parcel,
                   int wait)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * PARCEL_FDS_MAX) +
               CMSG_SPACE(sizeof(struct ucred))];
  } control;
  struct iovec vector = {bytes, size};
  struct msghdr header;
  ssize_t length;

  memset(&header, 0, sizeof header);
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;
  parcel->count = 0;
  parcel->sender = 0;
  do
    length =
      recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  while (length < 0 && errno == EINTR);
  if (length <= 0)
    return (int)length;
  read_control(&header, parcel);
  if ((size_t)length == size && !(header.msg_flags & (MSG_CTRUNC | MSG_TRUNC)))
    return 1;
  parcel_close(parcel);
  errno = EPROTO;
  return -1;
}

void parcel_close(struct parcel *parcel)
{
  size_t i;

  for (i = 0; i < parcel->count; i++)
    if (parcel->fds[i] >= 0)
      close(parcel->fds[i]);
  parcel->count = 0;
}
