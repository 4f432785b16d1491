/* zygote.c -- see zygote.h. */
#include "zygote.h"

#include "../../zygote/parcel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void zygote_clear(struct zygote *zygote)
{
  zygote->program = zygote->library = zygote->channel = zygote->orders =
    zygote->for_wardens = -1;
}

/* ---- what wardens and hosts are told ---- */

void zygote_tell(int host, int number, const char *text)
{
  unsigned char bytes[sizeof(struct session_word) + 16];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)number);
  cell_pack_string(&packer, text);
  if (host >= 0)
    wire_send(host, CELL_STEM_ZYGOTE, 0, &packer, -1);
}

/* Without waiting: a warden that does not read is about to end. */
static void report(int socket, const struct session_report *news)
{
  send(socket, news, sizeof *news, MSG_NOSIGNAL | MSG_DONTWAIT);
  close(socket);
}

static void report_failure(int socket, int number, const char *stage)
{
  struct session_report news;

  memset(&news, 0, sizeof news);
  news.news = SESSION_FAILED;
  news.number = number;
  strncpy(news.stage, stage, sizeof news.stage - 1);
  report(socket, &news);
}

static void report_end(int socket, int status, const struct rusage *usage)
{
  struct session_report news;

  memset(&news, 0, sizeof news);
  news.news = SESSION_ENDED;
  news.status = status;
  news.cpu_us =
    (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000u +
    (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
  news.memory_peak = (uint64_t)usage->ru_maxrss * 1024u;
  report(socket, &news);
}

/* ---- sessions ---- */

static int take_waiting(struct zygote *zygote)
{
  int socket = zygote->waiting[0];

  zygote->waiting_count--;
  memmove(zygote->waiting, zygote->waiting + 1,
          zygote->waiting_count * sizeof zygote->waiting[0]);
  return socket;
}

static int make_room(struct zygote *zygote)
{
  size_t size = zygote->size > 0 ? 2 * zygote->size : 16;
  struct zygote_session *grown;

  if (zygote->count < zygote->size)
    return 0;
  grown = realloc(zygote->sessions, size * sizeof *grown);
  if (grown == NULL)
    return -1;
  zygote->sessions = grown;
  zygote->size = size;
  return 0;
}

static void began(struct zygote *zygote, pid_t pid)
{
  int socket = take_waiting(zygote);
  size_t i;

  for (i = 0; i < zygote->stray_count; i++)
    if (zygote->strays[i].pid == pid) {
      report_end(socket, zygote->strays[i].status, &zygote->strays[i].usage);
      zygote->strays[i] = zygote->strays[--zygote->stray_count];
      return;
    }
  if (make_room(zygote) < 0) {
    kill(pid, SIGKILL); /* its warden sees its socket close */
    close(socket);
    return;
  }
  zygote->sessions[zygote->count].pid = pid;
  zygote->sessions[zygote->count++].report = socket;
}

void zygote_end(struct zygote *zygote)
{
  zygote->sealed = 0;
  while (zygote->waiting_count > 0)
    report_failure(take_waiting(zygote), ECHILD, "zygote");
  if (zygote->channel >= 0)
    close(zygote->channel);
  zygote->channel = -1;
  if (zygote->pid > 0)
    kill(zygote->pid, SIGKILL);
  zygote->pid = 0;
}

void zygote_hear(struct zygote *zygote, int host)
{
  struct session_word word;
  struct parcel parcel;
  int got = parcel_receive(zygote->channel, &word, sizeof word, &parcel, 0);

  if (got < 0 && errno == EAGAIN)
    return;
  parcel_close(&parcel);
  word.text[sizeof word.text - 1] = '\0';
  if (got == 1 && word.number == 0 && !zygote->sealed) {
    zygote->sealed = 1;
    zygote_tell(host, 0, "");
  } else if (got == 1 && zygote->sealed && zygote->waiting_count > 0) {
    if (word.pid > 0)
      began(zygote, word.pid);
    else
      report_failure(take_waiting(zygote), word.number, word.text);
  } else {
    zygote_tell(host, got == 1 ? word.number : ECHILD,
                got == 1 ? word.text : "it has ended");
    zygote_end(zygote);
  }
}

/* ---- orders ---- */

/* The files by which who writes 0 enters the groups of a sandbox. */
static size_t open_doors(const struct cgroup *cgroup, uint32_t group, int *fds)
{
  const char *name = cgroup->version == 2 ? "cgroup.procs" : "tasks";
  char path[48];
  size_t count = 0;
  int i;

  snprintf(path, sizeof path, "%u/%s", (unsigned)group, name);
  for (i = 0; group != 0 && i < CGROUP_CONTROLLERS; i++) {
    if (!cgroup_distinct(cgroup, i))
      continue;
    fds[count] = openat(cgroup->own[i], path, O_WRONLY | O_CLOEXEC);
    /* A group that limits the CPU is there only where it was asked for. */
    count += fds[count] >= 0;
  }
  return count;
}

/* The groups that a sandbox of this kind must have, or else nothing is passed
 * on.
 */
static int pass_on(const struct zygote *zygote, struct parcel *parcel,
                   const struct session_order *order,
                   const struct cgroup *cgroup, uint32_t group)
{
  size_t fixed = SESSION_FIXED + (order->has_ruleset != 0);

  if (parcel->count != fixed) {
    errno = EPROTO;
    return -1;
  }
  parcel->count += open_doors(cgroup, group, parcel->fds + fixed);
  if (group != 0 && parcel->count == fixed) {
    errno = ENOENT;
    return -1;
  }
  return parcel_send(zygote->channel, order, sizeof *order, parcel->fds,
                     parcel->count);
}

int zygote_orders(const struct zygote *zygote)
{
  return zygote->waiting_count < ZYGOTE_WAITING_MAX ? zygote->orders : -1;
}

void zygote_order(struct zygote *zygote, const struct cgroup *cgroup,
                  int64_t (*group_of)(const void *stem, pid_t pid),
                  const void *stem)
{
  static struct session_order order;
  struct parcel parcel;
  int64_t group;
  int socket;

  if (parcel_receive(zygote->orders, &order, sizeof order, &parcel, 0) != 1)
    return;
  group = group_of(stem, parcel.sender);
  if (group < 0 || parcel.count <= SESSION_REPORT) {
    parcel_close(&parcel);
    return;
  }
  socket = fcntl(parcel.fds[SESSION_REPORT], F_DUPFD_CLOEXEC, 3);
  if (!zygote->sealed)
    report_failure(socket, ECHILD, "zygote");
  else if (pass_on(zygote, &parcel, &order, cgroup, (uint32_t)group) < 0)
    report_failure(socket, errno, "zygote");
  else
    zygote->waiting[zygote->waiting_count++] = socket;
  parcel_close(&parcel);
}

void zygote_reaped(struct zygote *zygote, pid_t pid, int status,
                   const struct rusage *usage, int host)
{
  struct zygote_stray *stray;
  size_t i;

  if (pid == zygote->pid) {
    zygote->pid = 0;
    if (zygote->channel >= 0) /* its last word comes first */
      zygote_hear(zygote, host);
    if (zygote->channel >= 0)
      zygote_tell(host, ECHILD, "it has ended");
    zygote_end(zygote);
    return;
  }
  for (i = 0; i < zygote->count; i++)
    if (zygote->sessions[i].pid == pid) {
      report_end(zygote->sessions[i].report, status, usage);
      zygote->sessions[i] = zygote->sessions[--zygote->count];
      return;
    }
  if (zygote->stray_count == ZYGOTE_STRAYS_MAX)
    memmove(zygote->strays, zygote->strays + 1,
            --zygote->stray_count * sizeof zygote->strays[0]);
  stray = &zygote->strays[zygote->stray_count++];
  stray->pid = pid;
  stray->status = status;
  stray->usage = *usage;
}
