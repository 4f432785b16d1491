/* standstill.c -- see standstill.h.
**
** Processes that send each other SIGCONT all the time take back a signal to
** stop before it is heard. So they are looked at, each thread of them, and
** stopped again until none runs.
*/
#include "standstill.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ATTEMPTS 500   /* a millisecond each, and the time of looking */
#define PASSES 3       /* one that runs could have moved on behind our back */
#define STILL "TtDZXx" /* D: it hears of it before it goes on */

struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[256];
};

/* Of processes, and of the threads of one. */
union numbers {
  struct entry first;
  char bytes[4096];
};

static int is_gone(void)
{
  return errno == ENOENT || errno == ESRCH;
}

/* 1 if `runs` says so of any of them, or if they cannot be read. */
static int any_runs(int fd, union numbers *numbers,
                    int (*runs)(int fd, const char *name))
{
  const struct entry *entry;
  long length, at;

  while ((length = syscall(SYS_getdents64, fd, numbers->bytes,
                           sizeof numbers->bytes)) > 0)
    for (at = 0; at < length; at += entry->length) {
      entry = (const struct entry *)(const void *)(numbers->bytes + at);
      if (entry->name[0] >= '0' && entry->name[0] <= '9' &&
          runs(fd, entry->name))
        return 1;
    }
  return length < 0 && !is_gone();
}

static int thread_runs(int threads, const char *name)
{
  char path[32], text[128];
  const char *end;
  ssize_t length;
  int fd;

  snprintf(path, sizeof path, "%.16s/stat", name);
  fd = openat(threads, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return !is_gone();
  length = read(fd, text, sizeof text - 1);
  if (length < 0) {
    length = is_gone() ? 0 : -1;
    close(fd);
    return length < 0;
  }
  close(fd);
  text[length] = '\0';
  end = strrchr(text, ')'); /* its name can hold anything */
  return end == NULL || end[1] == '\0' || strchr(STILL, end[2]) == NULL;
}

static int process_runs(int processes, const char *name)
{
  static union numbers numbers;
  char path[32];
  int fd, result;

  if (strcmp(name, "1") == 0)
    return 0;
  snprintf(path, sizeof path, "%.16s/task", name);
  fd = openat(processes, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return !is_gone();
  result = any_runs(fd, &numbers, thread_runs);
  close(fd);
  return result;
}

static int anything_runs(void)
{
  static union numbers numbers;
  int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

  if (fd < 0)
    return 1;
  result = any_runs(fd, &numbers, process_runs);
  close(fd);
  return result;
}

int standstill(void)
{
  int attempt, pass;

  for (attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (kill(-1, SIGSTOP) < 0)
      return errno;
    pass = 0;
    while (pass < PASSES && !anything_runs())
      pass++;
    if (pass == PASSES)
      return 0;
    usleep(1000);
  }
  return EBUSY;
}
