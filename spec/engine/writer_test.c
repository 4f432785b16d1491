/* writer_test.c -- the standard output of a program that speaks a protocol. */
#include "check.h"
#include "descriptor.h"
#include "host/writer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE ((size_t)1024 * 1024)

/* A writer of `fd`, which is closed; our own standard output stays. */
static int open_at(struct cell_writer *writer, struct cell_reactor *reactor,
                   int fd, struct cell_error *error)
{
  int kept, opened;

  fflush(stdout);
  kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
  dup2(fd, STDOUT_FILENO);
  cell_fd_close(&fd);
  opened = cell_writer_open(writer, reactor, error);
  dup2(kept, STDOUT_FILENO);
  cell_fd_close(&kept);
  return opened;
}

static unsigned char pattern(size_t at)
{
  return (unsigned char)(at % 251);
}

/* Reads what is there, and counts what is not as it was written. */
static size_t drain(int fd, size_t at, size_t *wrong)
{
  unsigned char buffer[65536];
  ssize_t got = read(fd, buffer, sizeof buffer);
  ssize_t i;

  for (i = 0; i < got; i++)
    *wrong += buffer[i] != pattern(at + (size_t)i);
  return got > 0 ? (size_t)got : 0;
}

/* All of LARGE through `ends`, of which nobody reads before it is full. */
static void test_flow(struct cell_reactor *reactor, const char *what,
                      int ends[2])
{
  unsigned char *bytes = malloc(LARGE);
  struct cell_writer writer;
  struct cell_error error = {0};
  size_t sent, heard = 0, wrong = 0, news = 0, i;
  int blocking = fcntl(ends[1], F_GETFL) & O_NONBLOCK;

  for (i = 0; bytes != NULL && i < LARGE; i++)
    bytes[i] = pattern(i);
  check(open_at(&writer, reactor, ends[1], &error) == 0, "a writer of a %s: %s",
        what, error.message);
  check((fcntl(writer.fd, F_GETFL) & O_NONBLOCK) == blocking,
        "leaves the flags of the %s as they are", what);
  sent = cell_writer_write(&writer, bytes, LARGE);
  check(sent > 0 && sent < LARGE, "takes what the %s has room for", what);
  check(cell_writer_write(&writer, bytes + sent, LARGE - sent) == 0,
        "takes nothing while the %s is full", what);
  while (heard < LARGE) {
    heard += drain(ends[0], heard, &wrong);
    if (sent == LARGE || cell_reactor_step(reactor, 0, &error) < 0)
      continue;
    if (cell_token_take(reactor) != writer.token)
      continue;
    news++;
    sent += cell_writer_write(&writer, bytes + sent, LARGE - sent);
  }
  check(sent == LARGE && wrong == 0, "all of it goes through the %s", what);
  check(news > 0, "room in the %s is news", what);
  cell_fd_close(&ends[0]);
  check(cell_writer_write(&writer, bytes, 10) == 10 && writer.is_broken,
        "a %s that nobody reads is broken", what);
  cell_writer_close(&writer);
  cell_writer_close(&writer);
  check(writer.fd == -1, "closing twice is safe");
  free(bytes);
}

static void test_file(struct cell_reactor *reactor)
{
  struct cell_writer writer;
  struct cell_error error = {0};
  int fd = cell_fd_memory("writer", "", 0);
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  char text[4] = "";

  open_at(&writer, reactor, fd, &error);
  check(cell_writer_write(&writer, "abc", 3) == 3 && !writer.is_broken,
        "a file is written at once");
  check(pread(copy, text, 3, 0) == 3 && strcmp(text, "abc") == 0,
        "and is there");
  cell_writer_close(&writer);
  cell_fd_close(&copy);
}

/* What is written to descriptor 1 behind its back. */
static void test_aside(struct cell_reactor *reactor)
{
  struct cell_writer writer;
  struct cell_error error = {0};
  int out[2], errors[2], kept_out, kept_errors;
  char text[16] = "";

  fflush(stdout);
  kept_out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
  kept_errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
  if (cell_fd_pipe(out) < 0 || cell_fd_pipe(errors) < 0)
    return;
  dup2(out[1], STDOUT_FILENO);
  dup2(errors[1], STDERR_FILENO);
  cell_fd_close(&out[1]);
  cell_fd_close(&errors[1]);
  cell_writer_open(&writer, reactor, &error);
  if (write(STDOUT_FILENO, "stray", 5) != 5)
    error.kind = CELL_SYSTEM;
  cell_writer_write(&writer, "said", 4);
  dup2(kept_out, STDOUT_FILENO);
  dup2(kept_errors, STDERR_FILENO);
  cell_fd_close(&kept_out);
  cell_fd_close(&kept_errors);
  check(read(out[0], text, sizeof text) == 4 && memcmp(text, "said", 4) == 0,
        "descriptor 1 says nothing in between");
  check(read(errors[0], text, sizeof text) == 5 &&
          memcmp(text, "stray", 5) == 0,
        "which stands among the errors");
  cell_writer_close(&writer);
  cell_fd_close(&out[0]);
  cell_fd_close(&errors[0]);
}

int main(void)
{
  struct cell_error error = {0};
  struct cell_reactor *reactor = cell_reactor_new(&error);
  int ends[2];

  check(reactor != NULL, "a reactor");
  if (cell_fd_pipe(ends) == 0)
    test_flow(reactor, "pipe", ends);
  if (cell_fd_pair(SOCK_STREAM, ends) == 0)
    test_flow(reactor, "socket", ends);
  test_file(reactor);
  test_aside(reactor);
  cell_reactor_release(reactor);
  return check_status();
}
