/* launch.c -- see launch.h.
**
** host -> stage (shares memory and descriptors, never executes) -> program.
** exec gives a child its SIGCHLD back, so the executed process must not be the
** host's child: the stage ends at once, and the program is an orphan by then.
**
** The two children run in the host's memory, while the calling thread sleeps:
** they use system calls alone, none of libc, whose errno and locks are the
** host's, and no code that a sanitizer has instrumented.
*/
#include "launch.h"

#include "../descriptor.h"
#include "../embedded.h"
#include "../wire/protocol.h"
#include "system_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

/* An enumerator in newer libraries, where defining it does no harm either. */
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define STACK_SIZE 8192
#define ROLE_SIZE 64 /* room for the names of what it becomes */
#define PROGRAM 4    /* where it finds itself, until the exec */
#define HIGH 16      /* above every number that the program gets */
#define SIGNALS 64
#define SIGNAL_SET 8 /* bytes of the kernel's signal set */
#define DIRECTORY_BUFFER 1024

/* The kernel's sigaction; zero is the default disposition. */
struct kernel_action {
  unsigned long fields[8];
};

/* All that the children need, prepared before; they write the last three. */
struct start {
  unsigned char stage_stack[STACK_SIZE] __attribute__((aligned(16)));
  unsigned char program_stack[STACK_SIZE] __attribute__((aligned(16)));
  unsigned char directory[DIRECTORY_BUFFER] __attribute__((aligned(16)));
  struct kernel_action default_action;
  uint64_t no_signals;
  char role[ROLE_SIZE + 1];
  char *names[2]; /* argv and envp of the embedded program */
  char *nothing[1];
  char *const *argv;
  char *const *envp;
  const char *folder; /* where it begins; NULL: where the host is */
  int given[7];       /* descriptors that become 0, 1, ... */
  long count;         /* of them */
  long kept;          /* so many, but for PROGRAM, are open after the exec */
  int pidfd;
  volatile long pid;    /* of the program, or -errno of its clone */
  volatile long failed; /* -errno of a step before the exec, or 0 */
};

/* ---- in the children ---- */

/* Digits of a name in /proc/self/fd, or -1. */
CELL_UNINSTRUMENTED static long number_of(const unsigned char *name)
{
  long number = 0;

  if (*name < '0' || *name > '9')
    return -1;
  for (; *name >= '0' && *name <= '9'; name++)
    number = number * 10 + (*name - '0');
  return number;
}

/* For kernels and filters without close_range. */
CELL_UNINSTRUMENTED static long close_by_listing(struct start *start,
                                                 long first)
{
  long directory = cell_call4(SYS_openat, AT_FDCWD, (long)"/proc/self/fd",
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  long got;

  if (directory < 0)
    return directory;
  while ((got = cell_call3(SYS_getdents64, directory, (long)start->directory,
                           DIRECTORY_BUFFER)) > 0) {
    long at = 0;

    while (at < got) { /* u64 inode, u64 offset, u16 size, u8 type, name */
      unsigned char *entry = start->directory + at;
      long number = number_of(entry + 19);

      if (number >= first && number != directory)
        cell_call1(SYS_close, number);
      at += (long)entry[16] | (long)entry[17] << 8;
    }
  }
  return got;
}

/* Numbers may collide with the places they go to: each is duplicated high
** first, and from there to its place.
*/
CELL_UNINSTRUMENTED static long place_descriptors(struct start *start)
{
  long high[7];
  long i, result;

  for (i = 0; i < start->count; i++) {
    high[i] = cell_call3(SYS_fcntl, start->given[i], F_DUPFD_CLOEXEC, HIGH);
    if (high[i] < 0) /* EINVAL: HIGH itself is beyond the limit */
      return high[i] == -EINVAL ? -EMFILE : high[i];
  }
  for (i = 0; i < start->count; i++) {
    result = cell_call3(SYS_dup3, high[i], i,
                        i == PROGRAM || i >= start->kept ? O_CLOEXEC : 0);
    if (result < 0)
      return result;
  }
  result = cell_call3(SYS_close_range, start->count, 0xffffffffL, 0);
  return result < 0 ? close_by_listing(start, start->count) : 0;
}

CELL_UNINSTRUMENTED static int run_program(void *argument)
{
  struct start *start = argument;
  long result;
  long i;

  cell_call0(SYS_setsid); /* the host's terminal interrupts the host alone */
  result = place_descriptors(start);
  if (result >= 0 && start->folder != NULL)
    result = cell_call1(SYS_chdir, (long)start->folder);
  for (i = 1; i <= SIGNALS && result >= 0; i++)
    cell_call4(SYS_rt_sigaction, i, (long)&start->default_action, 0,
               SIGNAL_SET);
  if (result >= 0) {
    cell_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&start->no_signals, 0,
               SIGNAL_SET);
    result = cell_call5(SYS_execveat, PROGRAM, (long)"", (long)start->argv,
                        (long)start->envp, AT_EMPTY_PATH);
  }
  start->failed = result;
  cell_call1(SYS_exit_group, 127);
  return 0;
}

