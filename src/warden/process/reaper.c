/* reaper.c -- see reaper.h. */
#include "reaper.h"

#include "../calls.h"
#include "../limits/standstill.h"
#include "../lockdown.h"
#include "../root/boot.h"
#include "../root/mount.h"
#include "../warden.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define PROC (MOUNT_NO_SETUID | MOUNT_NO_DEVICES | MOUNT_NO_EXEC)

static const char *const hidden[] = {
  "/proc/kcore",       "/proc/keys",          "/proc/kmsg", "/proc/timer_list",
  "/proc/sched_debug", "/proc/sysrq-trigger", NULL,
};

/* In /proc/pressure anybody may have the kernel keep watch of the machine. */
static const char *const frozen[] = {"/proc/sys", "/proc/bus", "/proc/irq",
                                     "/proc/pressure", NULL};

/* What is absent here hides nothing. */
static int mask(const char *source, const char *path, unsigned attributes)
{
  return mount_bind(source, path, attributes) < 0 && errno != ENOENT ? -1 : 0;
}

/* Only a member of the namespace can mount the proc that shows it. */
static int mount_proc(int *boot, struct failure *failure)
{
  int i;

  if (mount("none", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
      0)
    return fail(failure, "proc");
  for (i = 0; hidden[i] != NULL; i++)
    if (mask("/dev/null", hidden[i], PROC) < 0)
      return fail(failure, "masks");
  for (i = 0; frozen[i] != NULL; i++)
    if (mask(frozen[i], frozen[i], MOUNT_READ_ONLY) < 0)
      return fail(failure, "masks");
  *boot = boot_mount();
  return *boot < 0 && errno != ENOENT ? fail(failure, "boot") : 0;
}

static void say(int control, const struct failure *failure)
{
  send(control, failure, sizeof *failure, MSG_NOSIGNAL);
}

/* Orphans need no wait: the kernel reaps them where SIGCHLD is ignored. */
static void reap(struct warden *warden, int control)
{
  struct failure failure = {0, "", ""};
  int kept[2], boot = -1, number;

  self_name(&warden->birth->title, "codecell-reaper", "");
  prctl(PR_SET_NAME, "codecell-reaper", 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  signal(SIGCHLD, SIG_IGN);
  /* The warden's deadline: the first process of a namespace hears no signal of
  ** its own children but one that it has a handler for. */
  signal(SIGALRM, SIG_DFL);
  kept[0] = control;
  kept[1] = warden->proc;
  self_keep_only(kept, 2);
  if (mount_proc(&boot, &failure) < 0) {
    say(control, &failure);
    _exit(1);
  }
  say(control, &failure);
  sched_yield(); /* the warden may be on this very CPU: hello comes first */
  lockdown_counters(warden->proc);
  close(warden->proc);
  if (lockdown_capabilities(&failure) < 0 || lockdown_filter(&failure) < 0) {
    say(control, &failure);
    _exit(1);
  }
  say(control, &failure);
  while (recv(control, &number, sizeof number, 0) == sizeof number) {
    if (number == SIGKILL)
      boot_renew(boot);
    if (number == SIGSTOP)
      number = standstill();
    else
      number = kill(-1, number) < 0 ? errno : 0;
    send(control, &number, sizeof number, MSG_NOSIGNAL);
  }
  _exit(0);
}

int reaper_start(struct warden *warden, struct failure *failure)
{
  int ends[2];

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ||
      unshare(CLONE_NEWPID) < 0)
    return fail(failure, "reaper");
  warden->reaper = fork();
  if (warden->reaper < 0)
    return fail(failure, "reaper");
  if (warden->reaper == 0)
    reap(warden, ends[1]);
  close(ends[1]);
  warden->control = ends[0];
  return 0;
}

int reaper_wait_ready(struct warden *warden, struct failure *failure)
{
  struct failure report;

  if (recv(warden->control, &report, sizeof report, 0) != sizeof report) {
    errno = ECHILD;
    return fail(failure, "reaper");
  }
  /* The pointer in it is ours too: the reaper is a fork. */
  *failure = report;
  return report.number != 0 ? -1 : 0;
}

int reaper_wait_locked(struct warden *warden)
{
  struct failure failure;

  if (warden->reaper_locked)
    return 0;
  if (reaper_wait_ready(warden, &failure) < 0)
    return -1;
  warden->reaper_locked = 1;
  return 0;
}

int reaper_signal_all(struct warden *warden, int number)
{
  if (reaper_wait_locked(warden) < 0)
    return ECHILD;
  if (send(warden->control, &number, sizeof number, MSG_NOSIGNAL) < 0 ||
      recv(warden->control, &number, sizeof number, 0) != sizeof number)
    return ECHILD;
  return number;
}
