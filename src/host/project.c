/* project.c -- see project.h. */
#include "project.h"

#include "../descriptor.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PERMISSIONS 0777u
#define NO_REPLACE 1u /* RENAME_NOREPLACE */

static int fail_at(struct cell_error *error, const char *what, const char *name)
{
  int number = errno;

  return cell_fail(error, cell_kind_of(number), number, "%s %s", what, name);
}

int cell_project_look(int root, const char *name, struct stat *status,
                      struct cell_error *error)
{
  struct cell_error why = {0};
  const char *last;
  int parent = cell_tree_parent(root, name, &last, &why), result;

  if (parent < 0) {
    if (why.number == ENOENT || why.number == ENOTDIR)
      return 0;
    if (error != NULL)
      *error = why;
    return -1;
  }
  result = fstatat(parent, last, status, AT_SYMLINK_NOFOLLOW) == 0 ? 1
           : errno == ENOENT                                       ? 0
                             : fail_at(error, "look at", name);
  cell_fd_close(&parent);
  return result;
}

int cell_project_open(int root, const char *name, uint64_t *size,
                      struct cell_error *error)
{
  struct stat status;
  const char *last;
  int parent = cell_tree_parent(root, name, &last, error), fd;

  if (parent < 0)
    return -1;
  fd = cell_fd_above_stdio(openat(
    parent, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (fd < 0 || fstat(fd, &status) < 0) {
    fail_at(error, "read", name);
    cell_fd_close(&fd);
  } else if (!S_ISREG(status.st_mode)) {
    cell_fail(error, CELL_INVALID_ARGUMENT, 0, "not a regular file: %s", name);
    cell_fd_close(&fd);
  } else {
    *size = (uint64_t)status.st_size;
  }
  cell_fd_close(&parent);
  return fd;
}

int cell_project_file(int root, const char *name, struct cell_error *error)
{
  const char *last;
  int parent = cell_tree_parent(root, name, &last, error), fd;

  if (parent < 0)
    return -1;
  fd = cell_fd_above_stdio(openat(
    parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd < 0)
    fail_at(error, "write beside", name);
  cell_fd_close(&parent);
  return fd;
}

int cell_project_link(int root, const char *name, const char *place,
                      const char *target, struct cell_error *error)
{
  const char *last;
  int parent, result;

  if (!cell_tree_stays_beneath(place, target))
    return cell_fail(error, CELL_DENIED_BY_POLICY, 0,
                     "a link that leads out of the folder: %s -> %s", place,
                     target);
  parent = cell_tree_parent(root, name, &last, error);
  if (parent < 0)
    return -1;
  result = symlinkat(target, parent, last) == 0
             ? 0
             : fail_at(error, "make the link", place);
  cell_fd_close(&parent);
  return result;
}

/* Root would else leave files of root among those of others. What an ordinary
** user may not give stays the user's.
*/
static int give(int parent, const char *last, const struct stat *like)
{
  uid_t uid = geteuid() == 0 ? like->st_uid : (uid_t)-1;

  if (fchownat(parent, last, uid, like->st_gid, AT_SYMLINK_NOFOLLOW) == 0)
    return 0;
  return geteuid() == 0 ? -1 : 0;
}

static int move(int parent, const char *from, const char *to, int is_new)
{
  if (!is_new)
    return renameat(parent, from, parent, to);
  /* Of file systems that cannot: the name was free a moment ago. */
  if (syscall(SYS_renameat2, parent, from, parent, to, NO_REPLACE) == 0)
    return 0;
  if (errno != EINVAL)
    return -1;
  return faccessat(parent, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0
           ? (errno = EEXIST, -1)
           : renameat(parent, from, parent, to);
}

/* By what is opened: fchmodat would follow a link, which somebody who writes to
** the folder too may have put there meanwhile.
*/
static int set_mode(int parent, const char *last, uint32_t mode)
{
  int fd =
    cell_fd_above_stdio(openat(parent, last, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  char path[32];
  int result, number;

  if (fd < 0)
    return -1;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  result = chmod(path, (mode_t)mode & PERMISSIONS);
  number = errno;
  cell_fd_close(&fd);
  errno = number;
  return result;
}

int cell_project_place(int root, const char *made, const char *name, int mode,
                       int is_new, struct cell_error *error)
{
  const char *from = strrchr(made, '/'), *to;
  struct stat like;
  int parent = cell_tree_parent(root, name, &to, error), result = -1;

  from = from != NULL ? from + 1 : made;
  if (parent < 0)
    return -1;
  if (fstatat(parent, to, &like, AT_SYMLINK_NOFOLLOW) < 0 &&
      fstat(parent, &like) < 0)
    fail_at(error, "look at", name);
  /* The mode last: a new owner takes bits away. */
  else if (give(parent, from, &like) < 0 ||
           (mode >= 0 && set_mode(parent, from, (uint32_t)mode) < 0) ||
           move(parent, from, to, is_new) < 0)
    fail_at(error, "put in its place", name);
  else
    result = 0;
  cell_fd_close(&parent);
  return result;
}

int cell_project_directory(int root, const char *name, struct cell_error *error)
{
  const char *last;
  struct stat like;
  int parent = cell_tree_parent(root, name, &last, error), result = 0;

  if (parent < 0)
    return -1;
  if (mkdirat(parent, last, 0700) < 0 || fstat(parent, &like) < 0 ||
      give(parent, last, &like) < 0)
    result = fail_at(error, "make the directory", name);
  cell_fd_close(&parent);
  return result;
}

int cell_project_permit(int root, const char *name, uint32_t mode,
                        struct cell_error *error)
{
  const char *last;
  int parent = cell_tree_parent(root, name, &last, error), result = 0;

  if (parent < 0)
    return -1;
  if (set_mode(parent, last, mode) < 0)
    result = fail_at(error, "change the mode of", name);
  cell_fd_close(&parent);
  return result;
}

int cell_project_remove(int root, const char *name, int is_directory,
                        struct cell_error *error)
{
  const char *last;
  int parent = cell_tree_parent(root, name, &last, error), result = 0;

  if (parent < 0)
    return -1;
  if (unlinkat(parent, last, is_directory ? AT_REMOVEDIR : 0) < 0)
    result = fail_at(error, "remove", name);
  cell_fd_close(&parent);
  return result;
}
