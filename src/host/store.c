/* store.c -- see store.h. */
#include "store.h"

#include "../descriptor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Each level holds a descriptor; nothing is laid out deeper. */
#define DEPTH_MAX 256

static int fail_path(struct cell_error *error, const char *what,
                     const char *path)
{
  int number = errno;

  return cell_fail(error, cell_kind_of(number), number, "%s %s", what, path);
}

static int is_dots(const char *name)
{
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A directory whose owner may not list it or remove from it is made so that he
** may.
*/
static DIR *open_to_empty(int parent, const char *name)
{
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  struct stat status;
  DIR *directory;
  int fd;

  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(status.st_mode) && (status.st_mode & 0700) != 0700 &&
      fchmodat(parent, name, 0700, 0) < 0)
    return NULL;
  fd = cell_fd_above_stdio(openat(parent, name, flags));
  directory = fd >= 0 ? fdopendir(fd) : NULL;
  if (directory == NULL)
    cell_fd_close(&fd);
  return directory;
}

/* -1 with errno. */
static int remove_below(int parent, const char *name, int depth)
{
  struct dirent *entry;
  DIR *directory;
  int number = 0;

  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
    return 0;
  if (errno != EISDIR && errno != EPERM)
    return -1;
  if (depth == DEPTH_MAX) {
    errno = ELOOP;
    return -1;
  }
  directory = open_to_empty(parent, name);
  if (directory == NULL)
    return -1;
  while (number == 0 && (entry = readdir(directory)) != NULL)
    if (!is_dots(entry->d_name) &&
        remove_below(dirfd(directory), entry->d_name, depth + 1) < 0)
      number = errno;
  closedir(directory);
  errno = number;
  return number == 0 ? unlinkat(parent, name, AT_REMOVEDIR) : -1;
}

int cell_store_remove(const char *path, struct cell_error *error)
{
  return remove_below(AT_FDCWD, path, 0) == 0
           ? 0
           : fail_path(error, "remove", path);
}

/* One above that may not be made may be there all the same; if it is not, that
** is the reason to tell.
*/
static int make_folders(const char *path)
{
  char part[PATH_MAX];
  size_t i, length = strlen(path);
  int number = 0;

  if (length >= sizeof part) {
    errno = ENAMETOOLONG;
    return -1;
  }
  for (i = 1; i <= length; i++) {
    if (path[i] != '/' && path[i] != '\0')
      continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (mkdir(part, 0700) == 0 || errno == EEXIST) {
      number = 0;
      continue;
    }
    if (number == 0 || errno != ENOENT)
      number = errno;
    if (number != EROFS && number != EACCES)
      break;
  }
  if (number == 0 || access(path, F_OK) == 0)
    return 0;
  errno = number;
  return -1;
}

/* Root's files are those of whoever has /: in a user namespace by another
** number.
*/
static int is_trusted(uid_t owner)
{
  struct stat root;

  return owner == geteuid() || owner == 0 ||
         (stat("/", &root) == 0 && owner == root.st_uid);
}

/* Whether others may add to the directory, or rename what is in it. Many users
** have a group of their own, by the same number, and leave all to it.
*/
static int is_open(const struct stat *status)
{
  int is_own_group =
    status->st_gid == getegid() && (uid_t)status->st_gid == geteuid();

  return !(status->st_mode & S_ISVTX) &&
         (status->st_mode & (is_own_group ? S_IWOTH : S_IWGRP | S_IWOTH));
}

/* 1 when nobody else can go through the directory at all, 0 when nobody else
** can change what is in it, or -1. is_last: it must be so whatever is above it.
*/
static int check_folder(const char *path, int is_last, struct cell_error *error)
{
  struct stat status;

  if (stat(path, &status) < 0)
    return fail_path(error, "look at", path);
  if (!is_trusted(status.st_uid))
    return cell_fail(error, CELL_PERMISSION_DENIED, 0,
                     "%s belongs to user %u, who could change what is in it",
                     path, (unsigned)status.st_uid);
  if (!is_last && !(status.st_mode & (S_IXGRP | S_IXOTH)))
    return 1;
  if (is_open(&status))
    return cell_fail(error, CELL_PERMISSION_DENIED, 0,
                     "others may write to %s: chmod go-w it", path);
  return 0;
}

int cell_store_check(const char *path, int make, struct cell_error *error)
{
  char real[PATH_MAX];
  size_t i, length;
  int is_closed = 0;

  if (make && make_folders(path) < 0)
    return fail_path(error, "make the directory", path);
  if (realpath(path, real) == NULL)
    return fail_path(error, "look at", path);
  length = strlen(real);
  for (i = 1; i < length && is_closed == 0; i++) {
    if (real[i] != '/')
      continue;
    real[i] = '\0';
    is_closed = check_folder(real, 0, error);
    real[i] = '/';
  }
  if (is_closed < 0 || check_folder(real, 1, error) < 0)
    return -1;
  return !make || access(real, W_OK) == 0 ? 0
                                          : fail_path(error, "write to", path);
}

int cell_store_lock(const char *path, int alone, struct cell_error *error)
{
  int fd = cell_fd_above_stdio(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

  if (fd < 0)
    return fail_path(error, "open the directory", path);
  if (flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
    return fd;
  if (errno == EWOULDBLOCK)
    cell_fail(error, CELL_UNAVAILABLE, errno, "%s is in use", path);
  else
    fail_path(error, "lock", path);
  cell_fd_close(&fd);
  return -1;
}

int cell_store_sync(int directory, struct cell_error *error)
{
  return syncfs(directory) == 0
           ? 0
           : fail_path(error, "write", "what was laid out to the disk");
}

int cell_store_flush(int fd, struct cell_error *error)
{
  return fsync(fd) == 0 ? 0
                        : fail_path(error, "write", "what is new to the disk");
}

int cell_store_has_file(const char *root, const char *path,
                        struct cell_error *error)
{
  struct open_how how = {0};
  struct stat status;
  int directory =
    cell_fd_above_stdio(open(root, O_PATH | O_DIRECTORY | O_CLOEXEC));
  int fd, result = -1;

  if (directory < 0)
    return fail_path(error, "open the directory", root);
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  fd = cell_fd_above_stdio(
    (int)syscall(SYS_openat2, directory, path, &how, sizeof how));
  if (fd >= 0 && fstat(fd, &status) == 0)
    result = S_ISREG(status.st_mode);
  else if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
           errno == EACCES)
    result = 0;
  else
    fail_path(error, "look at", path);
  cell_fd_close(&fd);
  cell_fd_close(&directory);
  return result;
}
