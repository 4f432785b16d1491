/* fork.c -- loaded ahead of an interpreter's own libraries, this makes it a
** zygote: fork() becomes the place where it serves its stem, and from where its
** copies go into sandboxes.
**
** Until SESSION_SEAL is in the environment fork() is the C library's. Then a
** call of it never returns in the zygote; in each session it returns 0, once,
** so that the language does what it does after a fork. There is one thread.
**
** A helper, which shares the zygote's memory while that waits, enters the
** sandbox and forks there: the child, on the helper's stack, jumps into the
** copy of the frame that waits (docs/design.md, "Zygotes").
*/
#include "parcel.h"
#include "session.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOSE_RANGE 436
#define LANDLOCK_RESTRICT_SELF 446
#define SECURE_BITS 0xef /* as those of a warden */
#define REPORT 5         /* where the report is put, out of the way */
#define OVERHEAD 2       /* warden and reaper count as processes */
#define SIGNALS_MAX 1024 /* as of any other program in a sandbox */
#define LOCKED_MAX (8u << 20)
#define STACK_SIZE                                                             \
  (256u << 10) /* handlers of libraries run on it at a fork                    \
                */

#ifdef __x86_64__
#define RSEQ_SIGNATURE 0x53053053u
#else
#define RSEQ_SIGNATURE 0xd428bc00u
#endif
#define RSEQ_SIZE_MIN 32u
#define RSEQ_FEATURE_SIZE 27 /* AT_RSEQ_FEATURE_SIZE */
#define RSEQ_FAILED (-2)     /* what it says where there is none */

/* Where the C library keeps it, if it does. */
extern const ptrdiff_t rseq_offset __asm__("__rseq_offset")
  __attribute__((weak));
extern const unsigned rseq_size __asm__("__rseq_size") __attribute__((weak));

static const int kinds[SESSION_NAMESPACES] = {
  CLONE_NEWUSER, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWUTS,
  CLONE_NEWNET,  CLONE_NEWNS,     CLONE_NEWPID};

static pid_t (*real_fork)(void);
static int served; /* this is a session */
static jmp_buf waiting;
static struct session_order order;
static struct parcel parcel;
static struct session_word word;
static char stack[STACK_SIZE] __attribute__((aligned(16)));

pid_t fork(void) __attribute__((visibility("default")));

/* ---- the session ---- */

static void give_up(int report, const char *stage)
{
  struct session_report news;

  memset(&news, 0, sizeof news);
  news.news = SESSION_FAILED;
  news.number = errno;
  strncpy(news.stage, stage, sizeof news.stage - 1);
  parcel_send(report, &news, sizeof news, NULL, 0);
  _exit(127);
}

static int limit(int resource, uint64_t value)
{
  struct rlimit present, wanted;

  if (getrlimit(resource, &present) < 0)
    return -1;
  wanted.rlim_max = present.rlim_max < value ? present.rlim_max : value;
  wanted.rlim_cur = wanted.rlim_max;
  return setrlimit(resource, &wanted);
}

static int set_limits(void)
{
  if (limit(RLIMIT_NOFILE, order.files) < 0 ||
      limit(RLIMIT_SIGPENDING, SIGNALS_MAX) < 0 ||
      limit(RLIMIT_MEMLOCK, LOCKED_MAX) < 0)
    return -1;
  if (order.processes > 0 &&
      limit(RLIMIT_NPROC, (uint64_t)order.processes + OVERHEAD) < 0)
    return -1;
  return limit(RLIMIT_DATA, order.memory);
}

/* All came back with the sandbox's user namespace. */
static int drop_capabilities(void)
{
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2];
  int capability;

  memset(none, 0, sizeof none);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
      prctl(PR_SET_SECUREBITS, SECURE_BITS, 0, 0, 0) < 0)
    return -1;
  for (capability = 0;; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
      break;
  if (errno != EINVAL) /* of the first one that does not exist */
    return -1;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 &&
      errno != EINVAL)
    return -1;
  return (int)syscall(SYS_capset, &header, none);
}

/* The helper shared its memory, and so the kernel forgot. */
static void register_rseq(void)
{
  unsigned long size = getauxval(RSEQ_FEATURE_SIZE);
  char *area;
  int failed = RSEQ_FAILED;

  if (&rseq_size == NULL || rseq_size == 0)
    return;
#ifdef __x86_64__
  __asm__("mov %%fs:0, %0" : "=r"(area));
#else
  area = __builtin_thread_pointer();
#endif
  area += rseq_offset;
  if (size < RSEQ_SIZE_MIN)
    size = RSEQ_SIZE_MIN;
  if (syscall(SYS_rseq, area, (uint32_t)size, 0, RSEQ_SIGNATURE) < 0)
    memcpy(area + 4, &failed, sizeof failed);
}

