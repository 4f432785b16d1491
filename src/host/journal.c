/* journal.c -- see journal.h. */
#include "journal.h"

#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_path(struct cell_error *error, const char *what,
                     const char *path)
{
  int number = errno;
  /* What O_NOFOLLOW says of a link, and the size that this program may write.
   */
  enum cell_kind kind = number == ELOOP    ? CELL_PERMISSION_DENIED
                        : number == EFBIG  ? CELL_NO_SPACE
                        : number == EDQUOT ? CELL_NO_SPACE
                                           : cell_kind_of(number);

  return cell_fail(error, kind, number, "%s %s", what, path);
}

static int check_file(const struct stat *status, const char *path,
                      struct cell_error *error)
{
  if (!S_ISREG(status->st_mode))
    return cell_fail(error, CELL_PERMISSION_DENIED, 0, "%s is no regular file",
                     path);
  if (status->st_uid != geteuid() && status->st_uid != 0)
    return cell_fail(error, CELL_PERMISSION_DENIED, 0,
                     "%s belongs to user %u, who could change what is in it",
                     path, (unsigned)status->st_uid);
  if (status->st_mode & (S_IWGRP | S_IWOTH))
    return cell_fail(error, CELL_PERMISSION_DENIED, 0,
                     "others may write to %s: chmod 600 it", path);
  return 0;
}

/* Not to wait for the other end of a FIFO before it is known not to be a file.
 */
static int open_file(const char *path, int flags, struct stat *status,
                     struct cell_error *error)
{
  int fd = cell_fd_above_stdio(
    open(path, flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));

  if (fd < 0)
    return fail_path(error, "open", path);
  if (fstat(fd, status) < 0)
    fail_path(error, "look at", path);
  else if (check_file(status, path, error) == 0)
    return fd;
  cell_fd_close(&fd);
  return -1;
}

/* Whether it is still what the path names: others may have renamed it before
** they let go of the lock.
*/
static int is_named(const char *path, const struct stat *status)
{
  struct stat named;

  return lstat(path, &named) == 0 && named.st_dev == status->st_dev &&
         named.st_ino == status->st_ino;
}

int cell_journal_open(const char *path, uint64_t *size,
                      struct cell_error *error)
{
  struct stat status = {0};
  int fd = open_file(path, O_RDWR | O_APPEND, &status, error);

  if (fd < 0)
    return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    if (errno == EWOULDBLOCK)
      cell_fail(error, CELL_UNAVAILABLE, 0, "others write to %s", path);
    else
      fail_path(error, "lock", path);
  } else if (fstat(fd, &status) < 0) {
    fail_path(error, "look at", path);
  } else if (!is_named(path, &status)) {
    cell_fail(error, CELL_UNAVAILABLE, 0, "others replace %s", path);
  } else {
    *size = (uint64_t)status.st_size;
    return fd;
  }
  cell_fd_close(&fd);
  return -1;
}

int cell_journal_append(int fd, uint64_t size, const void *bytes, size_t length,
                        struct cell_error *error)
{
  long written = cell_fd_write(fd, bytes, length);

  if (written >= 0 && (size_t)written == length)
    return 0;
  if (written >= 0)
    errno = ENOSPC; /* the reason of a short write comes with the next one */
  fail_path(error, "write", "a line");
  if (written > 0 && ftruncate(fd, (off_t)size) < 0)
    return fail_path(error, "take back", "half a line");
  return -1;
}

int cell_journal_cut(int fd, uint64_t size, struct cell_error *error)
{
  return ftruncate(fd, (off_t)size) == 0 ? 0
                                         : fail_path(error, "cut", "a file");
}

int cell_journal_note(const char *path, const void *bytes, size_t length,
                      struct cell_error *error)
{
  struct stat status = {0};
  int fd = open_file(path, O_WRONLY, &status, error);
  int result = -1;

  if (fd < 0)
    return -1;
  if (cell_fd_write(fd, bytes, length) != (long)length ||
      ((uint64_t)status.st_size > length && ftruncate(fd, (off_t)length) < 0))
    fail_path(error, "write", path);
  else
    result = 0;
  cell_fd_close(&fd);
  return result;
}
