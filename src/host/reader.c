/* reader.c -- see reader.h. */
#include "reader.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

static void came(struct cell_source *source, uint32_t events)
{
  struct cell_reader *reader =
    CELL_CONTAINER(source, struct cell_reader, source);

  (void)events;
  reader->is_ready = 1;
  cell_source_want(reader->reactor, source, 0);
  cell_token_post(reader->reactor, reader->token);
}

int cell_reader_open(struct cell_reader *reader, struct cell_reactor *reactor,
                     int fd, struct cell_error *error)
{
  struct cell_error watched = {0};

  *reader = (struct cell_reader)CELL_READER_CLOSED;
  reader->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (reader->fd < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "read descriptor %d", fd);
  reader->reactor = cell_reactor_keep(reactor);
  reader->token = cell_token_new(reactor);
  reader->source = (struct cell_source){reader->fd, EPOLLIN, came, 0};
  if (reader->token == 0)
    cell_fail(&watched, CELL_OUT_OF_MEMORY, ENOMEM, "read descriptor %d", fd);
  else if (cell_source_add(reactor, &reader->source, &watched) == 0)
    return 0;
  reader->source.ready = NULL;
  if (watched.number == EPERM) { /* what has no waiting: a file, /dev/null */
    reader->is_ready = reader->is_always = 1;
    return 0;
  }
  cell_reader_close(reader);
  if (error != NULL)
    *error = watched;
  return -1;
}

int cell_reader_read(struct cell_reader *reader, void *bytes, size_t size,
                     size_t *count, enum cell_reader_state *state,
                     struct cell_error *error)
{
  ssize_t got = -1;

  *count = 0;
  *state = CELL_READER_LATER;
  if (!reader->is_ready)
    return 0;
  got = read(reader->fd, bytes, size);
  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    got = -1;
  else if (got == 0 || (got < 0 && errno == EIO)) {
    *state = CELL_READER_END;
    return 0; /* still ready: it says so again */
  } else if (got < 0)
    return cell_fail(error, cell_kind_of(errno), errno, "read");
  if (got > 0) {
    *state = CELL_READER_BYTES;
    *count = (size_t)got;
  }
  if (!reader->is_always) {
    reader->is_ready = 0;
    cell_source_want(reader->reactor, &reader->source, EPOLLIN);
  }
  return 0;
}

void cell_reader_close(struct cell_reader *reader)
{
  if (reader->reactor == NULL)
    return;
  if (reader->source.ready != NULL)
    cell_source_remove(reader->reactor, &reader->source);
  if (reader->token != 0)
    cell_token_free(reader->reactor, reader->token);
  cell_fd_close(&reader->fd);
  cell_reactor_release(reader->reactor);
  reader->reactor = NULL;
}
