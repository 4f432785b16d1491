/* tree.c -- see tree.h. */
#include "tree.h"

#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define NAME_SIZE 4096
#define COPY_BLOCK 65536u
#define COPY_MAX 4194304u /* bytes in one call */

static int fail_name(struct cell_error *error, const char *name)
{
  return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                   "a name that leads out of the directory: %s", name);
}

/* Every part is a name: not empty, not "." or "..". */
static int check_name(const char *name, struct cell_error *error)
{
  const char *part = name;

  if (strlen(name) >= NAME_SIZE)
    return cell_fail(error, CELL_INVALID_ARGUMENT, ENAMETOOLONG, "%.64s...",
                     name);
  for (;;) {
    size_t length = strcspn(part, "/");

    if (length == 0 || (length == 1 && part[0] == '.') ||
        (length == 2 && part[0] == '.' && part[1] == '.'))
      return fail_name(error, name);
    if (part[length] == '\0')
      return 0;
    part += length + 1;
  }
}

static int fail_path(struct cell_error *error, const char *what,
                     const char *path)
{
  int number = errno;

  return cell_fail(error, cell_kind_of(number), number, "%s %s", what, path);
}

/* The directory of a checked name, part by part: before Linux 5.6. */
static int walk(int root, const char *name, int flags, mode_t mode)
{
  int directory = fcntl(root, F_DUPFD_CLOEXEC, 3);

  while (directory >= 0) {
    size_t length = strcspn(name, "/");
    char part[NAME_SIZE];
    int next;

    memcpy(part, name, length);
    part[length] = '\0';
    if (name[length] == '\0')
      next = openat(directory, part, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    else
      next =
        openat(directory, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cell_fd_close(&directory);
    if (name[length] == '\0')
      return next;
    name += length + 1;
    directory = next;
  }
  return -1;
}

static int open_beneath(int root, const char *name, int flags, mode_t mode)
{
  struct open_how how = {0};
  int fd;

  how.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC);
  how.mode = flags & O_CREAT ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  fd = (int)syscall(SYS_openat2, root, name, &how, sizeof how);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM))
    fd = walk(root, name, flags, mode); /* an old kernel, or a filter */
  return cell_fd_above_stdio(fd);
}

/* Open the directory that holds the last part; *last points at that part. */
static int open_parent(int root, const char *name, const char **last)
{
  const char *slash = strrchr(name, '/');
  char parent[NAME_SIZE];

  if (slash == NULL) {
    *last = name;
    return cell_fd_above_stdio(fcntl(root, F_DUPFD_CLOEXEC, 3));
  }
  memcpy(parent, name, (size_t)(slash - name));
  parent[slash - name] = '\0';
  *last = slash + 1;
  return open_beneath(root, parent, O_PATH | O_DIRECTORY, 0);
}

int cell_tree_parent(int root, const char *name, const char **last,
                     struct cell_error *error)
{
  int parent;

  if (check_name(name, error) < 0)
    return -1;
  parent = open_parent(root, name, last);
  return parent >= 0 ? parent : fail_path(error, "open what holds", name);
}

int cell_tree_open(const char *path, int make, struct cell_error *error)
{
  int fd;

  if (make && mkdir(path, 0777) < 0 && errno != EEXIST)
    return fail_path(error, "make the directory", path);
  fd = cell_fd_above_stdio(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd >= 0 ? fd : fail_path(error, "open the directory", path);
}

int cell_tree_source(const char *path, uint64_t *size, uint32_t *mode,
                     struct cell_error *error)
{
  struct stat status;
  /* Not to wait for a FIFO's writer before it is known not to be a file. */
  int fd = cell_fd_above_stdio(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));

  if (fd < 0 || fstat(fd, &status) < 0) {
    fail_path(error, "open", path);
    cell_fd_close(&fd);
    return -1;
  }
  if (!S_ISREG(status.st_mode)) {
    cell_fail(error, CELL_INVALID_ARGUMENT,
              S_ISDIR(status.st_mode) ? EISDIR : 0, "not a regular file: %s",
              path);
    cell_fd_close(&fd);
    return -1;
  }
  *size = (uint64_t)status.st_size;
  *mode = (uint32_t)status.st_mode & 07777;
  return fd;
}

int cell_tree_file(int root, const char *name, uint32_t mode,
                   struct cell_error *error)
{
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
  struct stat status;
  int fd;

  if (check_name(name, error) < 0)
    return -1;
  /* No set-user-ID or set-group-ID file is made for a sandbox. */
  fd = open_beneath(root, name, flags, (mode_t)mode & 0777);
  if (fd < 0)
    return fail_path(error, "write", name);
  if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
    cell_fd_close(&fd);
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0, "not a regular file: %s",
                     name);
  }
  return fd;
}

int cell_tree_directory(int root, const char *name, uint32_t mode,
                        struct cell_error *error)
{
  const char *last;
  struct stat status;
  int parent;
  int result;

