/* descriptor.c -- see descriptor.h. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_FDS_MAX 253 /* SCM_MAX_FD: what a hostile peer can pass */

void cell_fd_close(int *fd)
{
  int saved = errno;

  if (*fd >= 0)
    close(*fd); /* not repeated on EINTR: Linux has closed it by then */
  *fd = -1;
  errno = saved;
}

int cell_fd_take(int *fd)
{
  int taken = *fd;

  *fd = -1;
  return taken;
}

int cell_fd_above_stdio(int fd)
{
  int copy = fd;

  if (fd >= 0 && fd <= 2) {
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    cell_fd_close(&fd);
  }
  return copy;
}

void cell_fd_hold_stdio(int held[3])
{
  int i;

  for (i = 0; i < 3; i++) {
    held[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (held[i] > 2)
      cell_fd_close(&held[i]);
  }
}

void cell_fd_let_go(int held[3])
{
  int i;

  for (i = 0; i < 3; i++)
    cell_fd_close(&held[i]);
}

int cell_fd_nonblocking(int fd)
{
  int flags = fcntl(fd, F_GETFL);

  if (flags < 0)
    return -1;
  if (flags & O_NONBLOCK)
    return 0;
  return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int move_above_stdio(int ends[2])
{
  ends[0] = cell_fd_above_stdio(ends[0]);
  ends[1] = cell_fd_above_stdio(ends[1]);
  if (ends[0] >= 0 && ends[1] >= 0)
    return 0;
  cell_fd_close(&ends[0]);
  cell_fd_close(&ends[1]);
  return -1;
}

int cell_fd_pipe(int ends[2])
{
  if (pipe2(ends, O_CLOEXEC) < 0) {
    ends[0] = ends[1] = -1;
    return -1;
  }
  return move_above_stdio(ends);
}

int cell_fd_pair(int type, int ends[2])
{
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0) {
    ends[0] = ends[1] = -1;
    return -1;
  }
  return move_above_stdio(ends);
}

/* The signal with which a write is refused in this thread, beside its errno. */
static int signal_of(int number)
{
  return number == EPIPE ? SIGPIPE : number == EFBIG ? SIGXFSZ : 0;
}

/* Take back the signal that our write has left pending in this thread. */
static void consume(int number)
{
  const struct timespec at_once = {0, 0};
  sigset_t one;

  sigemptyset(&one);
  sigaddset(&one, number);
  while (sigtimedwait(&one, NULL, &at_once) < 0 && errno == EINTR)
    ;
}

long cell_fd_write(int fd, const void *bytes, size_t size)
{
  sigset_t signals, before, pending;
  int number, raised;
  long written;

  /* No flag keeps write(2) from raising them, and the dispositions are the
  ** host's. */
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  sigaddset(&signals, SIGXFSZ);
  sigemptyset(&pending);
  sigpending(&pending);
  if (pthread_sigmask(SIG_BLOCK, &signals, &before) != 0)
    return -1;
  do
    written = write(fd, bytes, size);
  while (written < 0 && errno == EINTR);
  number = errno;
  raised = written < 0 ? signal_of(number) : 0;
  /* One that waited before, blocked by the host, is the host's. */
  if (raised != 0 && !sigismember(&pending, raised))
    consume(raised);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = number;
  return written;
}

int cell_fd_memory(const char *name, const void *bytes, size_t size)
{
  int fd = cell_fd_above_stdio(memfd_create(name, MFD_CLOEXEC));
  size_t written = 0;
  int number;

  while (fd >= 0 && written < size) {
    long count =
      cell_fd_write(fd, (const char *)bytes + written, size - written);

    if (count < 0) {
      number = errno;
      cell_fd_close(&fd);
      errno = number;
    }
    written += count > 0 ? (size_t)count : 0;
  }
  if (fd >= 0)
    lseek(fd, 0, SEEK_SET);
  return fd;
}

long cell_fd_send(int socket, const void *header, size_t header_size,
                  const void *payload, size_t payload_size, const int *fds,
                  size_t count)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(CELL_FDS_MAX * sizeof(int))];
  } control;
  struct iovec pieces[2] = {{(void *)(uintptr_t)header, header_size},
                            {(void *)(uintptr_t)payload, payload_size}};
  struct msghdr message = {0};
  long sent;

  message.msg_iov = pieces;
  message.msg_iovlen = payload_size > 0 ? 2 : 1;
  if (count > CELL_FDS_MAX) {
    errno = EINVAL;
    return -1;
  }
  if (count > 0) {
    struct cmsghdr *part;

    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(part), fds, count * sizeof(int));
  }
  do
    sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent;
}

/* Own the descriptors of one control message: keep, or close past `most`. */
static void adopt(struct cmsghdr *part, int *fds, size_t most, size_t *count,
                  int *lost)
{
  size_t passed = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  size_t i;

  for (i = 0; i < passed; i++) {
    int fd;

    memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
    fd = cell_fd_above_stdio(fd);
    if (fd < 0 || *count == most) {
      cell_fd_close(&fd);
      *lost = 1;
    } else {
      fds[(*count)++] = fd;
    }
  }
}

long cell_fd_receive(int socket, void *bytes, size_t size, int *fds,
                     size_t most, size_t *count, int *lost)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(KERNEL_FDS_MAX * sizeof(int))];
  } control;
  struct iovec piece = {bytes, size};
  struct msghdr message = {0};
  struct cmsghdr *part;
  long received;

  *count = 0;
  *lost = 0;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  /* A peer that closed with our messages unread shows as ECONNRESET, once, and
  ** before what it had said until then. */
  do
    received =
      recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
  while (received < 0 && (errno == EINTR || errno == ECONNRESET));
  if (received < 0)
    return -1;
  if (message.msg_flags & MSG_CTRUNC)
    *lost = 1;
  for (part = CMSG_FIRSTHDR(&message); part != NULL;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
      adopt(part, fds, most, count, lost);
  }
  return received;
}