CELL_UNINSTRUMENTED static int run_stage(void *argument)
{
  struct start *start = argument;
  int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;

  start->pid = clone(run_program, start->program_stack + STACK_SIZE, flags,
                     start, &start->pidfd);
  if (start->pid < 0)
    start->failed = -errno;
  cell_call1(SYS_exit_group, 0);
  return 0;
}

/* ---- in the host ---- */

static int fail_stage(struct cell_error *error, const char *stage, int number)
{
  int refused = number == EACCES || number == EPERM || number == ENOSYS;

  cell_fail(error, refused ? CELL_UNSUPPORTED : CELL_SYSTEM, number,
            "start the sandbox process (%s)", stage);
  if (error == NULL)
    return -1;
  snprintf(error->stage, sizeof error->stage, "%s", stage);
  if (refused && (strcmp(stage, "memfile") == 0 || strcmp(stage, "exec") == 0))
    snprintf(error->hint, sizeof error->hint,
             "programs in memory must be allowed: sysctl vm.memfd_noexec=0");
  else if (number == EFBIG)
    snprintf(error->hint, sizeof error->hint,
             "raise the limit of the size of files (ulimit -f)");
  else if (strcmp(stage, "/dev/null") == 0 && (refused || number == ENOENT))
    snprintf(error->hint, sizeof error->hint, "/dev must be mounted");
  else if (refused)
    snprintf(error->hint, sizeof error->hint,
             "a system call filter forbids clone; run the container with "
             "--security-opt seccomp=unconfined or a profile that allows it");
  return -1;
}

/* The program as a sealed memory file, or -1. */
static int make_program(struct cell_error *error)
{
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create("codecell-warden", flags | MFD_EXEC);
  size_t written = 0;

  if (fd < 0 && errno == EINVAL)
    fd = memfd_create("codecell-warden", flags); /* before 6.3 */
  fd = cell_fd_above_stdio(fd);
  if (fd < 0)
    return fail_stage(error, "memfile", errno);
  while (written < cell_warden_program_size) {
    long count = cell_fd_write(fd, cell_warden_program + written,
                               cell_warden_program_size - written);

    if (count <= 0) {
      fail_stage(error, "memfile", errno);
      cell_fd_close(&fd);
      return -1;
    }
    written += (size_t)count;
  }
  if (fcntl(fd, F_ADD_SEALS,
            F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
    fail_stage(error, "memfile", errno);
    cell_fd_close(&fd);
  }
  return fd;
}

static void prepare(struct start *start, const char *role, int null,
                    int channel, int program, const int extra[2])
{
  const int given[7] = {null, null, null, channel, program, extra[0], extra[1]};
  size_t length = strlen(role);

  memset(&start->default_action, 0, sizeof start->default_action);
  start->no_signals = 0;
  memset(start->role, ' ', ROLE_SIZE);
  memcpy(start->role, role, length < ROLE_SIZE ? length : ROLE_SIZE);
  start->role[ROLE_SIZE] = '\0';
  start->names[0] = start->role;
  start->names[1] = start->nothing[0] = NULL;
  start->argv = start->names;
  start->envp = start->nothing;
  start->folder = NULL;
  memcpy(start->given, given, sizeof given);
  start->kept = start->count = extra[0] < 0 ? 5 : extra[1] < 0 ? 6 : 7;
  start->pidfd = -1;
  start->pid = 0;
  start->failed = 0;
}

/* Both clones. Returns 0 or -errno. */
static int start_program(struct start *start)
{
  const uint64_t every_signal = UINT64_MAX;
  uint64_t before;
  int result = 0;
  int saved = errno;
  pid_t stage;

  /* Not by libc, which leaves out two: a handler of the host would run in the
  ** child, on the host's memory. */
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every_signal, &before, SIGNAL_SET);
  stage = clone(run_stage, start->stage_stack + STACK_SIZE,
                CLONE_VM | CLONE_VFORK | CLONE_FILES, start);
  if (stage < 0)
    result = -errno;
  else
    while (waitpid(stage, NULL, __WALL) < 0 && errno == EINTR)
      ; /* ECHILD: another thread's wait for anything was quicker */
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGNAL_SET);
  errno = saved;
  if (result == 0 && start->pid <= 0 && start->failed == 0)
    result = -EAGAIN; /* the stage was killed from outside */
  return result;
}

