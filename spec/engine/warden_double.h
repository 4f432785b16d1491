/* warden_double.h -- a warden's part in a sandbox's conversation, played in the
** test's own thread: what it says lies in the socket until the reactor steps.
*/
#ifndef CELL_WARDEN_DOUBLE_H
#define CELL_WARDEN_DOUBLE_H

#include "check.h"
#include "sandbox/sandbox.h"
#include "wire/channel.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define NO_PAYLOAD (&(struct cell_packer){NULL, 0, 0, 0})

struct warden_double {
  struct cell_reactor *reactor;
  struct cell_sandbox *sandbox;
  int channel; /* the warden's end */
  /* the last message that it heard */
  unsigned char bytes[CELL_FRAME_HEADER + CELL_MESSAGE_MAX];
  struct cell_frame frame;
  int fds[CELL_FDS_MAX];
  size_t fd_count;
};

#define UNUSED __attribute__((unused))

UNUSED static int count_descriptors(void)
{
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;

  while (readdir(directory) != NULL)
    count++;
  closedir(directory);
  return count;
}

UNUSED static void double_open(struct warden_double *warden, int pidfd)
{
  const struct cell_sandbox_options options = {
    "idouble", 60000, 1u << 20, 1u << 20, 10, 100, 0, 0, 0, 0, NULL, 0};
  int ends[2];

  warden->fd_count = 0;
  cell_fd_pair(SOCK_SEQPACKET, ends);
  warden->reactor = cell_reactor_new(NULL);
  warden->channel = ends[1];
  warden->sandbox =
    cell_sandbox_attach(warden->reactor, &options, ends[0], pidfd, NULL);
}

UNUSED static void double_close_fds(struct warden_double *warden)
{
  while (warden->fd_count > 0)
    cell_fd_close(&warden->fds[--warden->fd_count]);
}

UNUSED static void double_close(struct warden_double *warden)
{
  cell_sandbox_release(warden->sandbox);
  cell_reactor_release(warden->reactor);
  cell_fd_close(&warden->channel);
  double_close_fds(warden);
}

/* The host handles all that has happened. */
UNUSED static void double_turn(struct warden_double *warden)
{
  while (cell_reactor_step(warden->reactor, 0, NULL) > 0)
    ;
}

/* Hear one message. Returns its type, 0 when there is none. */
UNUSED static uint32_t double_hear(struct warden_double *warden)
{
  int lost;
  long got;

  double_close_fds(warden);
  got = cell_fd_receive(warden->channel, warden->bytes, sizeof warden->bytes,
                        warden->fds, CELL_FDS_MAX, &warden->fd_count, &lost);
  if (got <= 0 || cell_frame_parse(warden->bytes, (size_t)got, CELL_MESSAGE_MAX,
                                   &warden->frame) != got)
    return 0;
  return warden->frame.type;
}

UNUSED static void double_send(struct warden_double *warden, const void *bytes,
                               size_t size)
{
  if (send(warden->channel, bytes, size, MSG_NOSIGNAL) < 0)
    check(errno == EPIPE, "the warden can speak");
}

/* Values by a format: 4 a u32, 8 a u64, s a string. */
struct packed {
  unsigned char bytes[256];
  struct cell_packer packer;
};

UNUSED static const struct cell_packer *pack(struct packed *packed,
                                             const char *format, ...)
{
  va_list values;

  cell_pack_start(&packed->packer, packed->bytes, sizeof packed->bytes);
  va_start(values, format);
  for (; *format != '\0'; format++) {
    if (*format == '4')
      cell_pack_u32(&packed->packer, va_arg(values, uint32_t));
    else if (*format == '8')
      cell_pack_u64(&packed->packer, va_arg(values, uint64_t));
    else
      cell_pack_string(&packed->packer, va_arg(values, const char *));
  }
  va_end(values);
  return &packed->packer;
}

UNUSED static void double_say(struct warden_double *warden, uint32_t type,
                              uint64_t request,
                              const struct cell_packer *payload)
{
  unsigned char header[CELL_FRAME_HEADER];

  cell_frame_header(header, (uint32_t)payload->used, type, request);
  if (cell_fd_send(warden->channel, header, sizeof header, payload->bytes,
                   payload->used, NULL, 0) < 0)
    check(errno == EPIPE, "the warden can speak");
}

UNUSED static void double_hello(struct warden_double *warden)
{
  struct packed packed;

  double_say(warden, CELL_HELLO, 0,
             pack(&packed, "4444444", CELL_BY_CGROUP2, CELL_BY_CGROUP2,
                  CELL_BY_NONE, CELL_BY_TMPFS, CELL_BY_RLIMIT, 4, 0));
  double_turn(warden);
}

/* Opened, and it has said hello. */
UNUSED static void double_run(struct warden_double *warden)
{
  double_open(warden, -1);
  double_hello(warden);
  check(double_hear(warden) == CELL_CONFIGURE &&
          cell_sandbox_state(warden->sandbox) == CELL_SANDBOX_RUNNING,
        "a sandbox runs");
}

UNUSED static enum cell_kind double_verdict(struct warden_double *warden)
{
  double_turn(warden);
  return cell_sandbox_error(warden->sandbox)->kind;
}

#endif
