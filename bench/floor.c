/* floor.c -- the kernel's own price for one sandbox, as a co-process.
**
** Seven namespaces, a full root (/usr, /proc, /dev, /tmp, /home, /etc), a
** filter of 60 instructions, a static program from a sealed memory file: what
** any sandbox of this shape must pay, without a stem's short cuts. Reads one
** command a line and answers one line of nanoseconds, so that a driver can
** interleave it with other programs:
**
**   run                     one sandbox, killed after its hello:
**                           "hello reaped", from the start of clone and from
**                           the kill
**   rate SECONDS THREADS    sandboxes made and reaped: "count nanoseconds"
**   ratecmd SECONDS THREADS ARGV...   the same for any program
**   spawn ARGV...           posix_spawn and wait: "reaped"
**
** argv[1] is the static program: this file, compiled with -DINSIDE.
*/
#ifdef INSIDE
#include <unistd.h>

int main(void)
{
  char byte = 'h';

  if (write(3, &byte, 1) != 1)
    return 1;
  while (read(3, &byte, 1) > 0)
    ;
  return 0;
}
#else
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK (256 * 1024)
#define WORDS 64

extern char **environ;

static int program = -1; /* the sealed memory file */

struct job {
  int hello[2];
  uid_t uid;
  gid_t gid;
  const char *volatile step; /* what failed */
  volatile int number;
};

static long now(void)
{
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int put(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  ssize_t count;

  if (fd < 0)
    return -1;
  count = write(fd, text, strlen(text));
  close(fd);
  return count < 0 ? -1 : 0;
}

static int fail(struct job *job, const char *step)
{
  job->number = errno != 0 ? errno : 1;
  job->step = step;
  return 1;
}

static int write_maps(struct job *job)
{
  char text[64];

  if (put("/proc/self/setgroups", "deny") != 0)
    return fail(job, "setgroups");
  snprintf(text, sizeof text, "1000 %d 1", (int)job->uid);
  if (put("/proc/self/uid_map", text) != 0)
    return fail(job, "uid_map");
  snprintf(text, sizeof text, "1000 %d 1", (int)job->gid);
  return put("/proc/self/gid_map", text) == 0 ? 0 : fail(job, "gid_map");
}

static int make_devices(struct job *job)
{
  static const char *const names[] = {"null", "zero", "full", "random",
                                      "urandom"};
  char from[32], to[32];
  size_t i;

  if (mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "size=64k,mode=755") != 0)
    return fail(job, "dev");
  for (i = 0; i < sizeof names / sizeof *names; i++) {
    int fd;

    snprintf(to, sizeof to, "dev/%s", names[i]);
    snprintf(from, sizeof from, "/dev/%s", names[i]);
    fd = open(to, O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
      return fail(job, "device");
    close(fd);
    if (mount(from, to, NULL, MS_BIND, NULL) != 0)
      return fail(job, "bind device");
  }
  return 0;
}

static int make_root(struct job *job)
{
  static const char *const folders[] = {"usr", "proc", "dev",      "tmp",
                                        "etc", "home", "home/user"};
  const unsigned long quiet = MS_NOSUID | MS_NODEV;
  size_t i;

  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("tmpfs", "/tmp", "tmpfs", quiet, "size=64m,mode=755") != 0 ||
      chdir("/tmp") != 0)
    return fail(job, "root");
  for (i = 0; i < sizeof folders / sizeof *folders; i++)
    if (mkdir(folders[i], 0755) != 0)
      return fail(job, "mkdir");
  if (mount("/usr", "usr", NULL, MS_BIND | MS_REC, NULL) != 0 ||
      mount(NULL, "usr", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | quiet,
            NULL) != 0)
    return fail(job, "usr");
  if (symlink("usr/bin", "bin") != 0 || symlink("usr/lib", "lib") != 0 ||
      symlink("usr/lib64", "lib64") != 0)
    return fail(job, "links");
  if (mount("proc", "proc", "proc", quiet | MS_NOEXEC, NULL) != 0)
    return fail(job, "proc");
  if (make_devices(job) != 0)
    return 1;
  if (mount("tmpfs", "tmp", "tmpfs", quiet, "size=64m") != 0 ||
      mount("tmpfs", "home/user", "tmpfs", quiet, "size=64m") != 0)
    return fail(job, "stores");
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
      chdir("/") != 0)
    return fail(job, "pivot_root");
  return 0;
}

static int load_filter(struct job *job)
{
  struct sock_filter filter[62];
  struct sock_fprog list = {0, filter};

  filter[list.len++] = (struct sock_filter)BPF_STMT(
    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  while (list.len < 60) {
    filter[list.len] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                    100000u + list.len, 0, 0);
    list.len++;
  }
  filter[list.len++] =
    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &list) != 0)
    return fail(job, "filter");
  return 0;
}

static int inside(void *argument)
{
  struct job *job = argument;
  char name[] = "floor";
  char *argv[] = {name, NULL};
  char *environment[] = {NULL};

  if (write_maps(job) != 0 || make_root(job) != 0 || load_filter(job) != 0)
    return 1;
  if (dup2(job->hello[1], 3) < 0)
    return fail(job, "dup2");
  syscall(SYS_execveat, program, "", argv, environment, AT_EMPTY_PATH);
  return fail(job, "exec");
}

