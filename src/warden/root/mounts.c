/* mounts.c -- see mounts.h. */
#include "mounts.h"

#include "../calls.h"
#include "mount.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define LAYERS CELL_HOME "/layers" /* while the root of the store is there */

/* Where mounts may be: what the code can write to anyway, and directories of
** the root that are there for them.
*/
static const struct {
  const char *path;
  int is_writable;
} bases[] = {
  {CELL_HOME, 1}, {"/tmp", 1}, {"/data", 0}, {"/media", 0},
  {"/mnt", 0},    {"/srv", 0}, {"/work", 0}, {"/workspace", 0},
};

#define BASES (sizeof bases / sizeof bases[0])

static int fail_at(const struct mounts *mounts,
                   const struct mounts_place *place, struct failure *failure,
                   const char *stage)
{
  fail(failure, stage);
  snprintf(failure->detail, sizeof failure->detail, "mounts[%u]",
           (unsigned)(place - mounts->list) + 1);
  return -1;
}

/* ---- in the stem ---- */

static int read_folders(struct mounts_place *place, uint32_t flags, int opener,
                        struct cell_unpacker *unpacker, struct failure *failure)
{
  uint32_t i, count = cell_unpack_u32(unpacker);
  char path[CELL_PATH_MAX];
  struct opener_wish wish;

  for (i = 0; i < count && i < CELL_FOLDERS_MAX; i++) {
    cell_unpack_string(unpacker, path, sizeof path);
    wish.mode = place->mode;
    wish.flags = flags;
    wish.path = path;
    wish.device = cell_unpack_u64(unpacker);
    wish.inode = cell_unpack_u64(unpacker);
    if (unpacker->failed)
      break;
    place->folders[place->count] = opener_open(opener, &wish, failure);
    if (place->folders[place->count] < 0)
      return -1;
    place->count++;
  }
  if (place->count == count && count > 0)
    return 0;
  errno = EPROTO;
  return fail(failure, "request");
}

int mounts_read(struct mounts *mounts, int opener,
                struct cell_unpacker *unpacker, struct failure *failure)
{
  uint32_t count = cell_unpack_u32(unpacker), flags;
  struct mounts_place *place;

  mounts->count = 0;
  while (mounts->count < count && mounts->count < CELL_MOUNTS_MAX) {
    place = &mounts->list[mounts->count++];
    place->tree = place->upper = -1;
    place->count = 0;
    place->mode = cell_unpack_u32(unpacker);
    flags = cell_unpack_u32(unpacker);
    cell_unpack_string(unpacker, place->path, sizeof place->path);
    if (read_folders(place, flags, opener, unpacker, failure) < 0) {
      snprintf(failure->detail, sizeof failure->detail, "mounts[%u]",
               (unsigned)mounts->count);
      mounts_close(mounts);
      return -1;
    }
  }
  if (cell_unpack_done(unpacker))
    return 0;
  mounts_close(mounts);
  errno = EPROTO;
  return fail(failure, "request");
}

size_t mounts_descriptors(const struct mounts *mounts, int *fds)
{
  size_t i, j, count = 0;

  for (i = 0; i < mounts->count; i++)
    for (j = 0; j < mounts->list[i].count && count < CELL_FOLDERS_MAX; j++)
      fds[count++] = mounts->list[i].folders[j];
  return count;
}

void mounts_close(struct mounts *mounts)
{
  int fds[CELL_FOLDERS_MAX];
  size_t count = mounts_descriptors(mounts, fds);

  while (count > 0)
    close(fds[--count]);
  mounts->count = 0;
}

/* ---- in the warden ---- */

/* In the directory of this overlay: 0, 1, ... with what lies below, upper and
** work. Short names, since an option has at most 255 characters; and no name of
** the host shows in the options, which the code can read.
*/
static int attach_layers(const struct mounts_place *place)
{
  struct stat status;
  char name[16];
  size_t i;

  if (mkdir("upper", 0700) < 0 || mkdir("work", 0700) < 0)
    return -1;
  for (i = 0; i < place->count; i++) {
    snprintf(name, sizeof name, "%u", (unsigned)i);
    if (mkdir(name, 0700) < 0 ||
        mount_attach(place->folders[i], AT_FDCWD, name) < 0)
      return -1;
  }
  /* What is seen of the top is the upper one's. */
  if (stat("0", &status) < 0 || chmod("upper", status.st_mode & 0777) < 0)
    return -1;
  return 0;
}

