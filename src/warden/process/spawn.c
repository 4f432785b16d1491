/* spawn.c -- see spawn.h. */
#include "spawn.h"

#include "../../zygote/session.h"
#include "../warden.h"
#include "program.h"
#include "reaper.h"
#include "session.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRINGS_MAX (sizeof((struct jobs *)0)->strings / sizeof(char *))

static struct job *find(struct warden *warden, uint64_t request)
{
  size_t i;

  for (i = 0; i < warden->jobs.count; i++)
    if (warden->jobs.list[i].request == request)
      return &warden->jobs.list[i];
  return NULL;
}

static void forget(struct warden *warden, struct job *job)
{
  if (job->report >= 0)
    close(job->report);
  if (job->master >= 0)
    close(job->master);
  if (job->session >= 0)
    close(job->session);
  *job = warden->jobs.list[--warden->jobs.count];
}

static int answer(struct warden *warden, uint64_t request, int number,
                  const char *stage, uint32_t pid, int master)
{
  unsigned char bytes[64];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)number);
  cell_pack_string(&packer, stage);
  cell_pack_u32(&packer, pid);
  return wire_send(warden->channel, CELL_SPAWNED, request, &packer, master);
}

/* Strings become pointers into the message; each is ended with a NUL once
** nothing behind it is to be read any more.
*/
static char **read_strings(struct warden *warden,
                           struct cell_unpacker *unpacker, size_t *used)
{
  char **first = &warden->jobs.strings[*used];
  uint32_t count = cell_unpack_u32(unpacker);
  size_t length;

  while (count-- > 0 && !unpacker->failed) {
    if (*used >= STRINGS_MAX - 2) {
      unpacker->failed = 1;
      break;
    }
    warden->jobs.strings[(*used)++] =
      (char *)cell_unpack_bytes(unpacker, &length);
  }
  warden->jobs.strings[(*used)++] = NULL;
  return first;
}

/* From the last to the first: the NUL of one falls on the length of the next.
 */
static void terminate_strings(char **strings, size_t count)
{
  unsigned char *prefix;
  size_t length;

  while (count-- > 0) {
    if (strings[count] == NULL)
      continue;
    prefix = (unsigned char *)strings[count] - 4;
    length = (size_t)prefix[0] | (size_t)prefix[1] << 8 |
             (size_t)prefix[2] << 16 | (size_t)prefix[3] << 24;
    strings[count][length] = '\0';
  }
}

static int read_request(struct warden *warden, struct program *program)
{
  struct cell_unpacker unpacker;
  uint32_t flags;
  size_t used = 0, next = 0;
  int last, i;

  memset(program, 0, sizeof *program);
  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  program->kind = (enum cell_spawn_kind)cell_unpack_u32(&unpacker);
  flags = cell_unpack_u32(&unpacker);
  program->is_session =
    program->kind == CELL_KERNEL && (flags & CELL_SPAWN_FORK) != 0;
  program->rows = cell_unpack_u32(&unpacker);
  program->columns = cell_unpack_u32(&unpacker);
  cell_unpack_string(&unpacker, program->cwd, sizeof program->cwd);
  program->argv = read_strings(warden, &unpacker, &used);
  program->envs = read_strings(warden, &unpacker, &used);
  if (!cell_unpack_done(&unpacker) || program->argv[0] == NULL)
    return EINVAL;
  terminate_strings(warden->jobs.strings, used);
  for (i = 0; i < PROGRAM_FDS; i++)
    program->fds[i] = -1;
  if (program->kind == CELL_TERMINAL)
    return 0;
  if (flags & CELL_SPAWN_STDIN)
    program->fds[0] = wire_take(&warden->message, next++);
  program->fds[1] = wire_take(&warden->message, next++);
  program->fds[2] = last = wire_take(&warden->message, next++);
  if (program->kind == CELL_KERNEL) {
    program->fds[3] = wire_take(&warden->message, next++);
    program->fds[4] = last = wire_take(&warden->message, next++);
  }
  if (last >= 0 && next == warden->message.count)
    return 0;
  return warden->message.lost ? EMFILE : EINVAL;
}

/* Returns an errno. */
static int execute(struct warden *warden, struct program *program,
                   struct job *job, const char **stage)
{
  int report[2], number;

  if (program->kind == CELL_TERMINAL &&
      terminal_open(&job->master, &program->fds[0], program->rows,
                    program->columns) < 0) {
    *stage = "terminal";
    return errno;
  }
  if (pipe2(report, O_CLOEXEC) < 0) {
    number = errno;
    if (job->master >= 0)
      close(job->master);
    return number;
  }
  job->pid = fork();
  if (job->pid == 0)
    program_run(warden, program, report[1]);
  number = errno;
  close(report[1]);
  job->report = report[0];
  warden->jobs.count++;
  if (job->pid > 0)
    return 0;
  forget(warden, job);
  return number;
}

/* Returns an errno. */
static int start(struct warden *warden, struct program *program,
                 const char **stage)
{
  struct job *job = &warden->jobs.list[warden->jobs.count];
  int number;

  memset(job, 0, sizeof *job);
  job->request = warden->message.frame.request;
  job->report = job->master = job->session = -1;
  *stage = "deadline";
  if (warden->paused)
    return ETIME;
  *stage = "process";
  if (warden->jobs.count == JOBS_MAX)
    return EAGAIN;
  if (reaper_wait_locked(warden) < 0)
    return ECHILD;
  job->kills_before = warden_memory_kills(warden);
  if (program->is_session) {
    number = session_start(warden, program, job, stage);
    warden->jobs.count += number == 0;
    session_close(warden);
    return number;
  }
  session_close(warden);
  return execute(warden, program, job, stage);
}