static int make(char *stack, long *hello, long *reaped)
{
  const int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                    CLONE_PIDFD | CLONE_VM | CLONE_VFORK;
  struct job job = {{-1, -1}, geteuid(), getegid(), NULL, 0};
  siginfo_t end;
  int pidfd = -1;
  char byte;
  long start = now();

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, job.hello) != 0)
    return -1;
  if (clone(inside, stack + STACK, flags, &job, &pidfd) < 0)
    return -1;
  close(job.hello[1]);
  if (read(job.hello[0], &byte, 1) != 1 && job.number == 0)
    job.number = EPIPE;
  *hello = now() - start;
  start = now();
  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  while (waitid(P_PIDFD, (id_t)pidfd, &end, WEXITED | __WALL) != 0 &&
         errno == EINTR)
    ;
  *reaped = now() - start;
  close(job.hello[0]);
  close(pidfd);
  if (job.number == 0)
    return 0;
  fprintf(stderr, "floor: %s: %s\n", job.step != NULL ? job.step : "hello",
          strerror(job.number));
  return -1;
}

static int spawn(char **argv)
{
  posix_spawn_file_actions_t actions;
  pid_t pid;
  int status = -1, fd;

  posix_spawn_file_actions_init(&actions);
  for (fd = 0; fd < 3; fd++)
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  if (posix_spawn(&pid, argv[0], &actions, NULL, argv, environ) == 0)
    waitpid(pid, &status, 0);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

struct maker {
  pthread_t thread;
  char **argv; /* NULL: our own sandbox */
  long until;
  long count; /* negative: it failed */
};

static void *keep_making(void *argument)
{
  struct maker *maker = argument;
  char *stack = malloc(STACK);
  long hello, reaped;

  while (stack != NULL && now() < maker->until) {
    int failed = maker->argv != NULL ? spawn(maker->argv) != 0
                                     : make(stack, &hello, &reaped) != 0;

    if (failed) {
      maker->count = -1000000;
      break;
    }
    maker->count++;
  }
  free(stack);
  return NULL;
}

static void rate(double seconds, int threads, char **argv)
{
  struct maker makers[64];
  long start = now(), count = 0;
  int i;

  if (threads < 1 || threads > 64) {
    puts("error threads");
    return;
  }
  for (i = 0; i < threads; i++) {
    makers[i].argv = argv;
    makers[i].count = 0;
    makers[i].until = start + (long)(seconds * 1e9);
    pthread_create(&makers[i].thread, NULL, keep_making, &makers[i]);
  }
  for (i = 0; i < threads; i++) {
    pthread_join(makers[i].thread, NULL);
    count += makers[i].count;
  }
  printf("%ld %ld\n", count, now() - start);
}

static int load(const char *path)
{
  int from = open(path, O_RDONLY | O_CLOEXEC);
  int memory = memfd_create("floor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  char bytes[65536], self[64];
  ssize_t count;
  int reopened;

  while ((count = read(from, bytes, sizeof bytes)) > 0)
    if (write(memory, bytes, (size_t)count) != count)
      return -1;
  close(from);
  fcntl(memory, F_ADD_SEALS,
        F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  /* open for writing, it could not be executed: open it for reading */
  snprintf(self, sizeof self, "/proc/self/fd/%d", memory);
  reopened = fcntl(open(self, O_RDONLY | O_CLOEXEC), F_DUPFD_CLOEXEC, 100);
  close(memory);
  return reopened;
}

static void answer(char **words, char *stack)
{
  long hello, reaped, start;

  if (strcmp(words[0], "run") == 0) {
    if (make(stack, &hello, &reaped) != 0)
      printf("error %s\n", strerror(errno));
    else
      printf("%ld %ld\n", hello, reaped);
  } else if (strcmp(words[0], "rate") == 0 && words[1] && words[2]) {
    rate(atof(words[1]), atoi(words[2]), NULL);
  } else if (strcmp(words[0], "ratecmd") == 0 && words[1] && words[2] &&
             words[3]) {
    rate(atof(words[1]), atoi(words[2]), words + 3);
  } else if (strcmp(words[0], "spawn") == 0 && words[1]) {
    start = now();
    if (spawn(words + 1) != 0)
      puts("error spawn");
    else
      printf("%ld\n", now() - start);
  } else {
    puts("error unknown command");
  }
}

int main(int argc, char **argv)
{
  char line[4096];
  char *stack = malloc(STACK);

  if (argc != 2 || stack == NULL) {
    fputs("usage: floor STATIC-PROGRAM < commands\n", stderr);
    return 2;
  }
  program = load(argv[1]);
  if (program < 0) {
    fprintf(stderr, "floor: %s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *words[WORDS + 1] = {NULL};
    char *save = NULL, *word = strtok_r(line, " \n", &save);
    int count = 0;

    for (; word != NULL && count < WORDS; word = strtok_r(NULL, " \n", &save))
      words[count++] = word;
    if (count > 0)
      answer(words, stack);
  }
  free(stack);
  return 0;
}
#endif