void cell_launch_reap(int pidfd)
{
  siginfo_t information;

  if (pidfd >= 0)
    waitid((idtype_t)P_PIDFD, (id_t)pidfd, &information,
           WEXITED | WNOHANG | __WALL);
}

int cell_launch(struct cell_launched *launched, const char *role,
                const int extra[2], struct cell_error *error)
{
  struct start start;
  int ends[2] = {-1, -1};
  int program = -1;
  int null = -1;
  int failed;
  int result = -1;

  program = make_program(error);
  if (program < 0)
    return -1;
  null = cell_fd_above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null < 0) {
    fail_stage(error, "/dev/null", errno);
    goto done;
  }
  if (cell_fd_pair(SOCK_SEQPACKET, ends) < 0 ||
      cell_fd_nonblocking(ends[0]) < 0) {
    fail_stage(error, "channel", errno);
    goto done;
  }
  prepare(&start, role, null, ends[1], program, extra);
  failed = start_program(&start);
  start.pidfd = cell_fd_above_stdio(start.pidfd);
  if (failed < 0 || start.failed < 0 || start.pidfd < 0) {
    const char *stage = start.pid > 0 ? "exec" : "clone";

    if (failed == 0)
      failed = start.failed < 0 ? (int)start.failed : -EMFILE;
    fail_stage(error, stage, -failed);
    cell_launch_reap(start.pidfd);
    cell_fd_close(&start.pidfd);
    goto done;
  }
  launched->pid = (pid_t)start.pid;
  launched->pidfd = cell_fd_take(&start.pidfd);
  launched->channel = cell_fd_take(&ends[0]);
  result = 0;

done:
  if (result < 0 && ends[0] >= 0)
    cell_fd_close(&ends[0]);
  cell_fd_close(&ends[1]);
  cell_fd_close(&null);
  cell_fd_close(&program);
  return result;
}

int cell_launch_again(char *const argv[], struct cell_error *error)
{
  const int extra[2] = {-1, -1};
  struct start start;
  int program =
    cell_fd_above_stdio(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  int null = cell_fd_above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));
  int result = -1;

  if (program < 0 || null < 0) {
    cell_fail(error, CELL_SYSTEM, errno, "start a program in the background");
    goto done;
  }
  prepare(&start, "", null, null, program, extra);
  start.argv = argv;
  start.envp = environ;
  start.folder = "/";
  start.kept = 3;
  result = start_program(&start);
  if (result == 0)
    result = (int)start.failed;
  if (result < 0)
    result = cell_fail(error, CELL_SYSTEM, -result,
                       "start a program in the background");
  cell_launch_reap(start.pidfd);
  cell_fd_close(&start.pidfd);

done:
  cell_fd_close(&null);
  cell_fd_close(&program);
  return result;
}