static int arrange(void)
{
  int null = open("/dev/null", O_RDWR | O_CLOEXEC), i;

  if (null < 0 || dup2(null, 0) < 0)
    return -1;
  for (i = SESSION_STDOUT; i <= SESSION_TO_WRITE; i++)
    if (dup2(parcel.fds[i], i - SESSION_STDOUT + 1) < 0)
      return -1;
  if (dup3(parcel.fds[SESSION_REPORT], REPORT, O_CLOEXEC) < 0)
    return -1;
  return (int)syscall(CLOSE_RANGE, REPORT + 1, ~0u, 0);
}

/* The zygote's filter allows it, and a session has it all the same. */
static int refuse_setns(void)
{
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setns, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};

  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* From here on it is like any other kernel in its sandbox. */
static void settle(void)
{
  struct session_report news;
  int report = parcel.fds[SESSION_REPORT];

  unsetenv(SESSION_SEAL);
  if (setsid() < 0)
    give_up(report, "session");
  if (set_limits() < 0)
    give_up(report, "limits");
  if (drop_capabilities() < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
    give_up(report, "lock-down");
  if (order.has_ruleset &&
      syscall(LANDLOCK_RESTRICT_SELF, parcel.fds[SESSION_FIXED], 0) < 0)
    give_up(report, "landlock");
  register_rseq();
  if (arrange() < 0)
    give_up(report, "descriptors");
  if (chdir(order.cwd) < 0)
    give_up(REPORT, "cwd");
  umask(022);
  if (refuse_setns() < 0)
    give_up(REPORT, "filter");
  memset(&news, 0, sizeof news);
  news.news = SESSION_STARTED;
  news.seen = (uint32_t)getpid();
  if (parcel_send(REPORT, &news, sizeof news, NULL, 0) < 0)
    _exit(126);
  close(REPORT);
}

/* ---- the helper ---- */

static int fail(const char *stage)
{
  word.number = errno != 0 ? errno : EIO;
  strncpy(word.text, stage, sizeof word.text - 1);
  _exit(1);
}

/* Its groups come first: what the copy costs is the sandbox's already. */
static int enter(void *unused)
{
  size_t doors = SESSION_FIXED + (order.has_ruleset != 0), i;
  pid_t pid;

  (void)unused;
  for (i = doors; i < parcel.count; i++)
    if (write(parcel.fds[i], "0", 1) < 0)
      fail("cgroup");
  for (i = 0; i < SESSION_NAMESPACES; i++)
    if (setns(parcel.fds[i], kinds[i]) < 0)
      fail("namespaces");
  pid = real_fork();
  if (pid == 0)
    _longjmp(waiting, 1);
  if (pid < 0)
    fail("process");
  word.pid = pid;
  _exit(0);
}

/* ---- the zygote ---- */

static void say(void)
{
  if (parcel_send(SESSION_STEM, &word, sizeof word, NULL, 0) < 0)
    _exit(0);
  memset(&word, 0, sizeof word);
}

static void serve(void)
{
  pid_t helper;

  if (parcel.count < SESSION_FIXED + (order.has_ruleset != 0)) {
    word.number = EPROTO;
    return;
  }
  helper =
    clone(enter, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
  if (helper < 0)
    word.number = errno;
  else
    while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
      ;
  if (word.pid == 0 && word.number == 0)
    word.number = ECHILD; /* somebody has killed the helper */
}

/* Returns in a session. */
static void serve_all(void)
{
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  say(); /* sealed */
  if (_setjmp(waiting) != 0) {
    settle();
    return;
  }
  while (parcel_receive(SESSION_STEM, &order, sizeof order, &parcel, 1) == 1) {
    serve();
    say();
    parcel_close(&parcel);
  }
  _exit(0);
}

pid_t fork(void)
{
  if (served || getenv(SESSION_SEAL) == NULL)
    return real_fork();
  served = 1; /* a session must not serve */
  serve_all();
  return 0;
}

__attribute__((constructor)) static void prepare(void)
{
  void *found = dlsym(RTLD_NEXT, "fork");

  memcpy(&real_fork, &found, sizeof found);
  unsetenv("LD_PRELOAD"); /* what it starts is not to be like it */
}