  if (check_name(name, error) < 0)
    return -1;
  parent = open_parent(root, name, &last);
  if (parent < 0)
    return fail_path(error, "make the directory", name);
  result = mkdirat(parent, last, (mode_t)mode & 0777);
  if (result < 0 && errno == EEXIST &&
      fstatat(parent, last, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    errno = ENOTDIR;
    result = S_ISDIR(status.st_mode) ? 0 : -1;
  }
  cell_fd_close(&parent);
  return result == 0 ? 0 : fail_path(error, "make the directory", name);
}

/* ".." counts at the start alone: behind a name it leaves whatever that name
** leads to, and it may be a link too.
*/
int cell_tree_stays_beneath(const char *name, const char *target)
{
  long depth = 0;
  int named = 0;
  const char *at;

  if (target[0] == '/' || target[0] == '\0')
    return 0;
  for (at = name; (at = strchr(at, '/')) != NULL; at++)
    depth++;
  for (at = target; *at != '\0';) {
    size_t length = strcspn(at, "/");

    if (length == 2 && at[0] == '.' && at[1] == '.')
      depth--;
    else if (length > 0 && !(length == 1 && at[0] == '.'))
      named = 1;
    if (depth < 0 || (named && length == 2 && at[0] == '.' && at[1] == '.'))
      return 0;
    at += length + (at[length] == '/');
  }
  return 1;
}

int cell_tree_link(int root, const char *name, const char *target,
                   struct cell_error *error)
{
  if (!cell_tree_stays_beneath(name, target))
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "a link that leads out of the directory: %s -> %s", name,
                     target);
  return cell_tree_link_as_is(root, name, target, error);
}

int cell_tree_link_as_is(int root, const char *name, const char *target,
                         struct cell_error *error)
{
  const char *last;
  int parent;
  int result;

  if (check_name(name, error) < 0)
    return -1;
  parent = open_parent(root, name, &last);
  if (parent < 0)
    return fail_path(error, "make the link", name);
  result = symlinkat(target, parent, last);
  cell_fd_close(&parent);
  return result == 0 ? 0 : fail_path(error, "make the link", name);
}

int cell_tree_hard_link(int root, const char *name, const char *other,
                        struct cell_error *error)
{
  const char *last, *other_last;
  int parent, other_parent;
  int result = -1;

  if (check_name(name, error) < 0 || check_name(other, error) < 0)
    return -1;
  parent = open_parent(root, name, &last);
  other_parent = open_parent(root, other, &other_last);
  if (parent >= 0 && other_parent >= 0)
    result = linkat(other_parent, other_last, parent, last, 0);
  if (result < 0)
    fail_path(error, "link", name);
  cell_fd_close(&parent);
  cell_fd_close(&other_parent);
  return result;
}

int cell_tree_describe(int root, const char *name, int mode, int64_t modified,
                       struct cell_error *error)
{
  struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};
  struct stat status;
  const char *last;
  int parent;
  int result = -1;

  if (check_name(name, error) < 0)
    return -1;
  times[1].tv_sec = (time_t)modified;
  parent = open_parent(root, name, &last);
  /* fchmodat follows a link: nobody else writes here, and we make none now. */
  if (parent >= 0 && fstatat(parent, last, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      (mode < 0 || S_ISLNK(status.st_mode) ||
       fchmodat(parent, last, (mode_t)mode & 0777, 0) == 0))
    result = utimensat(parent, last, times, AT_SYMLINK_NOFOLLOW);
  if (result < 0)
    fail_path(error, "describe", name);
  cell_fd_close(&parent);
  return result;
}

static int write_all(int to, const unsigned char *bytes, size_t length)
{
  while (length > 0) {
    long written = cell_fd_write(to, bytes, length);

    if (written <= 0)
      return -1;
    bytes += written;
    length -= (size_t)written;
  }
  return 0;
}

int cell_tree_write(int to, const void *bytes, size_t length,
                    struct cell_error *error)
{
  return write_all(to, bytes, length) == 0
           ? 0
           : fail_path(error, "write", "a file of the host");
}

long cell_tree_copy(int from, uint64_t *offset, int to, uint64_t length,
                    struct cell_error *error)
{
  unsigned char block[COPY_BLOCK];
  uint64_t most = length < COPY_MAX ? length : COPY_MAX;
  uint64_t copied = 0;

  while (copied < most) {
    size_t wanted =
      most - copied < COPY_BLOCK ? (size_t)(most - copied) : COPY_BLOCK;
    long got = pread(from, block, wanted, (off_t)*offset);

    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fail_path(error, "copy", "a file (reading)");
    if (got == 0)
      break;
    if (write_all(to, block, (size_t)got) < 0)
      return fail_path(error, "copy", "a file (writing)");
    *offset += (uint64_t)got;
    copied += (uint64_t)got;
  }
  return (long)copied;
}
