/* census.c -- see census.h. */
#include "census.h"

#include "../descriptor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NAME "codecell-sandbox"
/* "/proc/", a process number, "/cmdline" */
#define PATH_SIZE 48
/* The longest of the files read here, status, has about 1.5 KiB. */
#define TEXT_SIZE 4096

/* One start of a file of /proc, with a NUL behind it. Returns its length, or
** -1: the process has ended meanwhile.
*/
static long read_text(const char *process, const char *name, char *text,
                      size_t size)
{
  char path[PATH_SIZE];
  long length;
  int fd;

  snprintf(path, sizeof path, "/proc/%.20s/%.12s", process, name);
  fd = cell_fd_above_stdio(open(path, O_RDONLY | O_CLOEXEC));
  if (fd < 0)
    return -1;
  do
    length = read(fd, text, size - 1);
  while (length < 0 && errno == EINTR);
  cell_fd_close(&fd);
  if (length < 0)
    return -1;
  text[length] = '\0';
  return length;
}

int cell_census_is_id(const char *text)
{
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");

  return text[0] == 'i' && text[length] == '\0' && length == CELL_ID_SIZE - 1;
}

/* The id behind the name, in `text` as cmdline has it: words that end in NUL,
** or one word with a space. NULL: not a warden.
*/
static const char *id_of(char *text, long length)
{
  char *id = text + sizeof NAME;

  if (length < (long)(sizeof NAME + CELL_ID_SIZE - 1) ||
      memcmp(text, NAME, sizeof NAME - 1) != 0 ||
      (id[-1] != '\0' && id[-1] != ' '))
    return NULL;
  return cell_census_is_id(id) ? id : NULL;
}

/* How many PID namespaces the process is in, as /proc sees it, and its number
** in the innermost. 0: unknown.
*/
static int namespace_depth(const char *process, long *innermost)
{
  char text[TEXT_SIZE];
  const char *at;
  char *end;
  int depth = 0;

  if (read_text(process, "status", text, sizeof text) < 0 ||
      (at = strstr(text, "\nNSpid:")) == NULL)
    return 0;
  at += strlen("\nNSpid:");
  /* Ends at the name of the next line, which is no number. */
  for (;; at = end, depth++) {
    long number = strtol(at, &end, 10);

    if (end == at)
      return depth;
    *innermost = number;
  }
}

/* Seconds since 1970 of the start of the process; 0: it has ended. */
static double start_time(const char *process)
{
  char text[TEXT_SIZE];
  const char *at;
  struct timespec now, booted;
  double ticks = 0;
  int field;

  /* The second field is a name in brackets that may hold anything. */
  if (read_text(process, "stat", text, sizeof text) < 0 ||
      (at = strrchr(text, ')')) == NULL)
    return 0;
  for (field = 2; field < 22 && at != NULL; field++)
    at = strchr(at + 1, ' ');
  if (at == NULL)
    return 0;
  ticks = strtod(at + 1, NULL);
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_BOOTTIME, &booted);
  return (double)(now.tv_sec - booted.tv_sec) +
         (double)(now.tv_nsec - booted.tv_nsec) / 1e9 +
         ticks / (double)sysconf(_SC_CLK_TCK);
}

static int is_own(uid_t uid)
{
  uid_t own = geteuid();

  return uid == own || (own == 0 && uid == CELL_PLAIN_UID);
}

/* 1: `process` is a warden in scope, *entry is filled. */
static int examine(const char *process, int own_depth,
                   enum cell_census_scope scope,
                   struct cell_census_entry *entry)
{
  char text[TEXT_SIZE], path[PATH_SIZE];
  const char *id;
  struct stat status;
  long innermost = 0;
  int depth;
  long length = read_text(process, "cmdline", text, sizeof text);

  if (length < 0 || (id = id_of(text, length)) == NULL)
    return 0;
  /* The folder belongs to the process's user, whether or not it is dumpable. */
  snprintf(path, sizeof path, "/proc/%.20s", process);
  if (stat(path, &status) < 0 ||
      (scope == CELL_CENSUS_MINE && !is_own(status.st_uid)))
    return 0;
  depth = namespace_depth(process, &innermost) - own_depth;
  if (depth < 1 || depth > 2 || innermost != 1)
    return 0;
  memcpy(entry->id, id, CELL_ID_SIZE);
  entry->pid = (pid_t)strtol(process, NULL, 10);
  entry->uid = status.st_uid;
  entry->started = start_time(process);
  return 1;
}

static int own_depth(void)
{
  long innermost;

  return namespace_depth("self", &innermost);
}

long cell_census_list(struct cell_census_entry *entries, size_t size,
                      enum cell_census_scope scope, struct cell_error *error)
{
  DIR *directory = opendir("/proc");
  int depth = own_depth();
  const struct dirent *item;
  struct cell_census_entry entry;
  long count = 0;

  if (directory == NULL)
    return cell_fail(error, cell_kind_of(errno), errno, "open /proc");
  if (depth == 0) {
    closedir(directory);
    return cell_fail(error, CELL_UNSUPPORTED, 0,
                     "/proc is not mounted, so sandboxes cannot be found");
  }
  while ((item = readdir(directory)) != NULL) {
    if (item->d_name[0] < '1' || item->d_name[0] > '9' ||
        !examine(item->d_name, depth, scope, &entry))
      continue;
    if ((size_t)count < size)
      entries[count] = entry;
    count++;
  }
  closedir(directory);
  return count;
}

/* SIGKILL through a pidfd, if the process still is the sandbox `id`. */
static int kill_checked(pid_t pid, const char *id, struct cell_error *error)
{
  struct cell_census_entry entry;
  char process[24];
  int result = 0;
  int fd = cell_fd_above_stdio((int)syscall(SYS_pidfd_open, pid, 0));

  if (fd < 0)
    return errno == ESRCH ? 0
                          : cell_fail(error, cell_kind_of(errno), errno,
                                      "open process %ld", (long)pid);
  snprintf(process, sizeof process, "%ld", (long)pid);
  if (examine(process, own_depth(), CELL_CENSUS_MINE, &entry) &&
      strcmp(entry.id, id) == 0) {
    if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
      result = 1;
    else if (errno != ESRCH)
      result = cell_fail(error, cell_kind_of(errno), errno, "kill %s", id);
  }
  cell_fd_close(&fd);
  return result;
}

int cell_census_kill(const char *id, struct cell_error *error)
{
  DIR *directory = opendir("/proc");
  int depth = own_depth();
  const struct dirent *item;
  struct cell_census_entry entry;
  int result = 0;

  if (directory == NULL)
    return cell_fail(error, cell_kind_of(errno), errno, "open /proc");
  while (result == 0 && (item = readdir(directory)) != NULL)
    if (item->d_name[0] >= '1' && item->d_name[0] <= '9' &&
        examine(item->d_name, depth, CELL_CENSUS_MINE, &entry) &&
        strcmp(entry.id, id) == 0)
      result = kill_checked(entry.pid, id, error);
  closedir(directory);
  return result;
}
