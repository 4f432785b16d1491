/* filter_live_test.c -- the filter in force, and the calls really made.
**
** Each group runs in a child of its own behind the filter. Refused calls get
** arguments (-1) that do no harm where the filter should let one through.
*/
#include "check.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "warden/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUBBISH (1L << 32) /* bits that the kernel ignores in an int */

static int lock_down(void)
{
  struct sock_fprog program = {CELL_FILTER_LENGTH,
                               (struct sock_filter *)cell_filter};
  struct rlimit core = {1, 1};

  setsid();
  if (setrlimit(RLIMIT_CORE, &core) < 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -1;
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* The wait status of a child that ran `body` behind the filter. */
static int status_of(void (*body)(void))
{
  int status = -1;
  pid_t child = fork();

  if (child == 0) {
    memset(&check_count, 0, sizeof check_count);
    if (lock_down() < 0)
      _exit(99);
    body();
    _exit(check_count.failed == 0 ? 0 : 1);
  }
  if (child < 0 || waitpid(child, &status, 0) != child)
    return -1;
  return status;
}

static void inside(const char *what, void (*body)(void))
{
  check(status_of(body) == 0, "%s", what);
}

/* Fails quietly when right: the group has the line. */
static void expect(int number, const char *what, long result)
{
  int got = result == -1 ? errno : 0;

  if (got != number)
    check(0, "%s: %s, not %s", what, strerror(got), strerror(number));
}

/* Anything but what the filter says. */
static void expect_reached(const char *what, long result)
{
  if (result == -1 && (errno == ENOSYS || errno == EPERM))
    check(0, "%s: %s", what, strerror(errno));
}

struct call {
  const char *name;
  long number;
};

#define CALL(name)                                                             \
  {                                                                            \
#name, SYS_##name                                                          \
  }

static void expect_each(int number, const struct call *calls, size_t count)
{
  size_t i;

  for (i = 0; i < count; i++)
    expect(number, calls[i].name,
           syscall(calls[i].number, -1L, -1L, -1L, -1L, -1L, -1L));
}

/* ---- the groups ---- */

static void namespaces(void)
{
  static const long bits[] = {CLONE_NEWUSER,
                              CLONE_NEWNS,
                              CLONE_NEWPID,
                              CLONE_NEWNET,
                              CLONE_NEWIPC,
                              CLONE_NEWUTS,
                              0x02000000 /* cgroup */,
                              0x80 /* time */};
  size_t i;
  int own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);

  expect(EPERM, "unshare", syscall(SYS_unshare, CLONE_NEWUSER));
  for (i = 0; i < sizeof bits / sizeof *bits; i++) {
    expect(EPERM, "clone", syscall(SYS_clone, bits[i] | SIGCHLD, 0, 0, 0, 0));
    expect(EPERM, "clone with rubbish",
           syscall(SYS_clone, RUBBISH | bits[i] | SIGCHLD, 0, 0, 0, 0));
  }
  expect(ENOSYS, "clone3", syscall(SYS_clone3, -1L, -1L));
  expect(EPERM, "setns", syscall(SYS_setns, own, 0));
}

static void mounts(void)
{
  static const struct call calls[] = {
    CALL(chroot),        CALL(fsconfig),   CALL(fsmount),
    CALL(fsopen),        CALL(fspick),     CALL(mount),
    CALL(mount_setattr), CALL(move_mount), CALL(open_tree),
    CALL(pivot_root),    CALL(umount2),    CALL(open_by_handle_at)};

  expect_each(EPERM, calls, sizeof calls / sizeof *calls);
}

static void other_processes(void)
{
  static const struct call calls[] = {CALL(kcmp),
                                      CALL(pidfd_getfd),
                                      CALL(process_madvise),
                                      CALL(process_vm_readv),
                                      CALL(process_vm_writev),
                                      CALL(ptrace)};

  expect_each(EPERM, calls, sizeof calls / sizeof *calls);
  expect(EPERM, "ptrace(PTRACE_TRACEME)", syscall(SYS_ptrace, 0, 0, 0, 0));
}

static void the_first_process(void)
{
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  long pids[] = {1, 1 | RUBBISH};
  int i;

  for (i = 0; i < 2; i++) {
    expect(EPERM, "prlimit64",
           syscall(SYS_prlimit64, pids[i], RLIMIT_CPU, &limit, NULL));
    expect(EPERM, "setpriority",
           syscall(SYS_setpriority, PRIO_PROCESS, pids[i], 19));
    expect(EPERM, "sched_setaffinity",
           syscall(SYS_sched_setaffinity, pids[i], 0, NULL));
    expect(EPERM, "sched_setscheduler",
           syscall(SYS_sched_setscheduler, pids[i], -1, NULL));
    expect(EPERM, "sched_setparam", syscall(SYS_sched_setparam, pids[i], NULL));
    expect(EPERM, "sched_setattr",
           syscall(SYS_sched_setattr, pids[i], NULL, 0));
    expect(EPERM, "ioprio_set", syscall(SYS_ioprio_set, 1, pids[i], -1));
  }
  expect(0, "setpriority of oneself",
         syscall(SYS_setpriority, PRIO_PROCESS, 0, 1));
  expect(0, "prlimit64 of oneself",
         syscall(SYS_prlimit64, 0, RLIMIT_CPU, &limit, NULL));
}

static void kernel_interfaces(void)
{
  static const struct call refused[] = {
    CALL(acct),
    CALL(add_key),
    CALL(adjtimex),
    CALL(bpf),
    CALL(clock_adjtime),
    CALL(clock_settime),
    CALL(delete_module),
    CALL(fanotify_init),
    CALL(fanotify_mark),
    CALL(finit_module),
    CALL(get_mempolicy),
    CALL(init_module),
    CALL(kexec_load),
    CALL(keyctl),
    CALL(lookup_dcookie),
    CALL(mbind),
    CALL(migrate_pages),
    CALL(move_pages),
    CALL(perf_event_open),
    CALL(quotactl),
    CALL(reboot),
    CALL(request_key),
    CALL(set_mempolicy),
    CALL(setdomainname),
    CALL(sethostname),
    CALL(settimeofday),
    CALL(swapoff),
    CALL(swapon),
    CALL(syslog),
    CALL(userfaultfd),
    CALL(vhangup),
#if defined(__x86_64__)
    CALL(ioperm),
    CALL(iopl),
    CALL(kexec_file_load),
    CALL(uselib),
    CALL(ustat),
#endif
  };
  static const struct call unknown[] = {
    CALL(clone3),
    CALL(io_uring_enter),
    CALL(io_uring_register),
    CALL(io_uring_setup),
#if defined(__x86_64__)
    CALL(modify_ldt),
#endif
  };

  expect_each(EPERM, refused, sizeof refused / sizeof *refused);
  expect_each(ENOSYS, unknown, sizeof unknown / sizeof *unknown);
}

static void newer_calls(void)
{
  long number;

  for (number = 450; number <= 600; number++)
    if (number != 452 && (number < 454 || number > 456))
      expect(ENOSYS, "a newer call", syscall(number, -1L, -1L, -1L, -1L));
  expect(ENOSYS, "call 1000000", syscall(1000000L));
}

static void terminals(void)
{
  long requests[] = {TIOCSTI, TIOCLINUX, TIOCCONS};
  char byte = 'x';
  int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), i;
  struct winsize size;

  for (i = 0; i < 3; i++) {
    expect(EPERM, "ioctl", syscall(SYS_ioctl, terminal, requests[i], &byte));
    expect(EPERM, "ioctl with rubbish",
           syscall(SYS_ioctl, terminal, requests[i] | RUBBISH, &byte));
  }
  expect_reached("TIOCGWINSZ", ioctl(terminal, TIOCGWINSZ, &size));
}

