/* warden_host.h -- the host's part, played for the warden executable.
**
** Blocking and simple on purpose: it shares nothing with the engine but frames
** and packing.
*/
#ifndef CELL_WARDEN_HOST_H
#define CELL_WARDEN_HOST_H

#include "embedded.h"
#include "wire/frame.h"
#include "wire/pack.h"
#include "wire/protocol.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define TITLE_SIZE 64

struct message {
  struct cell_frame frame;
  struct cell_unpacker unpacker;
  int fd; /* the one that came with it, or -1 */
  unsigned char bytes[CELL_FRAME_HEADER + CELL_MESSAGE_MAX];
};

struct sandbox {
  uint64_t number;
  int channel;
  int pidfd;
  uint64_t request; /* of the last question */
  uint32_t hello[7];
};

static int failures, executable;
static struct message message; /* the last that came */
static unsigned char payload[CELL_MESSAGE_MAX];

static void check(int good, const char *format, ...)
{
  va_list arguments;

  printf("%s - ", good ? "ok" : "not ok");
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf("\n");
  fflush(stdout);
  failures += !good;
}

__attribute__((unused)) static double now(void)
{
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- messages ---- */

static int say(int channel, uint32_t type, uint64_t request,
               const struct cell_packer *packer, const int *fds, size_t count)
{
  unsigned char head[CELL_FRAME_HEADER];
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * 4)];
  } control;
  struct iovec vector[2];
  struct msghdr header;

  memset(&header, 0, sizeof header);
  memset(&control, 0, sizeof control);
  cell_frame_header(head, packer != NULL ? (uint32_t)packer->used : 0, type,
                    request);
  vector[0].iov_base = head;
  vector[0].iov_len = sizeof head;
  vector[1].iov_base = packer != NULL ? packer->bytes : NULL;
  vector[1].iov_len = packer != NULL ? packer->used : 0;
  header.msg_iov = vector;
  header.msg_iovlen = 2;
  if (count > 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
  }
  return sendmsg(channel, &header, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* 1: message filled; 0: end of file; -1: nothing came in time. */
static int hear(int channel, int timeout_ms)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * 4)];
  } control;
  struct pollfd poller = {channel, POLLIN, 0};
  struct iovec vector = {message.bytes, sizeof message.bytes};
  struct msghdr header;
  struct cmsghdr *part;
  ssize_t length;

  memset(&header, 0, sizeof header);
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;
  if (poll(&poller, 1, timeout_ms) <= 0)
    return -1;
  length = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
  if (length <= 0)
    return 0;
  message.fd = -1;
  part = CMSG_FIRSTHDR(&header);
  if (part != NULL)
    memcpy(&message.fd, CMSG_DATA(part), sizeof message.fd);
  if (cell_frame_parse(message.bytes, (size_t)length, CELL_MESSAGE_MAX,
                       &message.frame) != length)
    return 0;
  cell_unpack_start(&message.unpacker, message.frame.payload,
                    message.frame.length);
  return 1;
}

static struct cell_packer *start_payload(void)
{
  static struct cell_packer packer;

  cell_pack_start(&packer, payload, sizeof payload);
  return &packer;
}

static uint32_t number(void)
{
  return cell_unpack_u32(&message.unpacker);
}

__attribute__((unused)) static uint64_t large(void)
{
  return cell_unpack_u64(&message.unpacker);
}

static const char *text(void)
{
  static char buffers[4][8192];
  static int which;
  char *buffer = buffers[which++ & 3];

  cell_unpack_string(&message.unpacker, buffer, 8192);
  return buffer;
}

/* ---- stem and sandboxes ---- */

static pid_t start_stem(int *channel)
{
  static char title[TITLE_SIZE + 1];
  char *argv[] = {title, NULL}, *envs[] = {NULL};
  int ends[2], null;
  pid_t pid;

  memset(title, ' ', TITLE_SIZE);
  memcpy(title, "codecell-stem", 13);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return -1;
  pid = fork();
  if (pid == 0) {
    int program = fcntl(executable, F_DUPFD_CLOEXEC, 64);
    int far = fcntl(ends[1], F_DUPFD_CLOEXEC, 64);

    null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    dup2(far, CELL_CHANNEL);
    dup3(program, 4, O_CLOEXEC);
    syscall(SYS_close_range, 5, ~0u, 0);
    fexecve(4, argv, envs);
    _exit(126);
  }
  close(ends[1]);
  *channel = ends[0];
  return pid;
}

