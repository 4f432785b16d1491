/* zygote_start.c -- how a zygote is made (zygote.h). */
#include "zygote.h"

#include "../calls.h"
#include "../lockdown.h"
#include "../priority.h"
#include "../root/mount.h"
#include "../self.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../zygote/parcel.h"

/* Far from the numbers of its sessions: libraries that know a fork by a new
** number would take the same one for the same process. */
#define PID 30000
#define END_MS 2000 /* for the helpers of a stem to end after it */

/* ---- what it is made of ---- */

/* A list of strings with their NULs, in place. How many, or -1. */
static int read_strings(struct cell_unpacker *unpacker, char **strings)
{
  uint32_t count = cell_unpack_u32(unpacker), i;
  size_t length;

  if (count > ZYGOTE_STRINGS_MAX)
    return -1;
  for (i = 0; i < count; i++) {
    strings[i] = (char *)cell_unpack_bytes(unpacker, &length);
    if (length == 0 || strings[i][length - 1] != '\0')
      return -1;
  }
  strings[count] = NULL;
  return (int)count;
}

int zygote_read(struct zygote *zygote, int channel, struct failure *failure)
{
  struct cell_unpacker unpacker;
  int words, variables;

  if (wire_receive(channel, &zygote->message, 1) != 1 ||
      zygote->message.frame.type != CELL_STEM_SEED)
    return -1;
  cell_unpack_start(&unpacker, zygote->message.frame.payload,
                    zygote->message.frame.length);
  zygote->memory = cell_unpack_u64(&unpacker);
  words = read_strings(&unpacker, zygote->argv);
  variables = read_strings(&unpacker, zygote->envs);
  zygote->program = wire_take(&zygote->message, 0);
  zygote->library = wire_take(&zygote->message, 1);
  errno = EINVAL;
  if (words <= 0 || variables < 0 || !cell_unpack_done(&unpacker) ||
      zygote->library < 0)
    return fail(failure, "zygote");
  zygote->wanted = 1;
  return 0;
}

/* ---- the namespace ---- */

/* All children but the one have helped it, and go when it does. */
static void wait_for_all(pid_t child)
{
  int status, result = 1, i;

  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      _exit(1);
  if (WIFEXITED(status))
    result = WEXITSTATUS(status);
  for (i = 0; i < END_MS && waitpid(-1, NULL, WNOHANG) >= 0; i++)
    usleep(1000);
  _exit(result);
}

int zygote_enter_namespace(struct failure *failure)
{
  pid_t child;

  if (unshare(CLONE_NEWPID) < 0)
    return fail(failure, "namespaces");
  child = fork();
  if (child < 0)
    return fail(failure, "namespaces");
  if (child == 0) /* its host kills the one that waits */
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0
             ? fail(failure, "namespaces")
             : 0;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  call_close_range(3, ~0u);
  wait_for_all(child);
  return -1;
}

/* ---- the process ---- */

static void give_up(const char *stage)
{
  struct session_word word;

  memset(&word, 0, sizeof word);
  word.number = errno != 0 ? errno : EIO;
  strncpy(word.text, stage, sizeof word.text - 1);
  parcel_send(SESSION_STEM, &word, sizeof word, NULL, 0);
  _exit(1);
}

static int write_library(int from)
{
  int to = open(SESSION_LIBRARY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555);
  char bytes[4096];
  ssize_t count;
  off_t at = 0;

  if (to < 0)
    return -1;
  while ((count = pread(from, bytes, sizeof bytes, at)) > 0) {
    if (write(to, bytes, (size_t)count) != count)
      return -1;
    at += count;
  }
  close(to);
  return count < 0 ? -1 : 0;
}

