/* cgroup.c -- see cgroup.h. */
#include "cgroup.h"

#include "../stem/steward.h"
#include "hierarchy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "codecell-"
#define PERIOD_US 100000u
/* Warden, reaper, helpers for files, and the stem until it moves on. */
#define OVERHEAD 8u

static const struct cgroup_view no_view = {{0, 0, 0}, -1, -1, -1, -1};
static const char *const controllers[] = {"memory", "pids", "cpu"};
static const char *const handed[] = {
  "", "cgroup.procs", "tasks", "cgroup.threads", "cgroup.subtree_control"};

static int open_directory(int directory, const char *path)
{
  return openat(directory, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int put(int directory, const char *group, const char *file,
               const char *value)
{
  char path[96];
  ssize_t written;
  int fd, number;

  snprintf(path, sizeof path, "%s/%s", group, file);
  fd = openat(directory, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  written = write(fd, value, strlen(value));
  number = errno;
  close(fd);
  errno = number;
  return written < 0 ? -1 : 0;
}

static int put_number(int directory, const char *group, const char *file,
                      uint64_t value)
{
  char text[24];

  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  return put(directory, group, file, text);
}

static int look(int directory, const char *group, const char *file)
{
  char path[96];

  snprintf(path, sizeof path, "%s/%s", group, file);
  return openat(directory, path, O_RDONLY | O_CLOEXEC);
}

static void name_of(uint32_t number, char name[16])
{
  snprintf(name, 16, "%u", (unsigned)number);
}

/* Directories by one descriptor each, or one for all in version 2. */
int cgroup_distinct(const struct cgroup *cgroup, int controller)
{
  return cgroup->own[controller] >= 0 &&
         (cgroup->version == 1 || controller == CGROUP_MEMORY);
}

/* Their names have the pids of their stems. */
static void clean(int parent)
{
  int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), group;
  DIR *directory = fd >= 0 ? fdopendir(fd) : NULL, *groups;
  struct dirent *entry, *below;
  pid_t pid;

  while (directory != NULL && (entry = readdir(directory)) != NULL) {
    if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0)
      continue;
    pid = (pid_t)strtol(entry->d_name + sizeof PREFIX - 1, NULL, 10);
    if (pid <= 1 || kill(pid, 0) == 0 || errno != ESRCH)
      continue;
    group = openat(parent, entry->d_name,
                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    groups = group >= 0 ? fdopendir(group) : NULL;
    while (groups != NULL && (below = readdir(groups)) != NULL)
      if (below->d_name[0] >= '0' && below->d_name[0] <= '9')
        unlinkat(group, below->d_name, AT_REMOVEDIR);
    if (groups != NULL)
      closedir(groups);
    unlinkat(parent, entry->d_name, AT_REMOVEDIR);
  }
  if (directory != NULL)
    closedir(directory);
}

void cgroup_clean(const struct cgroup *cgroup)
{
  int i;

  for (i = 0; i < CGROUP_CONTROLLERS; i++)
    if (cgroup_distinct(cgroup, i))
      clean(cgroup->parent[i]);
}

static int make_own(struct cgroup *cgroup, int controller, const char *place,
                    uid_t owner)
{
  int parent = open_directory(AT_FDCWD, place), own = -1;
  size_t i;

  if (parent < 0)
    return -1;
  if (mkdirat(parent, cgroup->name, 0755) == 0 || errno == EEXIST)
    own = open_directory(parent, cgroup->name);
  if (own < 0) {
    close(parent);
    return -1;
  }
  for (i = 0; geteuid() == 0 && i < sizeof handed / sizeof handed[0]; i++)
    if (fchownat(own, handed[i], owner, owner, AT_EMPTY_PATH) < 0)
      errno = 0; /* the other version's file */
  cgroup->parent[controller] = parent;
  cgroup->own[controller] = own;
  return 0;
}

/* Processes may not sit beside groups, so ours is a sibling of the host's; the
** controllers must be there, and the way from the host's group be ours.
*/
static int open_unified(struct cgroup *cgroup, uid_t owner)
{
  char path[2048], file[2080], text[256];
  char *slash;
  ssize_t length;
  int fd;

  if (hierarchy_find("", path, sizeof path) < 0)
    return -1;
  slash = strrchr(path, '/');
  if (slash == NULL || slash == path)
    return -1;
  *slash = '\0';
  snprintf(file, sizeof file, "%s/cgroup.procs", path);
  if (access(file, W_OK) < 0)
    return -1;
  snprintf(file, sizeof file, "%s/cgroup.subtree_control", path);
  fd = open(file, O_RDONLY | O_CLOEXEC);
  length = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0)
    close(fd);
  text[length > 0 ? length : 0] = '\0';
  if (strstr(text, "memory") == NULL || strstr(text, "pids") == NULL ||
      make_own(cgroup, CGROUP_MEMORY, path, owner) < 0)
    return -1;
  cgroup->version = 2;
  put(cgroup->own[0], ".", "cgroup.subtree_control", "+memory +pids");
  cgroup->own[CGROUP_PROCESSES] = cgroup->own[CGROUP_MEMORY];
  if (put(cgroup->own[0], ".", "cgroup.subtree_control", "+cpu") == 0)
    cgroup->own[CGROUP_CPU] = cgroup->own[CGROUP_MEMORY];
  return 0;
}

void cgroup_open(struct cgroup *cgroup, uid_t owner,
                 const struct self_title *title)
{
  char path[2048];
  int i;

  memset(cgroup, 0, sizeof *cgroup);
  cgroup->steward = -1;
  cgroup->view = no_view;
  for (i = 0; i < CGROUP_CONTROLLERS; i++)
    cgroup->parent[i] = cgroup->own[i] = cgroup->outside[i] = -1;
  snprintf(cgroup->name, sizeof cgroup->name, PREFIX "%d", (int)getpid());
  if (open_unified(cgroup, owner) < 0)
    for (i = 0; geteuid() == 0 && i < CGROUP_CONTROLLERS; i++)
      if (hierarchy_find(controllers[i], path, sizeof path) == 0 &&
          make_own(cgroup, i, path, owner) == 0) {
        cgroup->version = 1;
        cgroup->outside[i] =
          openat(cgroup->parent[i], "tasks", O_WRONLY | O_CLOEXEC);
      }
  if (cgroup->version == 0)
    return;
  if (steward_start(cgroup, owner, title, &cgroup->steward) < 0)
    cgroup->version = 0;
  cgroup_prepare(cgroup);
}

/* A group of version 1, with us in it. Who has one thread and writes 0 to this
** file moves alone, and need not wait for the whole machine as with any other
** way (5 to 20 ms, from Linux 5.6 on).
*/
static int move_into(const struct cgroup *cgroup, int controller,
                     const char *name)
{
  return put(cgroup->own[controller], name, "tasks", "0");
}

void cgroup_make(const struct cgroup *cgroup, uint32_t number)
{
  char name[16];
  int i;

  name_of(number, name);
  for (i = 0; i < CGROUP_CPU; i++)
    if (cgroup_distinct(cgroup, i))
      mkdirat(cgroup->own[i], name, 0755);
}

/* The one with swap is absent where that is not accounted. It may never be the
** smaller one, so it is written first to grow and last to shrink. What sockets
** hold counts for neither: an eighth, of the one store that the machine has.
*/
static int limit_memory(int own, const char *name, uint64_t memory)
{
  int result;

  put_number(own, name, "memory.kmem.tcp.limit_in_bytes", memory / 8);
  put_number(own, name, "memory.memsw.limit_in_bytes", memory);
  result = put_number(own, name, "memory.limit_in_bytes", memory);
  put_number(own, name, "memory.memsw.limit_in_bytes", memory);
  return result;
}

static void limit_first(struct cgroup *cgroup, const char *name,
                        const struct cgroup_limits *limits)
{
  struct cgroup_view *view = &cgroup->view;
  const int *own = cgroup->own;

  if (own[CGROUP_MEMORY] >= 0 &&
      limit_memory(own[CGROUP_MEMORY], name, limits->memory) == 0) {
    view->by[CGROUP_MEMORY] = CELL_BY_CGROUP1;
    view->oom_kills = look(own[CGROUP_MEMORY], name, "memory.oom_control");
    view->usage = look(own[CGROUP_MEMORY], name, "memory.usage_in_bytes");
    view->peak = look(own[CGROUP_MEMORY], name, "memory.max_usage_in_bytes");
  }
  if (own[CGROUP_PROCESSES] >= 0 &&
      put_number(own[CGROUP_PROCESSES], name, "pids.max",
                 limits->processes + OVERHEAD) == 0)
    view->by[CGROUP_PROCESSES] = CELL_BY_CGROUP1;
  if (limits->cpu_milli > 0 && own[CGROUP_CPU] >= 0) {
    cgroup->slowed = 1;
    mkdirat(own[CGROUP_CPU], name, 0755);
    if (move_into(cgroup, CGROUP_CPU, name) == 0 &&
        put_number(own[CGROUP_CPU], name, "cpu.cfs_quota_us",
                   (uint64_t)limits->cpu_milli * PERIOD_US / 1000) == 0)
      view->by[CGROUP_CPU] = CELL_BY_CGROUP1;
  }
}

static void limit_second(struct cgroup *cgroup, const char *name,
                         const struct cgroup_limits *limits)
{
  struct cgroup_view *view = &cgroup->view;
  int own = cgroup->own[CGROUP_MEMORY];
  char quota[48];

  if (put_number(own, name, "memory.max", limits->memory) == 0) {
    put(own, name, "memory.swap.max", "0");
    view->by[CGROUP_MEMORY] = CELL_BY_CGROUP2;
    view->oom_kills = look(own, name, "memory.events");
    view->usage = look(own, name, "memory.current");
    view->peak = look(own, name, "memory.peak");
  }
  if (put_number(own, name, "pids.max", limits->processes + OVERHEAD) == 0)
    view->by[CGROUP_PROCESSES] = CELL_BY_CGROUP2;
  view->cpu = look(own, name, "cpu.stat");
  snprintf(quota, sizeof quota, "%llu %u",
           (unsigned long long)limits->cpu_milli * PERIOD_US / 1000, PERIOD_US);
  if (limits->cpu_milli > 0 && cgroup->own[CGROUP_CPU] >= 0 &&
      put(own, name, "cpu.max", quota) == 0)
    view->by[CGROUP_CPU] = CELL_BY_CGROUP2;
}

/* Put `last` on the prepared group. */
static void limit(struct cgroup *cgroup)
{
  char name[16];

  name_of(cgroup->prepared, name);
  cgroup_view_close(&cgroup->view);
  memset(cgroup->view.by, 0, sizeof cgroup->view.by);
  if (cgroup->version == 1)
    limit_first(cgroup, name, &cgroup->last);
  else
    limit_second(cgroup, name, &cgroup->last);
  cgroup->limited = 1;
}

static int same(const struct cgroup_limits *one,
                const struct cgroup_limits *other)
{
  return one->memory == other->memory && one->processes == other->processes &&
         one->cpu_milli == other->cpu_milli;
}

/* A limit on the CPU is not put ahead: it could not be taken back so simply. */
static void limit_ahead(struct cgroup *cgroup)
{
  cgroup->limited = 0;
  if (cgroup->prepared != 0 && cgroup->used && cgroup->last.cpu_milli == 0)
    limit(cgroup);
}

static void give_up(struct cgroup *cgroup)
{
  close(cgroup->steward);
  cgroup->steward = -1;
  cgroup->version = 0;
}

void cgroup_prepare(struct cgroup *cgroup)
{
  struct steward_order order = {0, 0};

  if (cgroup->version == 0 || cgroup->prepared != 0 || cgroup->pending != 0)
    return;
  order.number = cgroup->pending = ++cgroup->number;
  if (send(cgroup->steward, &order, sizeof order, MSG_NOSIGNAL) < 0)
    give_up(cgroup);
}

void cgroup_take(struct cgroup *cgroup)
{
  uint32_t number;
  char name[16];
  int i;

  if (recv(cgroup->steward, &number, sizeof number, 0) != sizeof number) {
    give_up(cgroup);
    return;
  }
  cgroup->pending = 0;
  name_of(number, name);
  for (i = 0; i < CGROUP_CPU && cgroup->version == 1; i++)
    if (cgroup_distinct(cgroup, i) && move_into(cgroup, i, name) < 0)
      give_up(cgroup);
  if (cgroup->slowed && move_into(cgroup, CGROUP_CPU, ".") < 0)
    give_up(cgroup);
  cgroup->slowed = 0;
  if (cgroup->version == 0)
    return;
  cgroup->prepared = number;
  limit_ahead(cgroup);
}

uint32_t cgroup_assign(struct cgroup *cgroup,
                       const struct cgroup_limits *limits,
                       struct cgroup_view *view, int *directory)
{
  char name[16];

  *view = no_view;
  *directory = -1;
  cgroup_prepare(cgroup);
  while (cgroup->version != 0 && cgroup->prepared == 0)
    cgroup_take(cgroup);
  if (cgroup->version == 0)
    return 0;
  cgroup->used = 1;
  if (!cgroup->limited || !same(&cgroup->last, limits)) {
    cgroup->last = *limits;
    limit(cgroup);
  }
  *view = cgroup->view;
  cgroup->view = no_view;
  cgroup->limited = 0;
  if (cgroup->version == 2) {
    name_of(cgroup->prepared, name);
    *directory = openat(cgroup->own[CGROUP_MEMORY], name,
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  return cgroup->prepared;
}

void cgroup_taken(struct cgroup *cgroup)
{
  cgroup->prepared = 0;
}

void cgroup_view_close(struct cgroup_view *view)
{
  int *fds[4], i;

  fds[0] = &view->oom_kills;
  fds[1] = &view->usage;
  fds[2] = &view->peak;
  fds[3] = &view->cpu;
  for (i = 0; i < 4; i++) {
    if (*fds[i] >= 0)
      close(*fds[i]);
    *fds[i] = -1;
  }
}

void cgroup_inspect(struct cgroup *cgroup, uint32_t number, uint32_t *oom_kills,
                    uint64_t *peak)
{
  struct cgroup_view view = no_view;
  int own = cgroup->own[CGROUP_MEMORY];
  char name[16];

  if (cgroup->version != 0 && own >= 0) {
    name_of(number, name);
    view.oom_kills = look(
      own, name, cgroup->version == 1 ? "memory.oom_control" : "memory.events");
    view.peak =
      look(own, name,
           cgroup->version == 1 ? "memory.max_usage_in_bytes" : "memory.peak");
  }
  *oom_kills = (uint32_t)cgroup_oom_kills(&view);
  *peak = cgroup_peak(&view);
  cgroup_view_close(&view);
}

int cgroup_remove(const struct cgroup *cgroup, uint32_t number)
{
  char name[16];
  int i, result = 0;

  if (number == 0)
    return 0;
  name_of(number, name);
  for (i = 0; i < CGROUP_CONTROLLERS; i++)
    if (cgroup_distinct(cgroup, i) &&
        unlinkat(cgroup->own[i], name, AT_REMOVEDIR) < 0 && errno != ENOENT)
      result = -1;
  return result;
}

void cgroup_leave(struct cgroup *cgroup, uint32_t number)
{
  struct steward_order order = {number, 1};

  if (number != 0 && cgroup->version != 0 &&
      send(cgroup->steward, &order, sizeof order, MSG_NOSIGNAL) < 0)
    give_up(cgroup);
}

void cgroup_close(struct cgroup *cgroup)
{
  int i;

  for (i = 0; i < CGROUP_CONTROLLERS; i++)
    if (cgroup->outside[i] >= 0 && write(cgroup->outside[i], "0", 1) < 0)
      errno = 0; /* the steward goes on once we have ended */
  if (cgroup->steward >= 0)
    close(cgroup->steward);
  cgroup->steward = -1;
}

/* The number after `key`, or at the start of the file with "". */
static uint64_t read_value(int fd, const char *key)
{
  char text[1024];
  const char *at = text;
  ssize_t length = fd >= 0 ? pread(fd, text, sizeof text - 1, 0) : -1;

  if (length <= 0)
    return 0;
  text[length] = '\0';
  if (key[0] != '\0')
    at = strstr(text, key);
  return at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
}

uint64_t cgroup_oom_kills(const struct cgroup_view *view)
{
  return read_value(view->oom_kills, "oom_kill ");
}

uint64_t cgroup_usage(const struct cgroup_view *view)
{
  return read_value(view->usage, "");
}

uint64_t cgroup_peak(const struct cgroup_view *view)
{
  return read_value(view->peak, "");
}

uint64_t cgroup_cpu_us(const struct cgroup_view *view)
{
  return read_value(view->cpu, "usage_usec ");
}
