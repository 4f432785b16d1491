/* unpack.c -- see unpack.h.
**
** The members of a directory come one after the other, so the directory of the
** last one is kept open.
*/
#include "unpack.h"

#include "../../bytes/tar.h"
#include "../calls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define BUFFER ((size_t)256 * 1024)

struct unpacking {
  int root, source;
  uint64_t offset, end; /* of the stream: what is in the buffer was read */
  size_t at, filled;
  int parent; /* open directory, or -1 */
  char parent_path[CELL_PATH_MAX];
  struct cell_tar tar;
  unsigned char extension[CELL_TAR_EXTENSION_MAX];
  unsigned char buffer[BUFFER];
};

/* ---- the stream ---- */

/* What comes next: at most `most` bytes, 0 at the end. Negative: an errno. */
static long next_bytes(struct unpacking *unpacking, uint64_t most,
                       const unsigned char **bytes)
{
  uint64_t left = unpacking->end - unpacking->offset;
  size_t count;
  ssize_t got;

  *bytes = unpacking->buffer;
  if (unpacking->at == unpacking->filled && left > 0) {
    do
      got =
        pread(unpacking->source, unpacking->buffer,
              left < BUFFER ? (size_t)left : BUFFER, (off_t)unpacking->offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
      return -errno;
    if (got == 0)
      return -EPROTO; /* shorter than it was said to be */
    unpacking->offset += (uint64_t)got;
    unpacking->at = 0;
    unpacking->filled = (size_t)got;
  }
  count = unpacking->filled - unpacking->at;
  if (count > most)
    count = (size_t)most;
  *bytes = unpacking->buffer + unpacking->at;
  unpacking->at += count;
  return (long)count;
}

static int read_exactly(struct unpacking *unpacking, unsigned char *to,
                        size_t size)
{
  const unsigned char *bytes;

  while (size > 0) {
    long count = next_bytes(unpacking, size, &bytes);

    if (count <= 0)
      return count < 0 ? (int)-count : EPROTO;
    memcpy(to, bytes, (size_t)count);
    to += count;
    size -= (size_t)count;
  }
  return 0;
}

static int skip_padding(struct unpacking *unpacking, uint64_t size)
{
  unsigned char zeros[CELL_TAR_BLOCK];
  size_t rest = (size_t)(size % CELL_TAR_BLOCK);

  return rest == 0 ? 0 : read_exactly(unpacking, zeros, sizeof zeros - rest);
}

/* ---- directories ---- */

static int open_beneath(const struct unpacking *unpacking, const char *path)
{
  struct call_open_how how;

  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.mode = 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_LINKS;
  return call_openat2(unpacking->root, path, &how);
}

/* Each missing directory on the way to it. */
static int make_way(const struct unpacking *unpacking, const char *path)
{
  char part[CELL_PATH_MAX];
  const char *slash = path;
  int fd, number = 0;

  while (number == 0 && *slash != '\0') {
    size_t length;
    const char *name = slash;

    slash += strcspn(slash, "/");
    length = (size_t)(name - path);
    memcpy(part, path, length);
    part[length > 0 ? length - 1 : 0] = '\0';
    fd = length > 0 ? open_beneath(unpacking, part) : unpacking->root;
    if (fd < 0)
      return errno;
    memcpy(part, name, (size_t)(slash - name));
    part[slash - name] = '\0';
    if (mkdirat(fd, part, 0755) < 0 && errno != EEXIST)
      number = errno;
    if (fd != unpacking->root)
      close(fd);
    if (*slash == '/')
      slash++;
  }
  return number;
}

/* The directory that holds the member; *name is its last part. 0 or errno. */
static int enter_parent(struct unpacking *unpacking, const char **name)
{
  char *path = unpacking->tar.path;
  char *slash = strrchr(path, '/');
  int number = 0;

  *name = slash != NULL ? slash + 1 : path;
  if (slash == NULL) {
    path = "";
  } else {
    *slash = '\0';
  }
  if (unpacking->parent < 0 || strcmp(path, unpacking->parent_path) != 0) {
    if (unpacking->parent >= 0)
      close(unpacking->parent);
    unpacking->parent = open_beneath(unpacking, *path != '\0' ? path : ".");
    if (unpacking->parent < 0 && errno == ENOENT) {
      number = make_way(unpacking, path);
      if (number == 0)
        unpacking->parent = open_beneath(unpacking, path);
    }
    if (number == 0 && unpacking->parent < 0)
      number = errno;
    memcpy(unpacking->parent_path, path, strlen(path) + 1);
  }
  return number;
}

/* ---- members ---- */

static int make_directory(const struct unpacking *unpacking, const char *name)
{
  struct stat status;

  /* Its owner must be able to fill it. */
  if (mkdirat(unpacking->parent, name, unpacking->tar.mode | 0700) == 0)
    return 0;
  if (errno != EEXIST)
    return errno;
  if (fstatat(unpacking->parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return errno;
  return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

static int make_link(const struct unpacking *unpacking, const char *name)
{
  if (symlinkat(unpacking->tar.target, unpacking->parent, name) == 0)
    return 0;
  if (errno != EEXIST || unlinkat(unpacking->parent, name, 0) < 0)
    return errno;
  return symlinkat(unpacking->tar.target, unpacking->parent, name) < 0 ? errno
                                                                       : 0;
}

static int open_new(const struct unpacking *unpacking, const char *name)
{
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(unpacking->parent, name, flags, unpacking->tar.mode);

  if (fd < 0 && errno == EEXIST && unlinkat(unpacking->parent, name, 0) == 0)
    fd = openat(unpacking->parent, name, flags, unpacking->tar.mode);
  return fd;
}

static int fill(struct unpacking *unpacking, int fd)
{
  uint64_t left = unpacking->tar.size;
  const unsigned char *bytes;

  while (left > 0) {
    long count = next_bytes(unpacking, left, &bytes);

    if (count <= 0)
      return count < 0 ? (int)-count : EPROTO;
    left -= (uint64_t)count;
    while (count > 0) {
      ssize_t written = write(fd, bytes, (size_t)count);

      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return errno;
      bytes += written;
      count -= written;
    }
  }
  return 0;
}

/* Its time counts: what an interpreter compiled names that of its source. */
static int make_file(struct unpacking *unpacking, const char *name)
{
  struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};
  int fd = open_new(unpacking, name), number;

  if (fd < 0)
    return errno;
  number = fill(unpacking, fd);
  times[1].tv_sec = (time_t)unpacking->tar.modified;
  if (number == 0 && futimens(fd, times) < 0)
    number = errno;
  close(fd);
  return number != 0 ? number : skip_padding(unpacking, unpacking->tar.size);
}

static int make_member(struct unpacking *unpacking)
{
  const char *name;
  int number;

  if (unpacking->tar.type == CELL_TAR_HARD_LINK)
    return EPROTO; /* what comes here has none */
  if (unpacking->tar.path[0] == '\0')
    return 0; /* the directory itself */
  number = enter_parent(unpacking, &name);
  if (number != 0)
    return number;
  switch (unpacking->tar.type) {
  case CELL_TAR_DIRECTORY:
    return make_directory(unpacking, name);
  case CELL_TAR_LINK:
    return make_link(unpacking, name);
  default:
    return make_file(unpacking, name);
  }
}

static int extend(struct unpacking *unpacking)
{
  size_t size = (size_t)unpacking->tar.size;
  int number = read_exactly(unpacking, unpacking->extension, size);

  if (number == 0)
    number = skip_padding(unpacking, size);
  if (number == 0 &&
      cell_tar_extend(&unpacking->tar, unpacking->extension, size) < 0)
    number = EPROTO;
  return number;
}

int unpack_tree(int directory, int source, uint64_t length)
{
  static struct unpacking unpacking; /* large: buffers */
  unsigned char block[CELL_TAR_BLOCK];
  int number = 0, is_over = 0;

  unpacking.root = directory;
  unpacking.source = source;
  unpacking.end = length;
  unpacking.parent = -1;
  umask(0);
  while (number == 0 && !is_over) {
    number = read_exactly(&unpacking, block, sizeof block);
    if (number != 0)
      break;
    switch (cell_tar_header(&unpacking.tar, block)) {
    case CELL_TAR_MEMBER:
      number = make_member(&unpacking);
      break;
    case CELL_TAR_EXTENSION:
      number = extend(&unpacking);
      break;
    case CELL_TAR_END:
      is_over = 1;
      break;
    default:
      number = EPROTO;
    }
  }
  if (unpacking.parent >= 0)
    close(unpacking.parent);
  return number;
}