__attribute__((unused)) static int set_up(int channel, const char *bind)
{
  struct cell_packer *packer = start_payload();
  uint32_t failure;

  cell_pack_u32(packer, 0);
  cell_pack_string(packer, ""); /* the programs of the host */
  cell_pack_u32(packer, bind != NULL);
  if (bind != NULL)
    cell_pack_string(packer, bind);
  say(channel, CELL_STEM_SETUP, 0, packer, NULL, 0);
  if (hear(channel, PATIENCE_MS) != 1 || message.frame.type != CELL_STEM_READY)
    return -1;
  failure = number();
  if (failure != 0)
    printf("# stem: stage %s, %s, %s\n", text(), strerror((int)failure),
           text());
  return failure == 0 ? 0 : -1;
}

struct options {
  uint64_t timeout_ms, memory, disk;
  uint32_t uid, processes, files, cpu_milli;
};

/* It outlives the tests that it is for, however busy the machine is. */
static const struct options usual = {900000, 512u << 20, 256u << 20, 1000,
                                     64,     256,        0};

static void send_create(int stem, struct sandbox *sandbox,
                        const struct options *options)
{
  static uint64_t count;
  struct cell_packer *packer = start_payload();
  char id[CELL_ID_SIZE];
  int ends[2];

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    exit(2);
  memset(sandbox, 0, sizeof *sandbox);
  sandbox->number = ++count;
  sandbox->channel = ends[0];
  sandbox->pidfd = -1;
  snprintf(id, sizeof id, "i%020llu", (unsigned long long)count);
  cell_pack_string(packer, id);
  cell_pack_u64(packer, options->memory);
  cell_pack_u32(packer, options->processes);
  cell_pack_u32(packer, options->cpu_milli);
  cell_pack_u32(packer, 0); /* mounts */
  say(stem, CELL_STEM_CREATE, sandbox->number, packer, &ends[1], 1);
  close(ends[1]);
  packer = start_payload();
  cell_pack_u64(packer, options->timeout_ms);
  cell_pack_u32(packer, options->uid);
  cell_pack_u64(packer, options->memory);
  cell_pack_u64(packer, options->disk);
  cell_pack_u32(packer, options->processes);
  cell_pack_u32(packer, options->files);
  cell_pack_u32(packer, 0); /* the home can be written to */
  cell_pack_u32(packer, CELL_NETWORK_NONE);
  say(sandbox->channel, CELL_CONFIGURE, 0, packer, NULL, 0);
}

static int take_created(int stem, struct sandbox *sandbox)
{
  uint32_t failure;

  do
    if (hear(stem, PATIENCE_MS) != 1)
      return -1;
  while (message.frame.type != CELL_STEM_CREATED ||
         message.frame.request != sandbox->number);
  failure = number();
  if (failure != 0)
    printf("# create: stage %s, %s\n", text(), strerror((int)failure));
  sandbox->pidfd = message.fd;
  return failure == 0 && message.fd >= 0 ? 0 : -1;
}

static int take_hello(struct sandbox *sandbox)
{
  uint32_t failure;
  int i;

  if (hear(sandbox->channel, PATIENCE_MS) != 1)
    return -1;
  if (message.frame.type == CELL_FAILED) {
    failure = number();
    printf("# warden: stage %s, %s\n", text(), strerror((int)failure));
    return -1;
  }
  for (i = 0; i < 7; i++)
    sandbox->hello[i] = number();
  return message.frame.type == CELL_HELLO && cell_unpack_done(&message.unpacker)
           ? 0
           : -1;
}

static int create(int stem, struct sandbox *sandbox,
                  const struct options *options)
{
  send_create(stem, sandbox, options);
  if (take_created(stem, sandbox) < 0)
    return -1;
  return take_hello(sandbox);
}

/* Wait until the warden has gone. */
__attribute__((unused)) static int gone(const struct sandbox *sandbox,
                                        int timeout_ms)
{
  struct pollfd poller = {sandbox->pidfd, POLLIN, 0};

  return poll(&poller, 1, timeout_ms) == 1;
}

static void release(struct sandbox *sandbox)
{
  if (sandbox->channel >= 0)
    close(sandbox->channel);
  if (sandbox->pidfd >= 0)
    close(sandbox->pidfd);
  sandbox->channel = sandbox->pidfd = -1;
}

/* ---- processes ---- */

struct running {
  uint64_t request;
  int in, out, err, to_kernel, from_kernel, master;
  uint32_t failure, pid;
  char stage[32];
};

