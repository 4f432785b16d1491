/* folder.c -- see folder.h. */
#include "folder.h"

#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* File systems of the kernel's own: processes, devices, settings. */
static const uint32_t kernel_types[] = {
  0x9fa0,     /* proc */
  0x62656572, /* sysfs */
  0x27e0eb,   /* cgroup */
  0x63677270, /* cgroup2 */
  0x1cd1,     /* devpts */
  0x64626720, /* debugfs */
  0x74726163, /* tracefs */
  0x73636673, /* securityfs */
  0xcafe4a11, /* bpf */
  0xf97cff8c, /* selinux */
  0x19800202, /* mqueue */
  0xde5e81e4, /* efivarfs */
  0x42494e4d, /* binfmt_misc */
  0x65735543, /* fusectl */
  0x62656570, /* configfs */
};

static int is_of_kernel(const struct cell_host_folder *folder)
{
  struct statfs status;
  size_t i;

  if (strcmp(folder->path, "/") == 0 || strcmp(folder->path, "/dev") == 0 ||
      strncmp(folder->path, "/dev/", 5) == 0)
    return 1;
  if (fstatfs(folder->fd, &status) < 0)
    return 1;
  for (i = 0; i < sizeof kernel_types / sizeof kernel_types[0]; i++)
    if ((uint32_t)status.f_type == kernel_types[i])
      return 1;
  return 0;
}

static int find_path(struct cell_host_folder *folder)
{
  char name[32];
  ssize_t length;

  snprintf(name, sizeof name, "/proc/self/fd/%d", folder->fd);
  length = readlink(name, folder->path, sizeof folder->path - 1);
  if (length <= 0)
    return -1;
  folder->path[length] = '\0';
  if (folder->path[0] == '/')
    return 0;
  errno = ENOENT;
  return -1;
}

/* Why it cannot be opened, where the errno does not say it well. */
static int fail_open(const char *path, struct cell_error *error)
{
  int number = errno;
  struct stat status;

  if ((number == ELOOP || number == ENOTDIR) && lstat(path, &status) == 0) {
    if (S_ISLNK(status.st_mode))
      return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                       "%s is a link; name what it leads to", path);
    if (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode))
      return cell_fail(error, CELL_DENIED_BY_POLICY, 0,
                       "%s is a socket or a pipe, behind which a program of "
                       "this machine listens",
                       path);
    if (!S_ISDIR(status.st_mode))
      return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                       "%s is no folder; copy a file with files:upload", path);
  }
  return cell_fail(error, cell_kind_of(number), number, "open %s", path);
}

/* Not root of a user namespace, which is one user as others are. */
static int is_root(void)
{
  unsigned inside, outside, count;
  char text[64] = "";
  int fd;

  if (geteuid() != 0)
    return 0;
  fd = cell_fd_above_stdio(open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC));
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
    text[0] = '\0';
  cell_fd_close(&fd);
  return sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 &&
         inside == 0 && outside == 0 && count == UINT32_MAX;
}

int cell_host_folder_open(struct cell_host_folder *folder, const char *path,
                          struct cell_error *error)
{
  struct timespec now;
  struct stat status;

  folder->fd = cell_fd_above_stdio(
    open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder->fd < 0)
    return fail_open(path, error);
  if (fstat(folder->fd, &status) < 0 || find_path(folder) < 0) {
    cell_fd_close(&folder->fd);
    return cell_fail(error, cell_kind_of(errno), errno, "open %s", path);
  }
  if (is_of_kernel(folder)) {
    cell_fd_close(&folder->fd);
    return cell_fail(error, CELL_DENIED_BY_POLICY, 0,
                     "%s shows the machine itself, which no sandbox gets",
                     path);
  }
  clock_gettime(CLOCK_REALTIME, &now);
  folder->opened_at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
  folder->uid = status.st_uid;
  folder->gid = status.st_gid;
  folder->for_root = is_root();
  folder->is_ours = folder->for_root ||
                    (status.st_uid == geteuid() && status.st_gid == getegid());
  return 0;
}
