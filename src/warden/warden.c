/* warden.c -- see warden.h. */
#include "warden.h"

#include "calls.h"
#include "identity.h"
#include "limits/deadline.h"
#include "limits/metrics.h"
#include "limits/watchdog.h"
#include "lockdown.h"
#include "network/network.h"
#include "priority.h"
#include "process/reaper.h"
#include "process/session.h"
#include "root/mount.h"
#include "root/store.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

int64_t warden_now_ms(void)
{
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

uint64_t warden_memory_kills(const struct warden *warden)
{
  return warden->watchdog_kills + cgroup_oom_kills(&warden->cgroup);
}

/* Everything of the stem must go before anything else is done. */
static void leave_stem(struct warden *warden)
{
  int fds[8 + CELL_FOLDERS_MAX];
  size_t count = mounts_descriptors(warden->birth->mounts, fds + 8);

  if (warden->birth->channel != CELL_CHANNEL)
    dup3(warden->birth->channel, CELL_CHANNEL, O_CLOEXEC);
  warden->channel = fds[0] = CELL_CHANNEL;
  fds[1] = warden->cgroup.oom_kills;
  fds[2] = warden->cgroup.usage;
  fds[3] = warden->cgroup.peak;
  fds[4] = warden->cgroup.cpu;
  fds[5] = warden->birth->host;
  fds[6] = warden->refuse.names = warden->birth->names;
  fds[7] = warden->zygote = warden->birth->zygote;
  self_keep_only(fds, 8 + count);
  fcntl(CELL_CHANNEL, F_SETFL, 0); /* sends wait for room */
  setsid(); /* a group with the reaper, to be killed at once */
  self_name(&warden->birth->title, "codecell-sandbox", warden->birth->id);
  prctl(PR_SET_NAME, "codecell-warden", 0, 0, 0);
}

static int read_configuration(struct warden *warden, struct failure *failure)
{
  struct cell_unpacker unpacker;
  uint64_t milliseconds;
  int got = wire_receive(warden->channel, &warden->message, 1);

  if (got == 0)
    _exit(CELL_EXIT_GOODBYE);
  if (got < 0)
    return fail(failure, "configure");
  if (warden->message.frame.type == CELL_GOODBYE)
    _exit(CELL_EXIT_GOODBYE);
  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  milliseconds = cell_unpack_u64(&unpacker);
  warden->uid = cell_unpack_u32(&unpacker);
  warden->memory = cell_unpack_u64(&unpacker);
  warden->disk = cell_unpack_u64(&unpacker);
  warden->processes = cell_unpack_u32(&unpacker);
  warden->files = cell_unpack_u32(&unpacker);
  warden->read_only = cell_unpack_u32(&unpacker);
  gateway_read(&warden->gateway, &unpacker);
  if (warden->message.frame.type != CELL_CONFIGURE ||
      !cell_unpack_done(&unpacker))
    errno = EPROTO;
  else if (deadline_set(milliseconds) == 0)
    return 0;
  return fail(failure, "configure");
}

static int take_identity(struct warden *warden, struct failure *failure)
{
  int self, result;

  priority_normal();
  warden->proc =
    mount_new("proc", NULL, MOUNT_NO_SETUID | MOUNT_NO_DEVICES | MOUNT_NO_EXEC);
  if (warden->proc < 0)
    return fail(failure, "proc");
  self = openat(warden->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (self < 0)
    return fail(failure, "proc");
  result = identity_map(self, warden->uid, CELL_INSIDE_UID, CELL_INSIDE_UID);
  if (result < 0)
    fail(failure, "maps");
  close(self);
  return result;
}

/* Where sessions enter, these were made with the warden, and are empty. */
static int furnish_own(struct warden *warden, struct failure *failure)
{
  if (warden->zygote < 0)
    return 0;
  warden->refuse.names = network_furnish();
  if (warden->refuse.names < 0 || sethostname("sandbox", 7) < 0)
    return fail(failure, "namespaces");
  return 0;
}

/* Those of the warden itself; the code's own are set in each child. */
static int set_limits(struct failure *failure)
{
  /* 1, not 0: a core_pattern that is a program runs it, as root of the machine,
  ** for a limit of 0 too. */
  struct rlimit core = {1, 1}, none = {0, 0};

  /* A host whose own hard limit is 0 cannot give more. */
  if ((setrlimit(RLIMIT_CORE, &core) < 0 &&
       setrlimit(RLIMIT_CORE, &none) < 0) ||
      setrlimit(RLIMIT_RTPRIO, &none) < 0 || setrlimit(RLIMIT_NICE, &none) < 0)
    return fail(failure, "limits");
  return 0;
}

static int lock_down(struct warden *warden, struct failure *failure)
{
  if (set_limits(failure) < 0 || lockdown_capabilities(failure) < 0)
    return -1;
  warden->landlock_abi = lockdown_landlock_abi();
  warden->ruleset = -1;
  return lockdown_filter(failure);
}

static int prepare(struct warden *warden, struct failure *failure)
{
  sigset_t set;

  deadline_prepare();
  if (read_configuration(warden, failure) < 0 ||
      take_identity(warden, failure) < 0 || furnish_own(warden, failure) < 0 ||
      gateway_open(&warden->gateway, warden->channel, failure) < 0)
    return -1;
  refuse_start(warden);
  if (reaper_start(warden, failure) < 0 ||
      store_mount(warden->disk, warden->birth->mounts, warden->read_only != 0,
                  failure) < 0)
    return -1;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGALRM); /* heard here while it is blocked */
  warden->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (warden->signals < 0)
    return fail(failure, "start");
  if (lock_down(warden, failure) < 0)
    return -1;
  warden->processes_by = warden->cgroup.by[CGROUP_PROCESSES];
  if (warden->processes_by == CELL_BY_NONE)
    warden->processes_by = CELL_BY_RLIMIT;
  return reaper_wait_ready(warden, failure);
}

static void say_hello(struct warden *warden)
{
  unsigned char bytes[32];
  struct cell_packer packer;
  enum cell_mechanism memory = warden->cgroup.by[CGROUP_MEMORY];

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, memory != CELL_BY_NONE ? memory : CELL_BY_WATCHDOG);
  cell_pack_u32(&packer, warden->processes_by);
  cell_pack_u32(&packer, warden->cgroup.by[CGROUP_CPU]);
  cell_pack_u32(&packer, CELL_BY_TMPFS);
  cell_pack_u32(&packer, CELL_BY_RLIMIT);
  cell_pack_u32(&packer, warden->landlock_abi >= 2 ? warden->landlock_abi : 0);
  cell_pack_u32(&packer, warden->birth->groups_kept);
  wire_send(warden->channel, CELL_HELLO, 0, &packer, -1);
}

