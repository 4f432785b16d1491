/* steward.c -- see steward.h. */
#include "steward.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FINISH_US 100000
#define RETRY_MS 5
#define CLEAN_MS 300 /* without an order: there is time */
#define LEAVING_MAX 256

/* -1 while somebody is in one of the groups. */
static int remove_all(const struct cgroup *cgroup, int controller)
{
  int fd =
    openat(cgroup->own[controller], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
  struct dirent *entry;

  while (directory != NULL && (entry = readdir(directory)) != NULL)
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
      unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
  if (directory != NULL)
    closedir(directory);
  if (unlinkat(cgroup->parent[controller], cgroup->name, AT_REMOVEDIR) == 0)
    return 0;
  return errno == EBUSY || errno == ENOTEMPTY ? -1 : 0;
}

/* Groups that are to go. A group stays busy for a moment longer than its
** processes; what does not fit in here goes with the stem.
*/
struct leaving {
  uint32_t numbers[LEAVING_MAX];
  size_t count;
};

static void remove_leaving(const struct cgroup *cgroup, struct leaving *leaving)
{
  size_t i = 0;

  while (i < leaving->count)
    if (cgroup_remove(cgroup, leaving->numbers[i]) < 0)
      i++;
    else
      leaving->numbers[i] = leaving->numbers[--leaving->count];
}

/* Groups are made as their owner, who writes the limits. */
static void become(uid_t owner)
{
  setfsgid(owner);
  setfsuid(owner);
}

/* Until the stem has ended. */
static void serve(const struct cgroup *cgroup, int socket, uid_t owner)
{
  struct leaving leaving = {{0}, 0};
  int cleaned = 0, timeout;
  struct steward_order order;
  struct pollfd fd = {socket, POLLIN, 0};

  for (;;) {
    timeout = leaving.count > 0 ? RETRY_MS : cleaned ? -1 : CLEAN_MS;
    if (poll(&fd, 1, timeout) > 0) {
      if (recv(socket, &order, sizeof order, 0) != sizeof order)
        return;
      if (!order.remove) {
        cgroup_make(cgroup, order.number);
        send(socket, &order.number, sizeof order.number, MSG_NOSIGNAL);
        continue;
      }
      if (leaving.count < LEAVING_MAX)
        leaving.numbers[leaving.count++] = order.number;
    } else if (!cleaned && leaving.count == 0) {
      cleaned = 1;
      become(geteuid());
      cgroup_clean(cgroup);
      become(owner);
    }
    remove_leaving(cgroup, &leaving);
  }
}

static void finish(const struct cgroup *cgroup)
{
  int i, left = 1;

  while (left) {
    left = 0;
    for (i = 0; i < CGROUP_CONTROLLERS; i++)
      if (cgroup_distinct(cgroup, i) && remove_all(cgroup, i) < 0)
        left = 1;
    if (left)
      usleep(FINISH_US);
  }
}

int steward_start(const struct cgroup *cgroup, uid_t owner,
                  const struct self_title *title, int *socket)
{
  int ends[2], fds[1 + 2 * CGROUP_CONTROLLERS], i;
  pid_t pid;

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return -1;
  pid = fork();
  if (pid == 0) {
    self_name(title, "codecell-steward", "");
    prctl(PR_SET_NAME, "codecell-stewar", 0, 0, 0);
    fds[0] = ends[1];
    for (i = 0; i < CGROUP_CONTROLLERS; i++) {
      fds[1 + 2 * i] = cgroup->parent[i];
      fds[2 + 2 * i] = cgroup->own[i];
    }
    self_keep_only(fds, sizeof fds / sizeof fds[0]);
    become(owner);
    serve(cgroup, ends[1], owner);
    become(geteuid());
    finish(cgroup);
    _exit(0);
  }
  close(ends[1]);
  if (pid > 0) {
    *socket = ends[0];
    return 0;
  }
  close(ends[0]);
  return -1;
}
