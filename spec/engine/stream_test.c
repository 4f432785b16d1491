/* stream_test.c -- output with bounded memory: head, tail, readers, holding.
** #S052 #S053 #S080
*/
#include "bytes/utf8.h"
#include "check.h"
#include "descriptor.h"
#include "process/stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static struct cell_reactor *reactor;

static void news(struct cell_stream *stream)
{
  ++*(int *)stream->owner;
}

struct subject {
  struct cell_stream stream;
  int writer;
  int told;
};

static void open_subject(struct subject *subject, size_t limit)
{
  int ends[2] = {-1, -1};

  memset(subject, 0, sizeof *subject);
  cell_fd_pipe(ends);
  subject->writer = ends[1];
  subject->stream.news = news;
  subject->stream.owner = &subject->told;
  check(cell_stream_open(&subject->stream, reactor, ends[0], limit, NULL) == 0,
        "a stream of %zu bytes opens", limit);
}

static void close_subject(struct subject *subject)
{
  cell_stream_close(&subject->stream);
  cell_stream_close(&subject->stream);
  cell_fd_close(&subject->writer);
}

/* What position `at` of the test's output holds. */
static unsigned char pattern(uint64_t at)
{
  return (unsigned char)(at * 31 + at / 251);
}

/* Write `length` bytes of the pattern from `from`, stepping as needed. */
static void produce(struct subject *subject, uint64_t from, size_t length)
{
  unsigned char block[5000];
  size_t done = 0;

  while (done < length) {
    size_t part = length - done < sizeof block ? length - done : sizeof block;
    size_t i;

    for (i = 0; i < part; i++)
      block[i] = pattern(from + done + i);
    if (write(subject->writer, block, part) != (ssize_t)part)
      return;
    done += part;
    while (cell_reactor_step(reactor, 0, NULL) > 0)
      ;
  }
}

static int matches(const unsigned char *bytes, size_t length, uint64_t from)
{
  size_t i;

  for (i = 0; i < length; i++) {
    if (bytes[i] != pattern(from + i))
      return 0;
  }
  return 1;
}

static void check_kept(size_t limit, size_t length)
{
  struct subject subject;
  const unsigned char *head, *tail;
  size_t head_length, tail_length;
  uint64_t total;
  int fine;

  open_subject(&subject, limit);
  produce(&subject, 0, length);
  cell_stream_kept(&subject.stream, &head, &head_length, &tail, &tail_length,
                   &total);
  fine = total == length && head_length + tail_length <= limit &&
         matches(head, head_length, 0) &&
         matches(tail, tail_length, length - tail_length);
  if (length <= limit)
    fine = fine && head_length + tail_length == length;
  else /* at most three bytes of a character are cut at each side */
    fine = fine && head_length + 3 >= limit / 2 && tail_length + 3 >= limit / 2;
  check(fine, "of %zu bytes the first and the last are kept, %zu at most",
        length, limit);
  close_subject(&subject);
}

static void test_kept(void)
{
  static const size_t limits[] = {16, 1000, 100000};
  static const size_t lengths[] = {0,     1,     8,     16,     17,
                                   999,   1000,  1001,  5000,   49999,
                                   50000, 50001, 99999, 100001, 400000};
  size_t i, j;

  for (i = 0; i < sizeof limits / sizeof limits[0]; i++)
    for (j = 0; j < sizeof lengths / sizeof lengths[0]; j++)
      check_kept(limits[i], lengths[j]);
}

/* A reader that reads `size` bytes after every `every` written. */
static void check_reader(size_t limit, size_t length, size_t every, size_t size)
{
  static unsigned char buffer[70000];
  struct subject subject;
  uint64_t position = 0, lost = 0, skipped;
  size_t written = 0;
  int fine = 1;
  int end = 0;

  open_subject(&subject, limit);
  while (!end) {
    size_t part = length - written < every ? length - written : every;
    size_t got;

    produce(&subject, written, part);
    written += part;
    if (written == length && subject.writer >= 0)
      cell_fd_close(&subject.writer);
    got = cell_stream_read(&subject.stream, buffer, size, 0, &end, &skipped);
    position += skipped;
    lost += skipped;
    fine = fine && matches(buffer, got, position);
    position += got;
  }
  check(fine && position == length && (lost == 0 || length > limit),
        "a reader gets every byte that is there, and how many are not: %zu "
        "of %zu, %zu after each %zu",
        (size_t)(length - lost), length, size, every);
  close_subject(&subject);
}