static void serve(struct warden *warden)
{
  switch (wire_receive(warden->channel, &warden->message, 0)) {
  case 0:
    _exit(CELL_EXIT_GOODBYE);
  case 1:
    break;
  default:
    return;
  }
  switch (warden->message.frame.type) {
  case CELL_SPAWN:
    spawn_start(warden);
    break;
  case CELL_SIGNAL:
    spawn_signal(warden);
    break;
  case CELL_RESIZE:
    spawn_resize(warden);
    break;
  case CELL_DEADLINE:
    deadline_change(warden);
    break;
  case CELL_METRICS:
    metrics_answer(warden);
    break;
  case CELL_DIAL:
    dial_start(warden);
    break;
  case CELL_CHANGES:
    changes_serve(warden);
    break;
  case CELL_WATCH:
    watch_start(warden);
    break;
  case CELL_WATCH_NEXT:
    watch_next(warden);
    break;
  case CELL_UNWATCH:
    watch_stop(warden);
    break;
  case CELL_LISTEN:
    gateway_listen(warden);
    break;
  case CELL_ASK_ON:
    refuse_more(warden);
    break;
  case CELL_GOODBYE:
    _exit(CELL_EXIT_GOODBYE);
  default:
    files_serve(warden);
  }
  wire_clear(&warden->message);
}

static void reap(struct warden *warden)
{
  struct rusage usage;
  int status;
  pid_t pid;

  while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
    if (pid == warden->reaper)
      _exit(CELL_EXIT_REAPER);
    if (!spawn_reaped(warden, pid, status, &usage))
      files_reaped(warden, pid, status);
  }
}

static void take_signals(struct warden *warden)
{
  struct signalfd_siginfo information;

  while (read(warden->signals, &information, sizeof information) > 0)
    if (information.ssi_signo == SIGALRM)
      deadline_came(warden);
  reap(warden);
}

