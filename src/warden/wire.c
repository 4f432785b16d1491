/* wire.c -- see wire.h. */
#include "wire.h"

#include "calls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_PIDFD 77 /* SO_PEERPIDFD, Linux 6.5 */

int wire_peer(int socket)
{
  struct ucred peer;
  socklen_t size = sizeof(int);
  int fd = -1;

  if (getsockopt(socket, SOL_SOCKET, PEER_PIDFD, &fd, &size) == 0)
    return fd;
  size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return -1;
  return call_pidfd_open(peer.pid);
}

int wire_receive(int socket, struct wire_message *message, int wait)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
  } control;
  struct iovec vector = {message->bytes, sizeof message->bytes - 1};
  struct msghdr header;
  struct cmsghdr *part;
  ssize_t length;

  memset(&header, 0, sizeof header);
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;
  message->count = 0;
  do
    length =
      recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  while (length < 0 && errno == EINTR);
  if (length <= 0)
    return (int)length;
  for (part = CMSG_FIRSTHDR(&header); part != NULL;
       part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
      continue;
    message->count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(message->fds, CMSG_DATA(part), message->count * sizeof(int));
  }
  message->lost = (header.msg_flags & MSG_CTRUNC) != 0;
  if (cell_frame_parse(message->bytes, (size_t)length, CELL_MESSAGE_MAX,
                       &message->frame) != length) {
    wire_clear(message);
    errno = EPROTO;
    return -1;
  }
  return 1;
}

int wire_take(struct wire_message *message, size_t index)
{
  int fd = -1;

  if (index < message->count) {
    fd = message->fds[index];
    message->fds[index] = -1;
  }
  return fd;
}

void wire_clear(struct wire_message *message)
{
  size_t i;

  for (i = 0; i < message->count; i++)
    if (message->fds[i] >= 0)
      close(message->fds[i]);
  message->count = 0;
}

int wire_send_all(int socket, uint32_t type, uint64_t request,
                  const struct cell_packer *payload, const int *fds,
                  size_t count)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
  } control;
  unsigned char head[CELL_FRAME_HEADER];
  struct iovec vector[2];
  struct msghdr header;
  ssize_t sent;

  if (payload != NULL && payload->failed) {
    errno = EMSGSIZE;
    return -1;
  }
  memset(&header, 0, sizeof header);
  memset(&control, 0, sizeof control);
  vector[0].iov_base = head;
  vector[0].iov_len = sizeof head;
  vector[1].iov_base = payload != NULL ? payload->bytes : NULL;
  vector[1].iov_len = payload != NULL ? payload->used : 0;
  cell_frame_header(head, (uint32_t)vector[1].iov_len, type, request);
  header.msg_iov = vector;
  header.msg_iovlen = payload != NULL ? 2 : 1;
  if (count > 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(count * sizeof *fds);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(&control.header), fds, count * sizeof *fds);
  }
  do
    sent = sendmsg(socket, &header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -1 : 0;
}

int wire_send(int socket, uint32_t type, uint64_t request,
              const struct cell_packer *payload, int fd)
{
  return wire_send_all(socket, type, request, payload, &fd, fd >= 0);
}

int wire_send_number(int socket, uint32_t type, uint64_t request, int number)
{
  unsigned char bytes[4];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)number);
  return wire_send(socket, type, request, &packer, -1);
}

int wire_send_failure(int socket, uint32_t type, uint64_t request, int number,
                      const char *stage)
{
  unsigned char bytes[64];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)number);
  cell_pack_string(&packer, stage);
  return wire_send(socket, type, request, &packer, -1);
}