static void test_reader(void)
{
  check_reader(100000, 100000, 1000, 1000);
  check_reader(100000, 90000, 7000, 333);
  check_reader(1000, 300000, 10000, 700);
  check_reader(1000, 300000, 60000, 70000);
  check_reader(16, 5000, 100, 3);
  check_reader(200000, 0, 1, 10);
}

static void test_direct(void)
{
  struct subject subject;
  unsigned char buffer[100];
  uint64_t skipped;
  int end;

  open_subject(&subject, 1000);
  check(cell_stream_read(&subject.stream, buffer, 100, 0, &end, &skipped) ==
            0 &&
          !end,
        "an empty pipe is not the end");
  check(write(subject.writer, "hello", 5) == 5, "five bytes are written");
  check(cell_stream_read(&subject.stream, buffer, 100, 0, &end, &skipped) ==
            5 &&
          memcmp(buffer, "hello", 5) == 0,
        "a read finds them without a step");
  check(subject.stream.total == 5, "and they are counted and kept");
  cell_fd_close(&subject.writer);
  check(cell_stream_read(&subject.stream, buffer, 100, 0, &end, &skipped) ==
            0 &&
          end && cell_stream_ended(&subject.stream),
        "the end of file is the end");
  close_subject(&subject);
}

static void test_text(void)
{
  struct subject subject;
  unsigned char buffer[100];
  uint64_t skipped;
  size_t got;
  int end;

  open_subject(&subject, 1000);
  check(write(subject.writer, "a\xe2\x82", 3) == 3, "half a character comes");
  got = cell_stream_read(&subject.stream, buffer, 100, 1, &end, &skipped);
  check(got == 1 && buffer[0] == 'a', "a reader of text does not see it");
  got = cell_stream_read(&subject.stream, buffer, 100, 1, &end, &skipped);
  check(got == 0 && !end, "and waits");
  check(write(subject.writer,
              "\xac"
              "b\xf0",
              3) == 3,
        "the rest comes");
  cell_reactor_step(reactor, 0, NULL);
  got = cell_stream_read(&subject.stream, buffer, 100, 1, &end, &skipped);
  check(got == 4 && memcmp(buffer,
                           "\xe2\x82\xac"
                           "b",
                           4) == 0,
        "it gets the whole character");
  cell_fd_close(&subject.writer);
  while (!cell_stream_ended(&subject.stream))
    cell_reactor_step(reactor, 1000, NULL);
  got = cell_stream_read(&subject.stream, buffer, 100, 1, &end, &skipped);
  check(got == 1 && buffer[0] == 0xf0, "at the end what is left is given");
  close_subject(&subject);
}

static void test_boundaries(void)
{
  const unsigned char euro[] = "\xe2\x82\xac\xe2\x82\xac";

  check(cell_utf8_prefix(euro, 6) == 6 && cell_utf8_prefix(euro, 5) == 3 &&
          cell_utf8_prefix(euro, 4) == 3 && cell_utf8_prefix(euro, 3) == 3 &&
          cell_utf8_prefix(euro, 2) == 0 && cell_utf8_prefix(euro, 0) == 0,
        "a prefix does not end inside a character");
  check(cell_utf8_prefix((const unsigned char *)"\x80\x80\x80\x80", 4) == 4 &&
          cell_utf8_prefix((const unsigned char *)"\xff", 1) == 1,
        "bytes that are not UTF-8 are characters");
  check(cell_utf8_suffix(euro + 1, 5) == 2 && cell_utf8_suffix(euro, 6) == 0,
        "a suffix does not begin inside a character");
  check(cell_utf8_character(euro, 6) == 3 &&
          cell_utf8_character(euro, 2) == 0 &&
          cell_utf8_character(euro + 1, 5) == 0 &&
          cell_utf8_character(euro, 0) == 0,
        "a character is whole, or none");
  check(!cell_utf8_character((const unsigned char *)"\xe0\x9f\xbf", 3) &&
          !cell_utf8_character((const unsigned char *)"\xed\xa0\x80", 3) &&
          !cell_utf8_character((const unsigned char *)"\xf4\x90\x80\x80", 4),
        "too long, half of a pair and too large are none");
}