static void spawn(struct sandbox *sandbox, struct running *running,
                  enum cell_spawn_kind kind, const char *cwd, int flags,
                  const char *const *argv)
{
  static const char *const envs[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                     "HOME=/home/user", "LANG=C.UTF-8"};
  struct cell_packer *packer = start_payload();
  int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
  int to_kernel[2] = {-1, -1}, from_kernel[2] = {-1, -1};
  int fds[5];
  size_t count = 0, i;

  memset(running, 0, sizeof *running);
  cell_pack_u32(packer, (uint32_t)kind);
  cell_pack_u32(packer, (uint32_t)flags);
  cell_pack_u32(packer, 24);
  cell_pack_u32(packer, 80);
  cell_pack_string(packer, cwd);
  for (i = 0; argv[i] != NULL; i++)
    ;
  cell_pack_u32(packer, (uint32_t)i);
  for (i = 0; argv[i] != NULL; i++)
    cell_pack_string(packer, argv[i]);
  cell_pack_u32(packer, 3);
  for (i = 0; i < 3; i++)
    cell_pack_string(packer, envs[i]);
  if (kind != CELL_TERMINAL) {
    for (i = flags & CELL_SPAWN_STDIN ? 0 : 1; i < 3; i++) {
      if (pipe2(pipes[i], O_CLOEXEC) < 0)
        exit(2);
      fds[count++] = pipes[i][i == 0 ? 0 : 1];
    }
    if (kind == CELL_KERNEL) {
      if (pipe2(to_kernel, O_CLOEXEC) < 0 || pipe2(from_kernel, O_CLOEXEC) < 0)
        exit(2);
      fds[count++] = to_kernel[0];
      fds[count++] = from_kernel[1];
    }
  }
  running->request = ++sandbox->request;
  say(sandbox->channel, CELL_SPAWN, running->request, packer, fds, count);
  for (i = 0; i < count; i++)
    close(fds[i]);
  running->in = pipes[0][1];
  running->out = pipes[1][0];
  running->err = pipes[2][0];
  running->to_kernel = to_kernel[1];
  running->from_kernel = from_kernel[0];
  running->master = -1;
}

static int take_spawned(struct sandbox *sandbox, struct running *running)
{
  if (hear(sandbox->channel, PATIENCE_MS) != 1 ||
      message.frame.type != CELL_SPAWNED ||
      message.frame.request != running->request)
    return -1;
  running->failure = number();
  snprintf(running->stage, sizeof running->stage, "%s", text());
  running->pid = number();
  running->master = message.fd;
  return cell_unpack_done(&message.unpacker) ? 0 : -1;
}

/* Wait status, or -1. */
static long take_exited(struct sandbox *sandbox, struct running *running,
                        uint32_t *out_of_memory)
{
  long status;
  uint32_t killed;

  if (hear(sandbox->channel, PATIENCE_MS) != 1 ||
      message.frame.type != CELL_EXITED ||
      message.frame.request != running->request)
    return -1;
  status = (long)number();
  killed = number();
  if (out_of_memory != NULL)
    *out_of_memory = killed;
  return status;
}

static size_t drain(int fd, char *buffer, size_t size)
{
  struct pollfd poller = {fd, POLLIN, 0};
  size_t used = 0;
  ssize_t length;

  while (used < size - 1 && poll(&poller, 1, PATIENCE_MS) == 1) {
    length = read(fd, buffer + used, size - 1 - used);
    if (length <= 0)
      break;
    used += (size_t)length;
  }
  buffer[used] = '\0';
  return used;
}

static void finish(struct running *running)
{
  int *fds[6];
  int i;

  fds[0] = &running->in;
  fds[1] = &running->out;
  fds[2] = &running->err;
  fds[3] = &running->to_kernel;
  fds[4] = &running->from_kernel;
  fds[5] = &running->master;
  for (i = 0; i < 6; i++) {
    if (*fds[i] >= 0)
      close(*fds[i]);
    *fds[i] = -1;
  }
}

/* Runs a shell command to its end; its standard output in a static buffer. */
static const char *shell(struct sandbox *sandbox, const char *command,
                         long *status)
{
  static char buffer[16384];
  const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
  struct running running;
  long result;

  argv[2] = command;
  spawn(sandbox, &running, CELL_COMMAND, "", 0, argv);
  if (take_spawned(sandbox, &running) < 0 || running.failure != 0) {
    printf("# spawn: stage %s, %s\n", running.stage,
           strerror((int)running.failure));
    finish(&running);
    return "";
  }
  drain(running.out, buffer, sizeof buffer);
  result = take_exited(sandbox, &running, NULL);
  if (status != NULL)
    *status = result;
  finish(&running);
  return buffer;
}

#endif