void spawn_start(struct warden *warden)
{
  struct program program;
  const char *stage = "request";
  uint64_t request = warden->message.frame.request;
  int number = read_request(warden, &program), i;

  if (number == 0)
    number = start(warden, &program, &stage);
  for (i = 0; i < PROGRAM_FDS; i++)
    if (program.fds[i] > 2)
      close(program.fds[i]);
  if (number != 0)
    answer(warden, request, number, stage, 0, -1);
}

/* The child writes its pid, then nothing (it executes) or why it failed. One
** that was killed before it wrote has ended already, and goes by our number.
*/
void spawn_report(struct warden *warden, struct job *job)
{
  struct program_failure failure;
  ssize_t length;

  if (job->seen == 0) {
    if (read(job->report, &job->seen, sizeof job->seen) == sizeof job->seen)
      return;
    job->seen = (uint32_t)job->pid;
  }
  length = read(job->report, &failure, sizeof failure);
  close(job->report);
  job->report = -1;
  if (length == (ssize_t)sizeof failure) {
    answer(warden, job->request, failure.number, program_stage(failure.stage),
           0, -1);
    job->request = 0; /* known to nobody: its exit is not told */
  } else if (answer(warden, job->request, 0, "", job->seen, job->master) < 0 &&
             job->master >= 0) {
    answer(warden, job->request, errno, "terminal", 0, -1);
    kill(job->pid, SIGKILL);
    job->request = 0;
  }
}

static uint64_t cpu_us(const struct rusage *usage)
{
  return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) *
           1000000u +
         (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void send_exited(struct warden *warden, const struct job *job,
                        int status, uint64_t cpu, uint64_t peak)
{
  unsigned char bytes[24];
  struct cell_packer packer;
  int killed = (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
               (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)status);
  cell_pack_u32(&packer,
                killed && warden_memory_kills(warden) > job->kills_before);
  cell_pack_u64(&packer, cpu);
  cell_pack_u64(&packer, peak);
  wire_send(warden->channel, CELL_EXITED, job->request, &packer, -1);
}

int spawn_reaped(struct warden *warden, pid_t pid, int status,
                 const struct rusage *usage)
{
  struct job *job;
  size_t i;

  for (i = 0; i < warden->jobs.count; i++)
    if (warden->jobs.list[i].pid == pid && warden->jobs.list[i].session < 0)
      break;
  if (i == warden->jobs.count)
    return 0;
  job = &warden->jobs.list[i];
  while (job->report >= 0)
    spawn_report(warden, job);
  warden->cpu_reaped_us += cpu_us(usage);
  if (job->request != 0)
    send_exited(warden, job, status, cpu_us(usage),
                (uint64_t)usage->ru_maxrss * 1024u);
  forget(warden, job);
  return 1;
}

void spawn_session_started(struct warden *warden, struct job *job, pid_t pid,
                           uint32_t seen)
{
  job->pid = pid;
  job->seen = seen;
  answer(warden, job->request, 0, "", seen, -1);
  if (job->late != 0)
    kill(pid, job->late);
}

void spawn_session_ended(struct warden *warden, struct job *job,
                         const struct session_report *report)
{
  int status = report->status;

  warden->cpu_reaped_us += report->cpu_us;
  if (job->pid == 0) {
    answer(warden, job->request, report->number != 0 ? report->number : ECHILD,
           report->stage, 0, -1);
  } else {
    if (report->news ==
        SESSION_FAILED) { /* its zygote ended, and said nothing */
      kill(job->pid, SIGKILL);
      status = SIGKILL;
    }
    send_exited(warden, job, status, report->cpu_us, report->memory_peak);
  }
  forget(warden, job);
}

/* A job that has just been forked leads no group yet. */
static int kill_job(struct job *job, int number, uint32_t scope)
{
  if (job->pid == 0) { /* nothing but the end would reach it yet */
    if (number == SIGKILL)
      job->late = number;
    return 0;
  }
  if (scope == CELL_SCOPE_GROUP && kill(-job->pid, number) == 0)
    return 0;
  return kill(job->pid, number);
}

static int signal_all(struct warden *warden, int number)
{
  int result = reaper_signal_all(warden, number);

  if (number == SIGCONT)
    warden->paused = 0;
  return result;
}

void spawn_signal(struct warden *warden)
{
  struct cell_unpacker unpacker;
  uint64_t request;
  uint32_t number, scope;
  struct job *job;
  int result = 0;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  request = cell_unpack_u64(&unpacker);
  number = cell_unpack_u32(&unpacker);
  scope = cell_unpack_u32(&unpacker);
  job = request != 0 ? find(warden, request) : NULL;
  if (!cell_unpack_done(&unpacker) || number > 64)
    result = EINVAL;
  else if (request == 0)
    result = signal_all(warden, (int)number);
  else if (job == NULL)
    result = ESRCH;
  else if (kill_job(job, (int)number, scope) < 0)
    result = errno;
  wire_send_number(warden->channel, CELL_DONE, warden->message.frame.request,
                   result);
}

void spawn_resize(struct warden *warden)
{
  struct cell_unpacker unpacker;
  struct job *job;
  uint32_t rows, columns;
  int result = 0;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  job = find(warden, cell_unpack_u64(&unpacker));
  rows = cell_unpack_u32(&unpacker);
  columns = cell_unpack_u32(&unpacker);
  if (!cell_unpack_done(&unpacker))
    result = EINVAL;
  else if (job == NULL)
    result = ESRCH;
  else if (job->master < 0)
    result = ENOTTY;
  else if (terminal_resize(job->master, rows, columns) < 0)
    result = errno;
  wire_send_number(warden->channel, CELL_DONE, warden->message.frame.request,
                   result);
}