static void test_restart(void)
{
  struct subject subject;
  const unsigned char *head, *tail;
  size_t head_length, tail_length;
  uint64_t total;

  open_subject(&subject, 1000);
  produce(&subject, 0, 5000);
  cell_stream_restart(&subject.stream);
  produce(&subject, 0, 700);
  cell_stream_kept(&subject.stream, &head, &head_length, &tail, &tail_length,
                   &total);
  check(total == 700 && head_length == 500 && tail_length == 200 &&
          matches(head, 500, 0) && matches(tail, 200, 500),
        "after a restart the stream begins anew");
  close_subject(&subject);
}

struct flood {
  int fd;
  size_t length;
};

static void *write_flood(void *argument)
{
  struct flood *flood = argument;
  char block[65536];
  size_t done = 0;

  memset(block, 'y', sizeof block);
  while (done < flood->length) {
    long written = write(flood->fd, block, sizeof block);

    if (written <= 0)
      break;
    done += (size_t)written;
  }
  close(flood->fd);
  return NULL;
}

static void test_hold(void)
{
  static unsigned char buffer[10000];
  struct subject subject;
  struct flood flood = {-1, 4u << 20};
  uint64_t skipped, received = 0;
  pthread_t thread;
  int end = 0;
  int dropped = 0;
  uint64_t most = 0;

  open_subject(&subject, 200000);
  cell_stream_hold(&subject.stream, 1);
  flood.fd = cell_fd_take(&subject.writer);
  pthread_create(&thread, NULL, write_flood, &flood);
  while (!end) {
    uint64_t waiting;

    cell_reactor_step(reactor, 1, NULL);
    cell_reactor_step(reactor, 1, NULL);
    waiting = subject.stream.total - subject.stream.position;
    most = waiting > most ? waiting : most;
    received += cell_stream_read(&subject.stream, buffer, sizeof buffer, 0,
                                 &end, &skipped);
    dropped |= skipped > 0;
  }
  pthread_join(thread, NULL);
  check(!dropped && received == flood.length,
        "a held stream drops nothing, whatever its limit");
  check(most <= CELL_STREAM_BLOCK, "and at most 64 KiB of it wait");
  close_subject(&subject);
}

/* A flood is read without end, and others still have their turn. */
static void test_fairness(void)
{
  struct subject loud, quiet;
  struct flood flood = {-1, 64u << 20};
  pthread_t thread;
  int steps = 0;

  open_subject(&loud, 100000);
  open_subject(&quiet, 1000);
  flood.fd = cell_fd_take(&loud.writer);
  pthread_create(&thread, NULL, write_flood, &flood);
  while (loud.told < 10)
    cell_reactor_step(reactor, 100, NULL);
  check(write(quiet.writer, "now", 3) == 3, "a quiet one writes");
  while (quiet.told == 0 && steps < 1000) {
    cell_reactor_step(reactor, 100, NULL);
    steps++;
  }
  check(steps <= 3, "it is heard within three steps of a flood");
  while (!cell_stream_ended(&loud.stream))
    cell_reactor_step(reactor, 1000, NULL);
  pthread_join(thread, NULL);
  check(loud.stream.total == flood.length &&
          loud.stream.head_size + loud.stream.tail_size <= 100000,
        "64 MiB of output take no more memory than the limit");
  close_subject(&loud);
  close_subject(&quiet);
}

int main(void)
{
  reactor = cell_reactor_new(NULL);
  test_boundaries();
  test_kept();
  test_reader();
  test_direct();
  test_text();
  test_restart();
  test_hold();
  test_fairness();
  check(cell_reactor_timeout(reactor) == -1, "nothing is left in the reactor");
  cell_reactor_release(reactor);
  return check_status();
}
