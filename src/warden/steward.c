/* steward.c -- see steward.h. */
#include "steward.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_US 100000

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

static void serve(const struct cgroup *cgroup, int socket)
{
  char nothing;
  int i, left = 1;

  while (recv(socket, &nothing, sizeof nothing, 0) < 0 && errno == EINTR)
    ;
  while (left) {
    left = 0;
    for (i = 0; i < CGROUP_CONTROLLERS; i++)
      if (cgroup_distinct(cgroup, i) && remove_all(cgroup, i) < 0)
        left = 1;
    if (left)
      usleep(RETRY_US);
  }
  _exit(0);
}

int steward_start(const struct cgroup *cgroup, const struct self_title *title,
                  int *socket)
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
    serve(cgroup, ends[1]);
  }
  close(ends[1]);
  if (pid > 0) {
    *socket = ends[0];
    return 0;
  }
  close(ends[0]);
  return -1;
}