static void personalities(void)
{
  expect(EPERM, "READ_IMPLIES_EXEC",
         syscall(SYS_personality, READ_IMPLIES_EXEC));
  expect(EPERM, "READ_IMPLIES_EXEC with more",
         syscall(SYS_personality, READ_IMPLIES_EXEC | 0x40000 | RUBBISH));
  expect(0, "personality(0)", syscall(SYS_personality, 0));
  expect(0, "what it is", syscall(SYS_personality, 0xffffffffL));
}

static void families(void)
{
  long family;
  int ends[2];

  for (family = 0; family <= 45; family++)
    if (family != AF_UNIX && family != AF_INET && family != AF_INET6 &&
        family != AF_NETLINK) {
      expect(EAFNOSUPPORT, "socket", syscall(SYS_socket, family, 3, 0));
      expect(EAFNOSUPPORT, "socket with rubbish",
             syscall(SYS_socket, family | RUBBISH, 3, 0));
    }
  for (family = 1; family < 23; family++)
    expect(EAFNOSUPPORT, "netlink but route",
           syscall(SYS_socket, AF_NETLINK, SOCK_RAW, family));
  expect(0, "netlink route", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
  expect(0, "unix", socket(AF_UNIX, SOCK_STREAM, 0));
  expect_reached("inet", socket(AF_INET, SOCK_STREAM, 0));
  expect(0, "socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  expect(EAFNOSUPPORT, "socketpair of tipc",
         syscall(SYS_socketpair, 30, SOCK_STREAM, 0, ends));
}

static void core_limit(void)
{
  struct rlimit zero = {0, 0}, now;

  expect(EPERM, "setrlimit", syscall(SYS_setrlimit, RLIMIT_CORE, &zero));
  expect(EPERM, "setrlimit with rubbish",
         syscall(SYS_setrlimit, RLIMIT_CORE | RUBBISH, &zero));
  expect(EPERM, "prlimit64",
         syscall(SYS_prlimit64, 0, RLIMIT_CORE, &zero, NULL));
  /* A pointer whose low half is 0 is not NULL. */
  expect(EPERM, "prlimit64 with a high pointer",
         syscall(SYS_prlimit64, 0, RLIMIT_CORE, RUBBISH, NULL));
  expect(0, "reading it", syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &now));
  if (now.rlim_cur != 1 || now.rlim_max != 1)
    check(0, "the core limit is %ld", (long)now.rlim_cur);
}

