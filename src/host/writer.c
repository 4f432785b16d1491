/* writer.c -- see writer.h. */
#include "writer.h"

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

static void has_room(struct cell_source *source, uint32_t events)
{
  struct cell_writer *writer =
    CELL_CONTAINER(source, struct cell_writer, source);

  (void)events; /* an error too shows at the write */
  cell_source_want(writer->reactor, source, 0);
  cell_token_post(writer->reactor, writer->token);
}

/* Descriptor 1, above the standard ones, and 2 in its place. */
static int take_output(void)
{
  int nothing = -1;
  int taken = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  int other = STDERR_FILENO;

  if (taken < 0)
    return -1;
  if (fcntl(STDERR_FILENO, F_GETFD) < 0)
    other = nothing =
      cell_fd_above_stdio(open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (other < 0 || dup2(other, STDOUT_FILENO) < 0)
    cell_fd_close(&taken);
  cell_fd_close(&nothing);
  return taken;
}

int cell_writer_open(struct cell_writer *writer, struct cell_reactor *reactor,
                     struct cell_error *error)
{
  *writer = (struct cell_writer)CELL_WRITER_CLOSED;
  writer->reactor = cell_reactor_keep(reactor);
  writer->token = cell_token_new(reactor);
  writer->fd = writer->token != 0 ? take_output() : -1;
  writer->source = (struct cell_source){writer->fd, 0, has_room, 0};
  if (writer->fd >= 0 && cell_source_add(reactor, &writer->source, error) == 0)
    return 0;
  cell_fail(error, CELL_SYSTEM, errno, "take the standard output");
  cell_writer_close(writer);
  return -1;
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

size_t cell_writer_write(struct cell_writer *writer, const void *bytes,
                         size_t size)
{
  size_t taken = 0;

  while (!writer->is_broken && taken < size && takes_more(writer->fd)) {
    long written = write_piece(writer->fd, (const unsigned char *)bytes + taken,
                               size - taken);

    if (written >= 0)
      taken += (size_t)written;
    else if (errno == EAGAIN)
      break;
    else if (errno != EINTR)
      writer->is_broken = 1;
  }
  if (writer->is_broken)
    return size;
  if (taken < size)
    cell_source_want(writer->reactor, &writer->source, EPOLLOUT);
  return taken;
}

void cell_writer_close(struct cell_writer *writer)
{
  if (writer->reactor == NULL)
    return;
  cell_source_remove(writer->reactor, &writer->source);
  if (writer->token != 0)
    cell_token_free(writer->reactor, writer->token);
  cell_fd_close(&writer->fd);
  cell_reactor_release(writer->reactor);
  writer->reactor = NULL;
}
