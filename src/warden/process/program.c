/* program.c -- see program.h. */
#include "program.h"

#include "../calls.h"
#include "../warden.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define REPORT 5   /* where the report pipe is put, out of the way */
#define OVERHEAD 2 /* warden and reaper count as processes */
/* Counted for a user of the machine too, who may be the host's: a share. */
#define SIGNALS_MAX 1024
#define LOCKED_MAX (8u << 20)
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

const char *program_stage(int stage)
{
  static const char *const names[] = {"session",     "limits", "landlock",
                                      "descriptors", "cwd",    "program"};

  return names[stage];
}

static void give_up(int report, enum program_stage stage)
{
  struct program_failure failure;

  failure.number = errno;
  failure.stage = (int)stage;
  if (write(report, &failure, sizeof failure) < 0)
    _exit(126);
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

static int set_limits(const struct warden *warden)
{
  if (limit(RLIMIT_NOFILE, warden->files) < 0 ||
      limit(RLIMIT_SIGPENDING, SIGNALS_MAX) < 0 ||
      limit(RLIMIT_MEMLOCK, LOCKED_MAX) < 0)
    return -1;
  if (warden->processes > 0 &&
      limit(RLIMIT_NPROC, (uint64_t)warden->processes + OVERHEAD) < 0)
    return -1;
  /* With a group too: who asks for too much at once is told, not killed. */
  return limit(RLIMIT_DATA, warden->memory);
}

static int start_session(const struct program *program)
{
  if (setsid() < 0)
    return -1;
  if (program->kind == CELL_TERMINAL)
    return ioctl(program->fds[0], TIOCSCTTY, 0);
  return 0;
}

/* Above every place where something is put, so that no target is a source. */
static int lift(int *fd)
{
  if (*fd < 0 || *fd > REPORT)
    return 0;
  *fd = fcntl(*fd, F_DUPFD_CLOEXEC, REPORT + 1);
  return *fd < 0 ? -1 : 0;
}

static int arrange(struct program *program, int report)
{
  int i, source;

  for (i = 0; i < PROGRAM_FDS; i++)
    if (lift(&program->fds[i]) < 0)
      return -1;
  if (lift(&report) < 0)
    return -1;
  for (i = 0; i < 3; i++) {
    source = program->kind == CELL_TERMINAL ? program->fds[0] : program->fds[i];
    if (source >= 0 && dup2(source, i) < 0)
      return -1;
  }
  for (i = CELL_CHANNEL; i < PROGRAM_FDS; i++) {
    if (program->fds[i] < 0)
      close(i);
    else if (dup2(program->fds[i], i) < 0)
      return -1;
  }
  if (dup3(report, REPORT, O_CLOEXEC) < 0)
    return -1;
  return call_close_range(REPORT + 1, ~0u);
}

int program_folder(const char *cwd, char *path, size_t size)
{
  int length;

  if (cwd[0] == '\0' || strcmp(cwd, "~") == 0)
    length = snprintf(path, size, "%s", CELL_HOME);
  else if (strncmp(cwd, "~/", 2) == 0)
    length = snprintf(path, size, "%s/%s", CELL_HOME, cwd + 2);
  else
    length =
      snprintf(path, size, "%s%s", cwd[0] == '/' ? "" : CELL_HOME "/", cwd);
  errno = ENAMETOOLONG;
  return length >= 0 && (size_t)length < size ? 0 : -1;
}

static int enter(const char *cwd)
{
  char path[CELL_PATH_MAX + sizeof CELL_HOME + 1];

  return program_folder(cwd, path, sizeof path) < 0 ? -1 : chdir(path);
}

static const char *search_path(char **envs)
{
  for (; *envs != NULL; envs++)
    if (strncmp(*envs, "PATH=", 5) == 0)
      return *envs + 5;
  return DEFAULT_PATH;
}

/* As execvp, but an error that tells more than "not found" is kept. */
static void execute(const struct program *program)
{
  const char *path, *end;
  char file[2 * CELL_PATH_MAX];
  int denied = 0;

  if (strchr(program->argv[0], '/') != NULL) {
    execve(program->argv[0], program->argv, program->envs);
    return;
  }
  errno = ENOENT;
  if (program->argv[0][0] == '\0' || strlen(program->argv[0]) >= CELL_PATH_MAX)
    return;
  for (path = search_path(program->envs);; path = end + 1) {
    end = strchr(path, ':');
    if (end == NULL)
      end = path + strlen(path);
    if (end - path < CELL_PATH_MAX - 2) {
      snprintf(file, sizeof file, "%.*s%s%s", (int)(end - path), path,
               end > path ? "/" : "./", program->argv[0]);
      execve(file, program->argv, program->envs);
      if (errno == EACCES)
        denied = 1;
      else if (errno != ENOENT && errno != ENOTDIR)
        return;
    }
    if (*end == '\0')
      break;
  }
  errno = denied ? EACCES : ENOENT;
}

void program_run(struct warden *warden, struct program *program, int report)
{
  uint32_t seen = (uint32_t)getpid();
  sigset_t none;

  self_name(&warden->birth->title, "codecell-start", "");
  if (write(report, &seen, sizeof seen) < 0)
    _exit(126);
  if (start_session(program) < 0)
    give_up(report, PROGRAM_SESSION);
  if (set_limits(warden) < 0)
    give_up(report, PROGRAM_LIMITS);
  if (warden->ruleset >= 0 && call_landlock_restrict(warden->ruleset) < 0)
    give_up(report, PROGRAM_LANDLOCK);
  if (arrange(program, report) < 0)
    give_up(report, PROGRAM_DESCRIPTORS);
  if (enter(program->cwd) < 0)
    give_up(REPORT, PROGRAM_CWD);
  umask(022);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execute(program);
  give_up(REPORT, PROGRAM_EXECUTE);
}
