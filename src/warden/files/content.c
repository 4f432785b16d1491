/* content.c -- see content.h. */
#include "content.h"

#include "../../wire/protocol.h"
#include "../wire.h"
#include "attributes.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROC_MAGIC 0x9fa0

/* Opening never waits, and what is no regular file is not read or written. */
static int open_regular(const char *path, int flags, mode_t mode,
                        struct stat *status, int *fd)
{
  int number;

  *fd = path_open(path, flags | O_NONBLOCK | O_NOCTTY, mode);
  if (*fd < 0)
    return errno == ENXIO ? EINVAL : errno; /* a socket, a FIFO */
  number = fstat(*fd, status) < 0     ? errno
           : S_ISREG(status->st_mode) ? 0
           : S_ISDIR(status->st_mode) ? EISDIR
                                      : EINVAL;
  if (number == 0)
    return 0;
  close(*fd);
  *fd = -1;
  return number;
}

static ssize_t read_all(int fd, unsigned char *bytes, size_t size,
                        uint64_t offset)
{
  size_t used = 0;
  ssize_t length;

  while (used < size) {
    length = pread(fd, bytes + used, size - used, (off_t)(offset + used));
    if (length < 0 && errno == EINTR)
      continue;
    if (length < 0)
      return -1;
    if (length == 0)
      break;
    used += (size_t)length;
  }
  return (ssize_t)used;
}

/* Files of /proc have no size and are read here to their end: their content
** may depend on who reads.
*/
static int is_proc(int fd)
{
  struct statfs status;

  return fstatfs(fd, &status) == 0 && status.f_type == PROC_MAGIC;
}

int content_send(int channel, uint64_t request, const char *path,
                 uint64_t offset, uint64_t length)
{
  static unsigned char bytes[CELL_FILE_INLINE_MAX + 1];
  static unsigned char payload[CELL_FILE_INLINE_MAX + 32];
  struct cell_packer packer;
  struct stat status = {0};
  uint64_t size;
  ssize_t used = 0;
  int fd, number, whole;

  number = open_regular(path, O_RDONLY, 0, &status, &fd);
  if (number != 0)
    return number;
  if (offset > INT64_MAX - sizeof bytes)
    offset = INT64_MAX - sizeof bytes;
  used = read_all(
    fd, bytes, length < sizeof bytes ? (size_t)length : sizeof bytes, offset);
  if (used < 0) {
    number = errno;
    close(fd);
    return number;
  }
  whole = (size_t)used < sizeof bytes;
  if (!whole && is_proc(fd)) {
    close(fd);
    return EFBIG;
  }
  size = (uint64_t)status.st_size;
  if (size == 0 && used > 0)
    size = offset + (uint64_t)used;
  cell_pack_start(&packer, payload, sizeof payload);
  cell_pack_u32(&packer, 0);
  cell_pack_u64(&packer, size);
  cell_pack_u32(&packer, !whole);
  cell_pack_bytes(&packer, bytes, whole ? (size_t)used : 0);
  number = 0;
  if (wire_send(channel, CELL_CONTENT, request, &packer, whole ? -1 : fd) < 0)
    number = errno;
  close(fd);
  return number;
}

void content_read(struct content *content, struct cell_unpacker *unpacker,
                  int source)
{
  content->mode = cell_unpack_u32(unpacker) & 07777;
  content->flags = cell_unpack_u32(unpacker);
  content->length = cell_unpack_u64(unpacker);
  content->bytes = cell_unpack_bytes(unpacker, &content->count);
  content->source = source;
  content->metadata = cell_unpack_bytes(unpacker, &content->metadata_count);
}

static mode_t mode_of(const struct content *content)
{
  return content->mode != 0 ? content->mode : 0644;
}

/* An old file, or else a new one; behind a link that leads nowhere, too. */
static int open_or_make(struct content *content, const char *path, int *fd)
{
  mode_t mode = mode_of(content);
  struct stat status;
  int number = ENOENT;

  content->made = 0;
  if (content->flags & CELL_WRITE_APPEND)
    return open_regular(path, O_WRONLY | O_APPEND, 0, &status, fd);
  if (!(content->flags & CELL_WRITE_EXCLUSIVE))
    number = open_regular(path, O_WRONLY, 0, &status, fd);
  if (number != ENOENT)
    return number;
  number = open_regular(path, O_WRONLY | O_CREAT | O_EXCL, mode, &status, fd);
  if (number == 0)
    content->made = 1;
  if (number == EEXIST && !(content->flags & CELL_WRITE_EXCLUSIVE))
    number = open_regular(path, O_WRONLY | O_CREAT, mode, &status, fd);
  return number;
}

int content_open(struct content *content, const char *path, int *fd)
{
  const char *name;
  int number = open_or_make(content, path, fd), parent;

  if (number != ENOENT || content->flags & CELL_WRITE_APPEND)
    return number;
  parent = path_parent(path, 1, &name);
  if (parent < 0)
    return errno;
  close(parent);
  return open_or_make(content, path, fd);
}

static int write_all(int fd, const unsigned char *bytes, size_t count)
{
  ssize_t written;

  while (count > 0) {
    written = write(fd, bytes, count);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return errno;
    bytes += written;
    count -= (size_t)written;
  }
  return 0;
}

static int copy_source(const struct content *content, int fd, uint64_t *copied)
{
  static unsigned char block[65536];
  ssize_t length;
  size_t wanted;
  int number;

  while (*copied < content->length) {
    wanted = sizeof block;
    if (content->length - *copied < wanted)
      wanted = (size_t)(content->length - *copied);
    length = read_all(content->source, block, wanted, *copied);
    if (length < 0)
      return errno;
    if (length == 0)
      break;
    number = write_all(fd, block, (size_t)length);
    if (number != 0)
      return number;
    *copied += (uint64_t)length;
  }
  return 0;
}

/* All space is taken before the first old byte is lost. */
static int reserve(const struct content *content, int fd, uint64_t from)
{
  uint64_t length =
    content->source >= 0 ? content->length : (uint64_t)content->count;

  if (length == 0 || length > INT64_MAX - from ||
      fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)length) == 0)
    return length > INT64_MAX - from ? EFBIG : 0;
  return errno == ENOSPC || errno == EFBIG ? errno : 0;
}

/* What may fail before the content is touched. */
static int prepare(const struct content *content, int fd, uint64_t from)
{
  int number;

  if (content->made && fchmod(fd, mode_of(content)) < 0)
    return errno; /* its mode, whatever the umask */
  number = reserve(content, fd, from);
  if (number == 0 && !(content->flags & CELL_WRITE_APPEND))
    number = attributes_replace(fd, content->metadata, content->metadata_count);
  return number;
}

int content_copy(const struct content *content, const char *path, int fd)
{
  uint64_t copied = content->count, from = 0;
  struct stat status;
  const char *name;
  int number, parent;

  if (content->flags & CELL_WRITE_APPEND && fstat(fd, &status) == 0)
    from = (uint64_t)status.st_size;
  number = prepare(content, fd, from);
  if (number != 0) {
    parent = content->made ? path_parent(path, 0, &name) : -1;
    if (parent >= 0) {
      unlinkat(parent, name, 0);
      close(parent);
    }
    return number;
  }
  if (!content->made && content->mode != 0 && fchmod(fd, content->mode) < 0)
    return errno;
  if (content->source < 0) {
    number = write_all(fd, content->bytes, content->count);
  } else {
    copied = 0;
    number = copy_source(content, fd, &copied);
  }
  if (number == 0 && ftruncate(fd, (off_t)(from + copied)) < 0)
    number = errno;
  return number;
}
