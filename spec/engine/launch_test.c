/* launch_test.c -- the stem and its sandboxes, and the host that feels nothing.
** #S004 #S124 #S125 #S133
*/
#include "engine_host.h"
#include "start/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t child_signals;
static volatile sig_atomic_t alarms;

static void count_child(int number)
{
  (void)number;
  child_signals++;
}

static void count_alarm(int number)
{
  (void)number;
  alarms++;
}

/* The process behind the first pidfd of ours, or 0: the stem's, when there is
** no sandbox.
*/
static pid_t find_stem(void)
{
  DIR *directory = opendir("/proc/self/fdinfo");
  struct dirent *entry;
  pid_t found = 0;

  while (found == 0 && (entry = readdir(directory)) != NULL) {
    char path[300], line[128];
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
      if (strncmp(line, "Pid:", 4) == 0)
        found = (pid_t)strtol(line + 4, NULL, 10);
    }
    if (file != NULL)
      fclose(file);
  }
  closedir(directory);
  return found;
}

static int one_life(void)
{
  struct host host;
  struct cell_sandbox *sandbox;
  int lived;

  host_open(&host);
  sandbox = create_running(&host);
  lived = sandbox != NULL && end(&host, sandbox);
  host_close(&host);
  return lived;
}

/* ---- what the host must not feel ---- */

static void test_signals(void)
{
  struct sigaction before, after;
  sigset_t mask_before, mask_after;
  int same = 1;
  int number;
  int lived;

  signal(SIGCHLD, count_child);
  signal(SIGPIPE, SIG_DFL);
  sigaction(SIGCHLD, NULL, &before);
  sigprocmask(SIG_SETMASK, NULL, &mask_before);
  lived = one_life();
  sigaction(SIGCHLD, NULL, &after);
  sigprocmask(SIG_SETMASK, NULL, &mask_after);
  for (number = 1; number < 32; number++)
    same = same && sigismember(&mask_before, number) ==
                     sigismember(&mask_after, number);
  check(lived, "a sandbox starts and ends");
  check(child_signals == 0, "the host gets no SIGCHLD from it");
  check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD,
        "and has no child to wait for");
  check(same && after.sa_handler == before.sa_handler,
        "its signal mask and handlers are as they were");
  signal(SIGCHLD, SIG_IGN);
  check(one_life(), "a host that ignores SIGCHLD is served too");
  signal(SIGCHLD, SIG_DFL);
}

static void test_descriptors(void)
{
  static const int no_extra[2] = {-1, -1};
  struct cell_launched launched;
  struct cell_error error;
  char path[64], target[256];
  int canary = open("/proc/self/exe", O_RDONLY); /* without close-on-exec */
  int copy = dup2(canary, 700);
  int inherited = 0;
  int fd;

  check(cell_launch(&launched, "codecell-stem", no_extra, &error) == 0,
        "the executable starts");
  for (fd = 0; fd < 1000; fd++) {
    long length;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)launched.pid, fd);
    length = readlink(path, target, sizeof target - 1);
    if (length < 0)
      continue;
    target[length] = '\0';
    inherited |= strstr(target, "launch_test") != NULL;
  }
  check(copy == 700 && !inherited, "it has no descriptor of the host's");
  syscall(SYS_pidfd_send_signal, launched.pidfd, SIGKILL, NULL, 0);
  check(poll(&(struct pollfd){launched.pidfd, POLLIN, 0}, 1, PATIENCE_MS) == 1,
        "its pidfd tells when it has ended");
  close(launched.pidfd);
  close(launched.channel);
  close(canary);
  close(copy);
}

/* In a child each, because they change the process for good. Exit 0: fine. */
static int in_child(int (*body)(void))
{
  int status = -1;
  pid_t child;

  fflush(stdout);
  child = fork();
  if (child == 0)
    _exit(body());
  waitpid(child, &status, 0);
  return status == 0;
}

static int closed_stdio(void)
{
  int fd;

  for (fd = 0; fd < 3; fd++)
    close(fd);
  if (!one_life())
    return 1;
  for (fd = 0; fd < 3; fd++) {
    if (fcntl(fd, F_GETFD) >= 0)
      return 2;
  }
  return 0;
}

static int not_dumpable(void)
{
  prctl(PR_SET_DUMPABLE, 0);
  return !one_life();
}

static int subreaper(void)
{
  struct host host;
  struct cell_sandbox *sandbox;
  int reaped;

  prctl(PR_SET_CHILD_SUBREAPER, 1);
  host_open(&host);
  sandbox = create_running(&host);
  if (sandbox == NULL || !end(&host, sandbox))
    return 1;
  /* The stem, ours here, ends a second after its last sandbox. */
  STEP_UNTIL(&host, reaped,
             waitid(P_ALL, 0, &(siginfo_t){0},
                    WEXITED | WNOHANG | WNOWAIT | __WALL) < 0);
  host_close(&host);
  return !reaped;
}

static int large(void)
{
  const size_t size = (size_t)1 << 30;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  struct cell_launched launched;
  struct rusage before, after;

  if (memory == MAP_FAILED)
    return 0;
  memset(memory, 1, size);
  getrusage(RUSAGE_SELF, &before);
  if (cell_launch(&launched, "codecell-stem", (const int[]){-1, -1}, NULL) < 0)
    return 1;
  getrusage(RUSAGE_SELF, &after);
  /* A copy of the page tables would make each page fault again. */
  memset(memory, 2, size);
  close(launched.channel);
  close(launched.pidfd);
  getrusage(RUSAGE_SELF, &after);
  return after.ru_minflt - before.ru_minflt > 1000;
}