static int make_overlay(struct mounts_place *place)
{
  char lower[8 * CELL_FOLDERS_MAX], name[16];
  struct mount_option options[] = {{"lowerdir", lower},
                                   {"upperdir", "upper"},
                                   {"workdir", "work"},
                                   {"userxattr", NULL},
                                   {NULL, NULL}};
  size_t i, used = 0;
  int number;

  if (attach_layers(place) < 0)
    return -1;
  for (i = 0; i < place->count; i++)
    used += (size_t)snprintf(lower + used, sizeof lower - used, "%s%u",
                             i > 0 ? ":" : "", (unsigned)i);
  place->tree =
    mount_new("overlay", options, MOUNT_NO_SETUID | MOUNT_NO_DEVICES);
  number = errno;
  place->upper = open("upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (i = 0; i < place->count; i++) {
    snprintf(name, sizeof name, "%u", (unsigned)i);
    umount2(name, MNT_DETACH);
  }
  errno = number;
  return place->tree >= 0 && place->upper >= 0 ? 0 : -1;
}

int mounts_prepare(struct mounts *mounts, struct failure *failure)
{
  struct mounts_place *place;
  char name[32];
  size_t i;
  int result = 0;

  if (mounts->count == 0)
    return 0;
  if (mkdir(LAYERS, 0700) < 0)
    return fail(failure, "store");
  for (i = 0; i < mounts->count && result == 0; i++) {
    place = &mounts->list[i];
    if (place->mode != CELL_MOUNT_OVERLAY)
      continue;
    snprintf(name, sizeof name, "%s/%u", LAYERS, (unsigned)i);
    if (mkdir(name, 0700) < 0 || chdir(name) < 0 || make_overlay(place) < 0)
      result = fail_at(mounts, place, failure, "overlay");
  }
  if (chdir("/") < 0)
    return fail(failure, "store");
  return result;
}

struct mounts_place *mounts_home(struct mounts *mounts)
{
  size_t i;

  for (i = 0; i < mounts->count; i++)
    if (mounts->list[i].mode == CELL_MOUNT_OVERLAY &&
        strcmp(mounts->list[i].path, CELL_HOME) == 0)
      return &mounts->list[i];
  return NULL;
}

static size_t find_base(const char *path)
{
  size_t i, length;

  for (i = 0; i < BASES; i++) {
    length = strlen(bases[i].path);
    if (strncmp(path, bases[i].path, length) == 0 &&
        (path[length] == '/' || path[length] == '\0'))
      break;
  }
  return i;
}

/* An empty directory of the root cannot be written to: something that can is
** put over it.
*/
static int make_writable(size_t base)
{
  static const struct mount_option options[] = {
    {"size", "64k"}, {"nr_inodes", "256"}, {"mode", "0755"}, {NULL, NULL}};

  return mount_new_at("tmpfs", options, MOUNT_NO_SETUID | MOUNT_NO_DEVICES,
                      AT_FDCWD, bases[base].path);
}

/* The directory that is to hold the mount point, and the point's name. What
** lies in a home that is mounted may be anybody's: no link of it is followed.
*/
static int make_point(const char *base, const char *rest, const char **name)
{
  int directory = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), next;
  char part[CELL_MOUNT_PATH_MAX];
  size_t length;

  *name = ".";
  while (directory >= 0 && rest[0] == '/') {
    rest++;
    length = strcspn(rest, "/");
    memcpy(part, rest, length);
    part[length] = '\0';
    if (mkdirat(directory, part, 0755) < 0 && errno != EEXIST)
      break;
    *name = rest;
    if (rest[length] == '\0')
      return directory;
    next =
      openat(directory, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(directory);
    directory = next;
    rest += length;
  }
  if (directory < 0 || rest[0] == '\0')
    return directory;
  close(directory);
  return -1;
}

static int attach(struct mounts_place *place, size_t base)
{
  const char *name;
  int *tree = place->tree >= 0 ? &place->tree : &place->folders[0];
  int directory =
    make_point(bases[base].path, place->path + strlen(bases[base].path), &name);
  int result;

  if (directory < 0)
    return -1;
  result = mount_attach(*tree, directory, name);
  close(directory);
  if (result < 0)
    return -1;
  close(*tree);
  *tree = -1;
  return 0;
}

int mounts_attach(struct mounts *mounts, struct failure *failure)
{
  struct call_mount_attributes read_only = {MOUNT_READ_ONLY, 0, 0, 0};
  unsigned made = 0; /* bit a base */
  struct mounts_place *place;
  size_t i, base;

  for (i = 0; i < mounts->count; i++) {
    place = &mounts->list[i];
    base = find_base(place->path);
    if (base == BASES) {
      errno = EINVAL;
      return fail_at(mounts, place, failure, "mount place");
    }
    if (place == mounts_home(mounts))
      continue;
    if (!bases[base].is_writable && !(made & 1u << base) &&
        place->path[strlen(bases[base].path)] != '\0') {
      if (make_writable(base) < 0)
        return fail_at(mounts, place, failure, "mount place");
      made |= 1u << base;
    }
    if (attach(place, base) < 0)
      return fail_at(mounts, place, failure, "mount place");
  }
  for (base = 0; base < BASES; base++)
    if ((made & 1u << base) &&
        call_mount_setattr_at(bases[base].path, 0, &read_only) < 0)
      return fail(failure, "mount place");
  return 0;
}
