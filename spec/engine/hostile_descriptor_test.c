/* hostile_descriptor_test.c -- descriptors that a warden passes though nobody
** asked, or other ones than were asked for; and a warden that falls silent or
** goes away. #S049 #S050 #S055 #S056
*/
#include "hostile.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MANY 253 /* what one message can carry */

/* ---- where none is due ---- */

/* cell_fd_send refuses so many, so this is a message of its own. */
static void pass(struct fake *fake, int fd, size_t count, uint32_t type,
                 uint64_t request)
{
  static union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MANY * sizeof(int))];
  } control;
  unsigned char bytes[CELL_FRAME_HEADER + 4] = {0};
  struct iovec piece = {bytes, sizeof bytes};
  struct msghdr message = {0};
  struct cmsghdr *part;
  size_t i;

  cell_frame_header(bytes, 4, type, request);
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(count * sizeof fd);
  part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(count * sizeof fd);
  for (i = 0; i < count; i++)
    memcpy(CMSG_DATA(part) + i * sizeof fd, &fd, sizeof fd);
  if (sendmsg(fake->end, &message, MSG_NOSIGNAL) < 0)
    abort();
}

static void unasked_descriptors(void)
{
  static const size_t counts[] = {1, 2, 3, 4, 5, 8, 64, MANY};
  int descriptors = count_descriptors(), right = 1, null;
  size_t i;

  null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (i = 0; i < sizeof counts / sizeof *counts; i++) {
    struct fake fake;

    open_fake(&fake, CELL_DEADLINE);
    pass(&fake, null, counts[i], CELL_DONE, fake.request);
    step(&fake);
    right = right && cell_sandbox_error(fake.sandbox)->kind == CELL_PROTOCOL;
    close_fake(&fake);
  }
  cell_fd_close(&null);
  check(right, "an answer with descriptors nobody asked for is wrong #S055");
  check(count_descriptors() == descriptors, "and all of them are closed");
}

/* Answers to questions that were forgotten are dropped, theirs too. */
static void forgotten_descriptor(void)
{
  int descriptors = count_descriptors(), null;
  struct fake fake;

  open_fake(&fake, CELL_DIAL);
  null = open("/dev/null", O_RDWR | O_CLOEXEC);
  cell_sandbox_forget(fake.sandbox, fake.request);
  pass(&fake, null, 1, CELL_DONE, fake.request);
  step(&fake);
  close_fake(&fake);
  cell_fd_close(&null);
  check(count_descriptors() == descriptors,
        "a late answer's descriptor is closed #S055");
}

/* ---- where one is due ---- */

static enum cell_kind verdict_on(uint32_t question, int fd)
{
  struct fake fake;
  enum cell_kind kind;

  open_fake(&fake, question);
  if (question == CELL_DIAL)
    say_with(&fake, &fd, 1, CELL_DONE, fake.request, "4", 0u);
  else
    say_with(&fake, &fd, 1, CELL_CONTENT, fake.request, "484s", 0u, (uint64_t)1,
             1u, "");
  cell_fd_close(&fd);
  step(&fake);
  kind = cell_sandbox_error(fake.sandbox)->kind;
  close_fake(&fake);
  return kind;
}

static int fifo_end(void)
{
  int ends[2];

  if (cell_fd_pipe(ends) < 0)
    abort();
  cell_fd_close(&ends[1]);
  return ends[0];
}

static int unix_end(void)
{
  int ends[2];

  if (cell_fd_pair(SOCK_STREAM, ends) < 0)
    abort();
  cell_fd_close(&ends[1]);
  return ends[0];
}

static int listener(struct sockaddr_in *address)
{
  socklen_t size = sizeof *address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)address, sizeof *address) < 0 ||
      listen(fd, 1) < 0 ||
      getsockname(fd, (struct sockaddr *)address, &size) < 0)
    abort();
  return fd;
}

static int datagram_end(const struct sockaddr_in *address)
{
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
    abort();
  return fd;
}

