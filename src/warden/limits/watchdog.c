/* watchdog.c -- see watchdog.h. */
#include "watchdog.h"

#include "../calls.h"
#include "../warden.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

struct largest {
  pid_t pid;
  uint64_t bytes;
};

/* 0 when the process has gone meanwhile. */
static size_t read_file(int proc, pid_t pid, const char *name, char *text,
                        size_t size)
{
  char path[48];
  ssize_t length;
  int fd;

  snprintf(path, sizeof path, "%d/%s", (int)pid, name);
  fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  length = read(fd, text, size - 1);
  close(fd);
  text[length > 0 ? length : 0] = '\0';
  return length > 0 ? (size_t)length : 0;
}

static uint64_t resident(const struct warden *warden, pid_t pid)
{
  char text[128];
  unsigned long all, pages;

  if (read_file(warden->proc, pid, "statm", text, sizeof text) == 0 ||
      sscanf(text, "%lu %lu", &all, &pages) != 2)
    return 0;
  return (uint64_t)pages * PAGE;
}

/* Shared pages count in part. A process that is not dumpable does not say. */
static uint64_t proportional(const struct warden *warden, pid_t pid)
{
  char text[2048];
  const char *line;
  unsigned long kilobytes;

  if (read_file(warden->proc, pid, "smaps_rollup", text, sizeof text) == 0)
    return resident(warden, pid);
  line = strstr(text, "\nPss:");
  if (line == NULL || sscanf(line, "\nPss: %lu", &kilobytes) != 1)
    return resident(warden, pid);
  return (uint64_t)kilobytes * 1024u;
}

/* With that of the children that it has waited for. */
static uint64_t cpu_time(const struct warden *warden, pid_t pid)
{
  char text[512];
  const char *fields;
  unsigned long user, kernel, user_below, kernel_below;
  long ticks = sysconf(_SC_CLK_TCK);

  if (read_file(warden->proc, pid, "stat", text, sizeof text) == 0)
    return 0;
  fields = strrchr(text, ')'); /* the name before it is the code's */
  if (fields == NULL ||
      sscanf(fields,
             ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu",
             &user, &kernel, &user_below, &kernel_below) != 4 ||
      ticks <= 0)
    return 0;
  return ((uint64_t)user + kernel + user_below + kernel_below) * 1000000u /
         (uint64_t)ticks;
}

/* Calls `measure` for every process of the code and sums what it returns. */
static uint64_t sum(const struct warden *warden,
                    uint64_t (*measure)(const struct warden *, pid_t),
                    struct largest *largest, uint32_t *count)
{
  int fd = openat(warden->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
  struct dirent *entry;
  uint64_t total = 0, bytes;
  pid_t pid;

  if (directory == NULL) {
    if (fd >= 0)
      close(fd);
    return 0;
  }
  while ((entry = readdir(directory)) != NULL) {
    pid = (pid_t)strtol(entry->d_name, NULL, 10);
    if (pid <= 1 || pid == warden->reaper)
      continue;
    bytes = measure(warden, pid);
    total += bytes;
    ++*count;
    if (bytes > largest->bytes) {
      largest->bytes = bytes;
      largest->pid = pid;
    }
  }
  closedir(directory);
  return total;
}

void watchdog_measure(struct warden *warden, uint64_t *bytes,
                      uint32_t *processes, uint64_t *cpu_us)
{
  struct largest largest = {0, 0};
  uint32_t ignored = 0;

  *processes = 0;
  *bytes = sum(warden, resident, &largest, processes);
  *cpu_us = sum(warden, cpu_time, &largest, &ignored);
}

void watchdog_look(struct warden *warden)
{
  struct largest largest = {0, 0};
  uint32_t count = 0;
  uint64_t bytes = sum(warden, resident, &largest, &count);

  if (count > warden->processes_peak)
    warden->processes_peak = count;
  if (bytes > warden->memory) {
    /* Forks share most of it: only this is dear enough to ask last. */
    largest.pid = 0;
    largest.bytes = 0;
    bytes = sum(warden, proportional, &largest, &count);
    if (bytes > warden->memory && largest.pid > 1 &&
        kill(largest.pid, SIGKILL) == 0)
      warden->watchdog_kills++;
  }
  if (bytes > warden->memory_peak)
    warden->memory_peak = bytes;
}