/* Somewhere to write while it imports, which no sandbox sees, and a /proc in
** which it finds itself alone.
*/
static int mount_own(int library)
{
  static const struct mount_option small[] = {
    {"size", "64m"}, {"nr_inodes", "8192"}, {"mode", "0755"}, {NULL, NULL}};
  static const struct mount_option alone[] = {{"hidepid", "2"}, {NULL, NULL}};
  const unsigned plain = MOUNT_NO_SETUID | MOUNT_NO_DEVICES;
  static const char *const places[] = {CELL_HOME, "/tmp", "/run", "/dev/shm"};
  struct call_mount_attributes read_only = {MOUNT_READ_ONLY, 0, 0, 0};
  size_t i;

  for (i = 0; i < sizeof places / sizeof places[0]; i++)
    if (mount_new_at("tmpfs", small, plain, AT_FDCWD, places[i]) < 0)
      return -1;
  if (write_library(library) < 0 ||
      call_mount_setattr_at("/run", 0, &read_only) < 0)
    return -1;
  return mount_new_at("proc", alone, plain | MOUNT_NO_EXEC, AT_FDCWD, "/proc");
}

/* A number is lifted above every place where one is put, and then put there. */
static int arrange(const int *fds)
{
  int lifted[SESSION_STEM + 1], i;

  for (i = 0; i <= SESSION_STEM; i++)
    lifted[i] = fcntl(fds[i], F_DUPFD, SESSION_STEM + 1);
  for (i = 0; i <= SESSION_STEM; i++)
    if (lifted[i] < 0 || dup2(lifted[i], i) < 0)
      return -1;
  return call_close_range(SESSION_STEM + 1, ~0u);
}

static int set_limits(uint64_t memory)
{
  struct rlimit core = {1, 1}, none = {0, 0}, data = {memory, memory};

  /* As in a warden. */
  if (setrlimit(RLIMIT_CORE, &core) < 0 && setrlimit(RLIMIT_CORE, &none) < 0)
    return -1;
  if (setrlimit(RLIMIT_RTPRIO, &none) < 0 || setrlimit(RLIMIT_NICE, &none) < 0)
    return -1;
  /* What a library reserves as it is loaded must leave room in a session. */
  return setrlimit(RLIMIT_DATA, &data);
}

static void run(struct zygote *zygote, int channel,
                const struct self_title *title)
{
  static char preload[] = "LD_PRELOAD=" SESSION_LIBRARY;
  struct failure failure = {0, "", ""};
  int null = open("/dev/null", O_RDWR | O_CLOEXEC), i;
  const int fds[SESSION_STEM + 1] = {null, null,   null, zygote->program,
                                     null, channel};
  sigset_t set;

  self_name(title, "codecell-zygote", "");
  priority_normal();
  if (null < 0 || mount_own(zygote->library) < 0) {
    dup2(channel, SESSION_STEM);
    give_up("mounts");
  }
  if (arrange(fds) < 0)
    give_up("descriptors");
  setsid();
  umask(022);
  if (set_limits(zygote->memory) < 0)
    give_up("limits");
  if (chdir(CELL_HOME) < 0)
    give_up("cwd");
  for (i = 0; zygote->envs[i] != NULL; i++)
    ;
  zygote->envs[i] = preload;
  if (lockdown_capabilities(&failure) < 0 ||
      lockdown_filter_zygote(&failure) < 0)
    give_up(failure.stage);
  sigemptyset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  execve(zygote->argv[0], zygote->argv, zygote->envs);
  give_up("program");
}

static pid_t clone_high(void)
{
  struct call_clone_arguments arguments;
  pid_t pid = PID;

  memset(&arguments, 0, sizeof arguments);
  arguments.flags = CLONE_NEWNS;
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = (uint64_t)(uintptr_t)&pid;
  arguments.set_tid_size = 1;
  return (pid_t)syscall(CALL_CLONE3, &arguments, sizeof arguments);
}

void zygote_start(struct zygote *zygote, const struct self_title *title,
                  int host)
{
  int ends[2] = {-1, -1}, orders[2], on = 1;

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) == 0) {
    zygote->orders = orders[0];
    zygote->for_wardens = orders[1];
    if (setsockopt(orders[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
      zygote->pid = clone_high();
  }
  if (zygote->pid == 0 && ends[1] >= 0)
    run(zygote, ends[1], title);
  if (zygote->pid <= 0) {
    zygote_tell(host, errno, "process");
    zygote->pid = 0;
  }
  zygote->channel = ends[0];
  if (ends[1] >= 0)
    close(ends[1]);
  close(zygote->program);
  close(zygote->library);
  zygote->program = zygote->library = -1;
}