static void dialled(void)
{
  struct sockaddr_in address;
  struct cell_answer answer;
  struct fake fake;
  int waiting = listener(&address), fd;

  check(verdict_on(CELL_DIAL, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) ==
            CELL_PROTOCOL &&
          verdict_on(CELL_DIAL, fifo_end()) == CELL_PROTOCOL &&
          verdict_on(CELL_DIAL, unix_end()) == CELL_PROTOCOL,
        "a directory, a pipe, a unix socket are no connection #S056");
  check(verdict_on(CELL_DIAL, datagram_end(&address)) == CELL_PROTOCOL &&
          verdict_on(CELL_DIAL, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
                                       0)) == CELL_PROTOCOL &&
          verdict_on(CELL_DIAL, fcntl(waiting, F_DUPFD_CLOEXEC, 3)) ==
            CELL_PROTOCOL,
        "nor a socket of datagrams, without a peer, or that listens #S056");
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    abort();
  open_fake(&fake, CELL_DIAL);
  say_with(&fake, &fd, 1, CELL_DONE, fake.request, "4", 0u);
  cell_fd_close(&fd);
  step(&fake);
  if (check(cell_sandbox_answer(fake.sandbox, fake.request, &answer, NULL) == 1,
            "a connection is what a dial asks for")) {
    check((fcntl(answer.fd, F_GETFL) & O_NONBLOCK) != 0 &&
            (fcntl(answer.fd, F_GETFD) & FD_CLOEXEC) != 0,
          "it does not block and does not pass an exec, as it was #S056");
    cell_answer_clear(&answer);
  }
  close_fake(&fake);
  cell_fd_close(&waiting);
}

static void content(void)
{
  static const char name[] = "/proc/self/exe";
  int memory = memfd_create("content", MFD_CLOEXEC);

  check(verdict_on(CELL_FILE_READ, open(name, O_RDONLY | O_CLOEXEC)) == CELL_OK,
        "content is a file to read");
  check(verdict_on(CELL_FILE_READ, memory) == CELL_PROTOCOL,
        "not one that can be written too");
  check(verdict_on(CELL_FILE_READ, open(name, O_PATH | O_CLOEXEC)) ==
            CELL_PROTOCOL &&
          verdict_on(CELL_FILE_READ, fifo_end()) == CELL_PROTOCOL &&
          verdict_on(CELL_FILE_READ, open("/dev/zero", O_RDONLY | O_CLOEXEC)) ==
            CELL_PROTOCOL &&
          verdict_on(CELL_FILE_READ, open("/", O_RDONLY | O_CLOEXEC)) ==
            CELL_PROTOCOL,
        "nor a place, a pipe, a device or a directory #S056 #S068");
}

/* ---- silence and absence ---- */

static void silent(void)
{
  struct fake fake;
  struct cell_answer answer;
  struct cell_error error;

  open_fake(&fake, CELL_METRICS);
  cell_reactor_move_clock(fake.reactor, INT64_C(62) * 1000000000);
  step(&fake);
  check(cell_sandbox_answer(fake.sandbox, fake.request, &answer, &error) < 0 &&
          error.kind == CELL_TIMEOUT,
        "a warden that does not answer is ended at the deadline #S049 #S132");
  expect(&fake, CELL_TIMEOUT, "so is its sandbox");
}

/* Gone before hello, after it, with a question, with a process. */
static void absent(void)
{
  static const uint32_t questions[] = {NOTHING, CELL_METRICS, CELL_SPAWN};
  struct cell_answer answer;
  struct cell_error error;
  struct fake fake;
  size_t i;

  open_silent(&fake);
  cell_fd_close(&fake.end);
  expect(&fake, CELL_SANDBOX_GONE, "a warden that is gone before hello #S050");
  for (i = 0; i < 3; i++) {
    open_fake(&fake, questions[i]);
    if (questions[i] == CELL_SPAWN)
      SAY(&fake, CELL_SPAWNED, fake.request, "4s4", 0u, "", 2u);
    cell_fd_close(&fake.end);
    step(&fake);
    if (questions[i] == CELL_METRICS)
      check(cell_sandbox_answer(fake.sandbox, fake.request, &answer, &error) <
                0 &&
              error.kind == CELL_SANDBOX_GONE,
            "its questions are answered by that #S050");
    expect(&fake, CELL_SANDBOX_GONE, "a warden that is gone later #S050");
  }
}

static void last_words(void)
{
  struct cell_answer answer;
  struct fake fake;

  open_fake(&fake, CELL_DEADLINE);
  SAY(&fake, CELL_DONE, fake.request, "4", 0u);
  cell_fd_close(&fake.end);
  step(&fake);
  if (check(cell_sandbox_answer(fake.sandbox, fake.request, &answer, NULL) == 1,
            "what it said before it went counts, heard or not"))
    cell_answer_clear(&answer);
  expect(&fake, CELL_SANDBOX_GONE, "and then it is gone");
}

int main(void)
{
  int descriptors = count_descriptors();

  unasked_descriptors();
  forgotten_descriptor();
  dialled();
  content();
  silent();
  absent();
  last_words();
  check(count_descriptors() == descriptors, "no descriptor is left");
  return check_status();
}