static int alarmed(void)
{
  const struct itimerval often = {{0, 1000}, {0, 1000}};
  int lives = 0;
  int i;

  signal(SIGALRM, count_alarm);
  setitimer(ITIMER_REAL, &often, NULL);
  for (i = 0; i < 10; i++)
    lives += one_life();
  return lives != 10 || alarms == 0;
}

static void *live(void *argument)
{
  int i;

  (void)argument;
  for (i = 0; i < 5; i++) {
    if (!one_life())
      return (void *)1;
  }
  return NULL;
}

static void test_threads(void)
{
  pthread_t threads[6];
  int failed = 0;
  int i;

  for (i = 0; i < 6; i++)
    pthread_create(&threads[i], NULL, live, NULL);
  for (i = 0; i < 6; i++) {
    void *result;

    pthread_join(threads[i], &result);
    failed |= result != NULL;
  }
  check(!failed, "six threads with a reactor each do not disturb one another");
}

/* ---- the stem's end ---- */

static void test_stem_killed(void)
{
  struct host host;
  struct cell_sandbox *first, *second;
  struct cell_process *process;
  pid_t stem;
  int running = 0;
  int finished = 0;

  host_open(&host);
  cell_stem_start(host.stem, NULL);
  stem = find_stem();
  first = create_running(&host);
  kill(stem, SIGKILL);
  second = create_running(&host);
  check(second != NULL, "the create after the stem was killed makes a new one");
  check(first != NULL && cell_sandbox_state(first) == CELL_SANDBOX_RUNNING,
        "and the sandboxes of the old one live on");
  check(end(&host, first) && end(&host, second), "both end when closed");
  host_close(&host);

  host_open(&host);
  cell_stem_start(host.stem, NULL);
  stem = find_stem();
  kill(stem, SIGSTOP);
  first = create(&host, 900000);
  process = shell(first, CELL_COMMAND, "exit 7");
  kill(stem, SIGKILL);
  STEP_UNTIL(&host, running,
             cell_sandbox_state(first) != CELL_SANDBOX_STARTING);
  check(cell_sandbox_state(first) == CELL_SANDBOX_RUNNING,
        "a create that a killed stem had not answered is repeated");
  STEP_UNTIL(&host, finished, cell_process_finished(process));
  check(finished && cell_process_exit(process)->code == 7,
        "and what was asked of it meanwhile is done");
  cell_process_free(process);
  check(end(&host, first), "and its sandbox ends when closed");
  host_close(&host);
}

static void test_binds(void)
{
  static const char *const wrong[] = {"relative"};
  static const char *const binds[] = {"/var"};
  struct cell_process *process;
  struct cell_sandbox *sandbox;
  struct host host;
  int finished = 0;

  host_open(&host);
  sandbox = create_running(&host);
  check(cell_stem_set_binds(host.stem, wrong, 1, NULL) == -1,
        "a bind must be an absolute path");
  check(cell_stem_set_binds(host.stem, binds, 1, NULL) == 0,
        "a directory can be bound");
  check(end(&host, sandbox), "a sandbox from before lives until it is closed");
  sandbox = create_running(&host);
  if (check(sandbox != NULL, "the next one has another stem")) {
    process = shell(sandbox, CELL_COMMAND, "ls -d /var/lib");
    STEP_UNTIL(&host, finished, cell_process_finished(process));
    check(finished && cell_process_exit(process)->code == 0,
          "and sees what is bound");
    cell_process_free(process);
    end(&host, sandbox);
  }
  host_close(&host);
}

static void test_many(void)
{
  struct cell_sandbox *sandboxes[40];
  struct host host;
  int running = 0;
  int ended = 0;
  int i;

  host_open(&host);
  for (i = 0; i < 40; i++)
    sandboxes[i] = create(&host, 900000);
  for (i = 0; i < 40; i++) {
    int started;

    STEP_UNTIL(&host, started,
               cell_sandbox_state(sandboxes[i]) != CELL_SANDBOX_STARTING);
    running += cell_sandbox_state(sandboxes[i]) == CELL_SANDBOX_RUNNING;
  }
  check(running == 40, "forty at once all start");
  for (i = 0; i < 40; i++)
    cell_sandbox_close(sandboxes[i]);
  for (i = 0; i < 40; i++) {
    int gone;

    STEP_UNTIL(&host, gone,
               cell_sandbox_state(sandboxes[i]) == CELL_SANDBOX_ENDED);
    ended += gone;
    cell_sandbox_release(sandboxes[i]);
  }
  check(ended == 40, "and all end");
  host_close(&host);
}

int main(void)
{
  int before;

  if (!one_life()) {
    check_skip("sandboxes start", "not on this machine");
    return 0;
  }
  before = count_descriptors();
  test_signals();
  test_descriptors();
  check(in_child(closed_stdio), "closed standard streams stay closed");
  check(in_child(not_dumpable), "a host that is not dumpable is served");
  check(in_child(subreaper), "a subreaper is left no zombie");
  check(in_child(large), "a host of a GiB is not copied");
  check(in_child(alarmed), "a host with a thousand signals a second is served");
  test_threads();
  test_stem_killed();
  test_binds();
  test_many();
  check(count_descriptors() == before, "no descriptor is left");
  return check_status();
}