static void *read_status(void *found)
{
  char text[4096];
  int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
  ssize_t count = read(fd, text, sizeof text - 1);

  close(fd);
  text[count > 0 ? count : 0] = '\0';
  *(int *)found = strstr(text, "\nSeccomp:\t2") != NULL &&
                  strstr(text, "\nNoNewPrivs:\t1") != NULL;
  return NULL;
}

static void threads(void)
{
  pthread_t thread;
  int found = 0;
  int failed = pthread_create(&thread, NULL, read_status, &found);

  if (failed == 0)
    pthread_join(thread, NULL);
  if (failed != 0 || !found)
    check(0, "thread: %s, filtered %d", strerror(failed), found);
}

/* What the warden still does behind it. */
static void warden(void)
{
  siginfo_t info;
  pid_t child = fork();
  char *const program[] = {"true", NULL};
  int pidfd;

  if (child == 0) {
    setsid();
    execvp(program[0], program);
    _exit(127);
  }
  pidfd = (int)syscall(SYS_pidfd_open, child, 0);
  expect(0, "pidfd_open", pidfd);
  expect_reached("pidfd_send_signal",
                 syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
  expect_reached("kill", kill(child, 0));
  memset(&info, 0, sizeof info);
  expect(0, "waitid", waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
  if (info.si_code != CLD_EXITED || info.si_status != 0)
    check(0, "exec: status %d", info.si_status);
  if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0 && errno == EPERM)
    check(0, "landlock is refused");
}

#if defined(__x86_64__)
static void x32(void)
{
  syscall(0x40000000L + SYS_getpid);
}

static void old_entry(void)
{
  long result = 20; /* getpid of the 32-bit table */

  __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
}

static int killed(void (*body)(void))
{
  int status = status_of(body);

  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}
#endif

int main(void)
{
  inside("no namespace can be made or entered #S021 #S022 #S023", namespaces);
  inside("nothing can be mounted or opened by handle #S024 #S014", mounts);
  inside("no process can be traced or read #S025", other_processes);
  inside("the first process cannot be slowed or limited #S026",
         the_first_process);
  inside("risky interfaces of the kernel are refused #S028", kernel_interfaces);
  inside("a call newer than the table is unknown #S033", newer_calls);
  inside("no terminal can be typed into, high bits or not #S031", terminals);
  inside("memory stays unexecutable: personality #S035", personalities);
  inside("only unix, internet and route sockets can be made #S036", families);
  inside("the core limit stays 1 #S037", core_limit);
  inside("threads start, and are filtered #S022 #S034", threads);
  inside("processes start, end and are signalled", warden);
#if defined(__x86_64__)
  check(killed(x32), "an x32 call kills #S029");
  check(killed(old_entry), "a 32-bit call kills #S030");
#else
  check_skip("an x32 call kills #S029", "this machine has none");
#endif
  return check_status();
}
