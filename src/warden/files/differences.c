/* differences.c -- see differences.h.
**
** What was removed is a character device 0:0 among what was written, and a
** directory that hides the one under it has an attribute. What was copied up
** and is the same as before (it was opened for writing, or its time was set) is
** no difference.
*/
#include "differences.h"

#include "../calls.h"
#include "../wire.h"
#include "entry.h"
#include "names.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define BATCH ((size_t)64 * 1024)
#define BLOCK 65536
#define LEVELS_MAX 512
#define PERMISSIONS 0777 /* what is told of a mode, and kept */

struct look {
  int channel;
  uint64_t request;
  const struct mounts *mounts;
  const struct mounts_place *place;
  uint32_t most, sent, waiting;
  size_t total;   /* bytes sent */
  int incomplete; /* there is more than could be looked at */
  struct cell_packer packer;
  char path[CELL_PATH_MAX]; /* of what is looked at, below the overlay */
  unsigned char bytes[BATCH];
};

/* What lies at look->path: written, or under that. */
struct side {
  int exists;
  struct stat status;
};

/* What is known of what lies under a directory that was written. */
enum under {
  UNDER_NOTHING, /* there is no directory */
  UNDER_SHOWN,   /* there is one, and it shows through */
  UNDER_HIDDEN   /* there is one, and nothing of it shows */
};

static int differ_below(struct look *look, size_t length, enum under under,
                        int level);

/* ---- telling ---- */

static void start_batch(struct look *look)
{
  look->waiting = 0;
  cell_pack_start(&look->packer, look->bytes, sizeof look->bytes);
  cell_pack_u32(&look->packer, 0);
}

static int send_batch(struct look *look)
{
  struct cell_packer count;

  if (look->waiting == 0)
    return 0;
  cell_pack_start(&count, look->bytes, sizeof look->bytes);
  cell_pack_u32(&count, look->waiting);
  if (wire_send(look->channel, CELL_DIFFERENCES, look->request, &look->packer,
                -1) < 0)
    return errno;
  look->total += look->packer.used;
  start_batch(look);
  return 0;
}

static uint32_t type_of(const struct side *side)
{
  return side->exists ? (uint32_t)entry_type(side->status.st_mode)
                      : CELL_ENTRY_NONE;
}

static void pack(struct look *look, enum cell_difference what,
                 const struct side *now, const struct side *before,
                 const char *target)
{
  const struct side *told = now->exists ? now : before;

  cell_pack_string(&look->packer, look->path);
  cell_pack_u32(&look->packer, what);
  cell_pack_u32(&look->packer, type_of(now));
  cell_pack_u32(&look->packer, type_of(before));
  cell_pack_u32(&look->packer, told->status.st_mode & PERMISSIONS);
  cell_pack_u64(&look->packer, (uint64_t)told->status.st_size);
  cell_pack_string(&look->packer, target);
}

static int tell(struct look *look, enum cell_difference what,
                const struct side *now, const struct side *before,
                const char *target)
{
  size_t mark = look->packer.used;
  int number;

  if (look->sent == look->most || look->total + 2 * BATCH > CELL_ANSWER_MAX)
    return E2BIG;
  pack(look, what, now, before, target);
  if (look->packer.failed) {
    look->packer.used = mark;
    look->packer.failed = 0;
    number = send_batch(look);
    if (number != 0)
      return number;
    pack(look, what, now, before, target);
  }
  look->waiting++;
  look->sent++;
  return 0;
}

/* ---- opening what is at look->path ---- */

