/* session.c -- see session.h. */
#include "session.h"

#include "../../zygote/parcel.h"
#include "../../zygote/session.h"
#include "../warden.h"
#include "reaper.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The namespaces of this very process, in the order in which they are entered.
 */
static const char *const names[SESSION_NAMESPACES] = {
  "user", "cgroup", "ipc", "uts", "net", "mnt", "pid_for_children"};

static int open_namespaces(const struct warden *warden, int *fds)
{
  char path[32];
  int i;

  for (i = 0; i < SESSION_NAMESPACES; i++) {
    snprintf(path, sizeof path, "self/ns/%s", names[i]);
    fds[i] = openat(warden->proc, path, O_RDONLY | O_CLOEXEC);
    if (fds[i] < 0)
      return -1;
  }
  return 0;
}

static void close_namespaces(const int *fds)
{
  int i;

  for (i = 0; i < SESSION_NAMESPACES; i++)
    if (fds[i] >= 0)
      close(fds[i]);
}

/* Both ends; ours is told who sends. */
static int open_report(int ends[2])
{
  int on = 1;

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return -1;
  return setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}

static int order(const struct warden *warden, const struct program *program,
                 const int *namespaces, int report)
{
  struct session_order order;
  int fds[SESSION_FIXED + 1], i;

  memset(&order, 0, sizeof order);
  order.memory = warden->memory;
  order.processes = warden->processes;
  order.files = warden->files;
  order.has_ruleset = warden->ruleset >= 0;
  if (program_folder(program->cwd, order.cwd, sizeof order.cwd) < 0)
    return -1;
  for (i = 0; i < SESSION_NAMESPACES; i++)
    fds[i] = namespaces[i];
  for (i = 0; i < 4; i++)
    fds[SESSION_STDOUT + i] = program->fds[i + 1];
  fds[SESSION_REPORT] = report;
  fds[SESSION_FIXED] = warden->ruleset;
  return parcel_send(warden->zygote, &order, sizeof order, fds,
                     SESSION_FIXED + (size_t)order.has_ruleset);
}

int session_start(struct warden *warden, const struct program *program,
                  struct job *job, const char **stage)
{
  int namespaces[SESSION_NAMESPACES] = {-1, -1, -1, -1, -1, -1, -1};
  int ends[2] = {-1, -1}, result = -1, number;

  *stage = "zygote";
  errno = ENOTCONN;
  if (warden->zygote >= 0 && open_report(ends) == 0 &&
      open_namespaces(warden, namespaces) == 0)
    result = order(warden, program, namespaces, ends[1]);
  number = errno;
  close_namespaces(namespaces);
  if (ends[1] >= 0)
    close(ends[1]);
  if (result == 0) {
    job->session = ends[0];
    return 0;
  }
  if (ends[0] >= 0)
    close(ends[0]);
  return number;
}

void session_close(struct warden *warden)
{
  if (warden->zygote >= 0)
    close(warden->zygote);
  warden->zygote = -1;
}

void session_hear(struct warden *warden, struct job *job)
{
  struct session_report report;
  struct parcel parcel;
  int got = parcel_receive(job->session, &report, sizeof report, &parcel, 0);

  if (got < 0 && errno == EAGAIN)
    return;
  parcel_close(&parcel);
  if (got == 1 && report.news == SESSION_STARTED && job->pid == 0 &&
      parcel.sender > 0) {
    spawn_session_started(warden, job, parcel.sender, report.seen);
    return;
  }
  if (got != 1 || report.news == SESSION_STARTED) {
    memset(&report, 0, sizeof report);
    report.news = SESSION_ENDED;
    report.number = ECHILD;
    report.status = SIGKILL; /* it ended, and nobody is left to say how */
  }
  report.stage[sizeof report.stage - 1] = '\0';
  spawn_session_ended(warden, job, &report);
}