static int watches(const struct warden *warden)
{
  return warden->cgroup.by[CGROUP_MEMORY] == CELL_BY_NONE;
}

/* The sooner one; -1: never. */
static int sooner(int one, int other)
{
  return one < 0 || (other >= 0 && other < one) ? other : one;
}

static int next_timeout(const struct warden *warden)
{
  int timeout = watch_put_off(warden);
  int64_t left;

  if (warden->dials.count > 0)
    return sooner(timeout, WATCHDOG_MS);
  if (!watches(warden))
    return timeout;
  left = warden->watched + WATCHDOG_MS - warden_now_ms();
  return sooner(timeout, left > 0 ? (int)left : 0);
}

/* Always there: the channel, the signals, the host, the watches (or -1), the
** questions for names (or -1). */
#define ALWAYS 5

/* What tells of its start, or, of a session, all that becomes of it; or -1. */
static int news_of(const struct job *job)
{
  return job->session >= 0 ? job->session : job->report;
}

/* Room for these, all reports and all dials. */
static size_t gather(const struct warden *warden, struct pollfd *fds)
{
  size_t i, count = ALWAYS;

  fds[0].fd = warden->channel;
  fds[1].fd = warden->signals;
  fds[2].fd = warden->birth->host;
  fds[3].fd = watch_put_off(warden) < 0 ? warden->watches.inotify : -1;
  fds[4].fd = warden->refuse.names;
  for (i = 0; i < ALWAYS; i++)
    fds[i].events = POLLIN;
  for (i = 0; i < warden->jobs.count; i++) {
    int fd = news_of(&warden->jobs.list[i]);

    if (fd >= 0) {
      fds[count].fd = fd;
      fds[count++].events = POLLIN;
    }
  }
  for (i = 0; i < warden->dials.count; i++) {
    fds[count].fd = warden->dials.list[i].fd;
    fds[count++].events = POLLOUT;
  }
  return count;
}

static void take_reports(struct warden *warden, const struct pollfd *fds,
                         size_t count)
{
  size_t i, j;

  for (i = ALWAYS; i < count; i++)
    for (j = 0; fds[i].revents != 0 && j < warden->jobs.count; j++) {
      struct job *job = &warden->jobs.list[j];

      if (news_of(job) != fds[i].fd)
        continue;
      if (job->session >= 0)
        session_hear(warden, job);
      else
        spawn_report(warden, job);
      break;
    }
}

static void loop(struct warden *warden)
{
  static struct pollfd fds[ALWAYS + JOBS_MAX + DIALS_MAX];
  size_t count;

  for (;;) {
    count = gather(warden, fds);
    if (poll(fds, (nfds_t)count, next_timeout(warden)) < 0)
      continue;
    /* The stem sees this too, but may have been killed; and a forked copy of
    ** the host may hold the channel open. */
    if (fds[2].revents != 0)
      _exit(CELL_EXIT_GOODBYE);
    take_reports(warden, fds, count);
    if (warden->dials.count > 0)
      dial_check(warden);
    if (fds[1].revents != 0)
      take_signals(warden);
    if (fds[3].revents != 0 || watch_put_off(warden) == 0)
      watch_take(warden);
    if (fds[0].revents != 0)
      serve(warden);
    if (fds[4].revents != 0)
      refuse_serve(warden);
    if (watches(warden) && warden_now_ms() >= warden->watched + WATCHDOG_MS) {
      watchdog_look(warden);
      warden->watched = warden_now_ms();
    }
  }
}

void warden_run(const struct birth *birth)
{
  static struct warden warden; /* large: tables and the message */
  struct failure failure = {0, "", ""};

  warden.birth = birth;
  warden.cgroup = birth->cgroup;
  warden.changes.inotify = warden.watches.inotify = -1;
  leave_stem(&warden);
  if (prepare(&warden, &failure) < 0) {
    wire_send_failure(warden.channel, CELL_FAILED, 0, failure.number,
                      failure.stage);
    _exit(CELL_EXIT_FAILED);
  }
  say_hello(&warden);
  if (warden.landlock_abi >= 2)
    warden.ruleset =
      lockdown_landlock_rules(warden.landlock_abi, birth->mounts);
  warden.watched = warden_now_ms();
  loop(&warden);
}
