/* standard.c -- see standard.h. */
#include "standard.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A pipe that is said to have room takes as many without blocking. */
#define PIECE 4096u

/* Once for each wish: a silent source is not asked again. */
static void heard(struct cell_source *source, uint32_t events)
{
  struct cell_standard *standard =
    CELL_CONTAINER(source, struct cell_standard, in);

  (void)events; /* an end shows at the read */
  standard->is_readable = 1;
  cell_source_want(standard->reactor, source, 0);
  cell_token_post(standard->reactor, standard->token);
}

static void has_room(struct cell_source *source, uint32_t events)
{
  struct cell_standard *standard =
    CELL_CONTAINER(source, struct cell_standard, out);

  (void)events;
  cell_source_want(standard->reactor, source, 0);
  cell_token_post(standard->reactor, standard->token);
}

/* What cannot be watched never blocks: a file. */
static void want(struct cell_standard *standard, struct cell_source *source,
                 uint32_t events)
{
  if (cell_source_want(standard->reactor, source, events) < 0)
    source->ready(source, events);
}

/* A descriptor of our own for what `fd` is, and `other` in its place. */
static int take(int fd, int other)
{
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

  if (copy >= 0 && dup2(other, fd) < 0)
    cell_fd_close(&copy);
  return copy;
}

static int take_both(struct cell_standard *standard)
{
  int nothing = cell_fd_above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));
  int has_errors = fcntl(STDERR_FILENO, F_GETFD) >= 0;

  if (nothing >= 0) {
    standard->in.fd = take(STDIN_FILENO, nothing);
    if (standard->in.fd >= 0)
      standard->out.fd =
        take(STDOUT_FILENO, has_errors ? STDERR_FILENO : nothing);
  }
  cell_fd_close(&nothing);
  return standard->out.fd >= 0 ? 0 : -1;
}

int cell_standard_open(struct cell_standard *standard,
                       struct cell_reactor *reactor, struct cell_error *error)
{
  *standard = (struct cell_standard)CELL_STANDARD_CLOSED;
  standard->reactor = cell_reactor_keep(reactor);
  standard->token = cell_token_new(reactor);
  if (standard->token == 0 || take_both(standard) < 0) {
    cell_fail(error, CELL_SYSTEM, errno, "open standard input and output");
    cell_standard_close(standard);
    return -1;
  }
  standard->in.ready = heard;
  standard->out.ready = has_room;
  if (cell_source_add(reactor, &standard->in, error) < 0 ||
      cell_source_add(reactor, &standard->out, error) < 0) {
    cell_standard_close(standard);
    return -1;
  }
  want(standard, &standard->in, EPOLLIN);
  return 0;
}

size_t cell_standard_read(struct cell_standard *standard, void *bytes,
                          size_t size)
{
  ssize_t got;

  if (!standard->is_readable || standard->has_ended)
    return 0;
  do
    got = read(standard->in.fd, bytes, size);
  while (got < 0 && errno == EINTR);
  if (got > 0 || (got < 0 && errno == EAGAIN)) {
    standard->is_readable = 0;
    want(standard, &standard->in, EPOLLIN);
    return got > 0 ? (size_t)got : 0;
  }
  standard->has_ended = 1;
  return 0;
}

/* Whether a piece can be written at once, or would fail at once. */
static int takes_more(int fd)
{
  struct pollfd wanted = {fd, POLLOUT, 0};

  return poll(&wanted, 1, 0) > 0;
}

static long write_piece(int fd, const unsigned char *bytes, size_t size)
{
  long written = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

  if (written < 0 && errno == ENOTSOCK)
    written = cell_fd_write(fd, bytes, size < PIECE ? size : PIECE);
  return written;
}

size_t cell_standard_write(struct cell_standard *standard, const void *bytes,
                           size_t size)
{
  size_t taken = 0;

  while (!standard->is_broken && taken < size && takes_more(standard->out.fd)) {
    long written = write_piece(
      standard->out.fd, (const unsigned char *)bytes + taken, size - taken);

    if (written >= 0)
      taken += (size_t)written;
    else if (errno == EAGAIN)
      break;
    else if (errno != EINTR)
      standard->is_broken = 1;
  }
  if (standard->is_broken)
    return size;
  if (taken < size)
    want(standard, &standard->out, EPOLLOUT);
  return taken;
}

void cell_standard_close(struct cell_standard *standard)
{
  if (standard->reactor == NULL)
    return;
  cell_source_remove(standard->reactor, &standard->in);
  cell_source_remove(standard->reactor, &standard->out);
  if (standard->token != 0)
    cell_token_free(standard->reactor, standard->token);
  cell_fd_close(&standard->in.fd);
  cell_fd_close(&standard->out.fd);
  cell_reactor_release(standard->reactor);
  standard->reactor = NULL;
}