static int open_in(const struct look *look, int root, int flags)
{
  struct call_open_how how = {0, 0, RESOLVE_BENEATH | RESOLVE_NO_LINKS};

  how.flags = (uint64_t)(unsigned)(flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (flags & O_PATH)
    how.flags &= ~(uint64_t)O_NONBLOCK;
  return call_openat2(root, look->path[0] != '\0' ? look->path : ".", &how);
}

/* Under the overlay, in the first folder that has something there. */
static int open_under(const struct look *look, int flags)
{
  size_t i;
  int fd = -1;

  errno = ENOENT;
  for (i = 0; fd < 0 && errno == ENOENT && i < look->place->count; i++)
    fd = open_in(look, look->place->folders[i], flags);
  return fd;
}

static void look_at(int fd, struct side *side)
{
  side->exists = fd >= 0 && fstat(fd, &side->status) == 0;
  if (fd >= 0)
    close(fd);
}

static int is_removed(const struct side *side)
{
  return side->exists && S_ISCHR(side->status.st_mode) &&
         major(side->status.st_rdev) == 0 && minor(side->status.st_rdev) == 0;
}

/* What the link says; "" if it cannot be read. */
static void read_target(const struct look *look, int written,
                        char target[CELL_PATH_MAX])
{
  int fd = written ? open_in(look, look->place->upper, O_PATH)
                   : open_under(look, O_PATH);
  ssize_t length = -1;

  if (fd >= 0) {
    length = readlinkat(fd, "", target, CELL_PATH_MAX - 1);
    close(fd);
  }
  target[length > 0 ? length : 0] = '\0';
}

/* ---- comparing ---- */

static ssize_t read_block(int fd, unsigned char *block, off_t offset)
{
  size_t used = 0;
  ssize_t got;

  while (used < BLOCK) {
    got = pread(fd, block + used, BLOCK - used, offset + (off_t)used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    if (got == 0)
      break;
    used += (size_t)got;
  }
  return (ssize_t)used;
}

static int is_same_to_the_end(int one, int other)
{
  static unsigned char first[BLOCK], second[BLOCK];
  off_t offset = 0;
  ssize_t got;

  do {
    got = read_block(one, first, offset);
    if (got < 0 || read_block(other, second, offset) != got ||
        memcmp(first, second, (size_t)got) != 0)
      return 0;
    offset += got;
  } while (got == BLOCK);
  return 1;
}

/* Of two regular files of one size. What cannot be read is not the same. */
static int is_same_content(const struct look *look)
{
  int one = open_in(look, look->place->upper, O_RDONLY);
  int other = open_under(look, O_RDONLY);
  int same = one >= 0 && other >= 0 && is_same_to_the_end(one, other);

  if (one >= 0)
    close(one);
  if (other >= 0)
    close(other);
  return same;
}

static int is_same(const struct look *look, const struct side *now,
                   const struct side *before, const char *target)
{
  char old[CELL_PATH_MAX];

  switch (now->status.st_mode & S_IFMT) {
  case S_IFREG:
    return now->status.st_size == before->status.st_size &&
           is_same_content(look);
  case S_IFLNK:
    read_target(look, 0, old);
    return strcmp(old, target) == 0;
  default: /* directories; and what has no content, which is not kept */
    return 1;
  }
}

static int tell_kept(struct look *look, const struct side *now,
                     const struct side *before)
{
  char target[CELL_PATH_MAX] = "";
  enum cell_difference what = CELL_DIFFERENCE_WRITE;

  if (S_ISLNK(now->status.st_mode))
    read_target(look, 1, target);
  if (!before->exists)
    what = CELL_DIFFERENCE_CREATE;
  else if ((now->status.st_mode & S_IFMT) ==
             (before->status.st_mode & S_IFMT) &&
           is_same(look, now, before, target)) {
    if (((now->status.st_mode ^ before->status.st_mode) & PERMISSIONS) == 0 ||
        S_ISLNK(now->status.st_mode))
      return 0;
    what = CELL_DIFFERENCE_CHMOD;
  }
  return tell(look, what, now, before, target);
}

/* ---- walking ---- */

enum holds { HOLDS_NO_MOUNT, IS_A_MOUNT, HOLDS_A_MOUNT };

/* Whether a mount of ours is at look->path, or below it: such a directory was
** made by us.
*/
static enum holds holds_mount(const struct look *look)
{
  size_t i, length = strlen(look->place->path), end = strlen(look->path);
  const char *other;

  for (i = 0; i < look->mounts->count; i++) {
    other = look->mounts->list[i].path;
    if (&look->mounts->list[i] == look->place ||
        strncmp(other, look->place->path, length) != 0 ||
        other[length] != '/' ||
        strncmp(other + length + 1, look->path, end) != 0)
      continue;
    other += length + 1 + end;
    if (other[0] == '\0' || other[0] == '/')
      return other[0] == '/' ? HOLDS_A_MOUNT : IS_A_MOUNT;
  }
  return HOLDS_NO_MOUNT;
}

/* Appends "/name". 0: it does not fit. */
static size_t append(struct look *look, size_t length, const char *name)
{
  size_t added = strlen(name), start = length > 0 ? length + 1 : 0;

  if (start + added >= sizeof look->path) {
    look->incomplete = 1;
    return 0;
  }
  if (length > 0)
    look->path[length] = '/';
  memcpy(look->path + start, name, added + 1);
  return start + added;
}

/* Everything under the overlay at and below look->path is gone; with `below`
** alone, what is below.
*/
static int tell_gone(struct look *look, size_t length,
                     const struct side *before, int below, int level)
{
  struct side none = {0}, side;
  struct names names = {0};
  size_t i, end;
  int number = 0, fd;

  if (!below)
    number = tell(look, CELL_DIFFERENCE_REMOVE, &none, before, "");
  if (number != 0 || !S_ISDIR(before->status.st_mode))
    return number;
  for (i = 0; i < look->place->count && number == 0; i++) {
    fd = open_in(look, look->place->folders[i], O_RDONLY | O_DIRECTORY);
    if (fd >= 0)
      number = names_read(&names, fd);
    else if (errno != ENOENT)
      break; /* what is no directory hides those below it */
  }
  if (number == 0)
    number = names_sort(&names);
  for (i = 0; i < names.count && number == 0; i++) {
    end = append(look, length, names.list[i]);
    if (end == 0 || level == LEVELS_MAX) {
      look->incomplete = 1;
      continue;
    }
    look_at(open_under(look, O_PATH), &side);
    if (side.exists)
      number = tell_gone(look, end, &side, 0, level + 1);
  }
  look->path[length] = '\0';
  names_free(&names);
  return number;
}

#define HIDES "user.overlay.opaque"

static int hides(int directory)
{
  char value = 0;

  return fgetxattr(directory, HIDES, &value, 1) == 1 && value == 'y';
}

/* A directory that the code has made shows nothing of one that may come under
** it, by what is applied there: neither now nor when it is looked up again.
*/
static void keep_apart(const struct look *look)
{
  int fd = open_in(look, look->place->upper, O_RDONLY | O_DIRECTORY);

  if (fd < 0)
    return;
  if (!hides(fd) && fsetxattr(fd, HIDES, "y", 1, 0) < 0)
    errno = 0; /* closed to its owner; or a kernel without such attributes */
  close(fd);
}

static int differ(struct look *look, size_t length, enum under under, int level)
{
  enum holds holds = holds_mount(look);
  struct side now, before = {0};
  int number = 0, was_directory;

  if (holds == IS_A_MOUNT)
    return 0;
  look_at(open_in(look, look->place->upper, O_PATH), &now);
  if (under != UNDER_NOTHING)
    look_at(open_under(look, O_PATH), &before);
  was_directory = before.exists && S_ISDIR(before.status.st_mode);
  if (!now.exists || is_removed(&now))
    return before.exists ? tell_gone(look, length, &before, 0, level) : 0;
  if (was_directory && !S_ISDIR(now.status.st_mode))
    number = tell_gone(look, length, &before, 1, level);
  if (number == 0 && (before.exists || holds != HOLDS_A_MOUNT))
    number = tell_kept(look, &now, &before);
  if (S_ISDIR(now.status.st_mode) && !was_directory)
    keep_apart(look);
  if (number == 0 && S_ISDIR(now.status.st_mode))
    number = differ_below(look, length, was_directory ? under : UNDER_NOTHING,
                          level + 1);
  return number;
}

/* The names that were written in a directory; and, where they hide what is
** under them, those as well.
*/
static int read_names(struct look *look, struct names *names, enum under *under)
{
  int fd = open_in(look, look->place->upper, O_RDONLY | O_DIRECTORY), number;
  size_t i;

  if (fd < 0) {
    look->incomplete = 1; /* closed to its owner, or gone by now */
    return 0;
  }
  if (*under == UNDER_SHOWN && hides(fd))
    *under = UNDER_HIDDEN;
  number = names_read(names, fd);
  for (i = 0; i < look->place->count && number == 0; i++) {
    if (*under != UNDER_HIDDEN)
      break;
    fd = open_in(look, look->place->folders[i], O_RDONLY | O_DIRECTORY);
    if (fd >= 0)
      number = names_read(names, fd);
  }
  return number == 0 ? names_sort(names) : number;
}

static int differ_below(struct look *look, size_t length, enum under under,
                        int level)
{
  struct names names = {0};
  size_t i, end;
  int number;

  if (level >= LEVELS_MAX) {
    look->incomplete = 1;
    return 0;
  }
  number = read_names(look, &names, &under);
  for (i = 0; i < names.count && number == 0; i++) {
    end = append(look, length, names.list[i]);
    if (end > 0)
      number = differ(look, end, under, level);
  }
  look->path[length] = '\0';
  names_free(&names);
  return number;
}

int differences_send(int channel, uint64_t request, const struct mounts *mounts,
                     size_t index, uint32_t most)
{
  static struct look look;
  int number, sent;

  look.channel = channel;
  look.request = request;
  look.mounts = mounts;
  look.place = &mounts->list[index];
  look.most = most;
  look.path[0] = '\0';
  start_batch(&look);
  number = differ_below(&look, 0, UNDER_SHOWN, 0);
  sent = send_batch(&look);
  if (number == 0 && look.incomplete)
    number = E2BIG;
  return number != 0 ? number : sent;
}
