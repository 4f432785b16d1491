/* store.c -- see store.h. */
#include "store.h"

#include "../../wire/protocol.h"
#include "../calls.h"
#include "mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FILES_MIN 1024u
#define FILES_MAX 262144u /* each costs the kernel about a kilobyte */

/* The store is mounted on the home, of which the last part hides it; or an
** overlay that is the home.
*/
static const struct {
  const char *source;
  const char *place;
  mode_t mode;
  unsigned attributes; /* besides those of the store */
} parts[] = {
  {CELL_HOME "/tmp", "/tmp", 01777, 0},
  {CELL_HOME "/shm", "/dev/shm", 01777, MOUNT_NO_EXEC},
  {CELL_HOME "/home", CELL_HOME, 0755, 0},
};

/* Of its own mount, which the home hides. */
static int root = -1;

static int mount_part(size_t i, struct mounts_place *home)
{
  int result;

  if (home == NULL || strcmp(parts[i].place, CELL_HOME) != 0)
    return mkdir(parts[i].source, parts[i].mode) < 0
             ? -1
             : mount_bind(parts[i].source, parts[i].place, parts[i].attributes);
  result = mount_attach(home->tree, AT_FDCWD, CELL_HOME);
  close(home->tree);
  home->tree = -1;
  return result;
}

int store_mount(uint64_t size, struct mounts *mounts, int read_only,
                struct failure *failure)
{
  struct call_mount_attributes change = {MOUNT_READ_ONLY, 0, 0, 0};
  struct mounts_place *home = mounts_home(mounts);
  uint64_t files = size / 4096;
  char options[96];
  size_t i;

  files = files < FILES_MIN ? FILES_MIN : files > FILES_MAX ? FILES_MAX : files;
  snprintf(options, sizeof options, "size=%llu,nr_inodes=%llu,mode=0755",
           (unsigned long long)size, (unsigned long long)files);
  if (mount("none", CELL_HOME, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
    return fail(failure, "store");
  root = open(CELL_HOME, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (mounts_prepare(mounts, failure) < 0)
    return -1;
  for (i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (mount_part(i, home) < 0)
      return fail(failure, "store");
  if (mounts_attach(mounts, failure) < 0)
    return -1;
  if (read_only && call_mount_setattr_at(CELL_HOME, 0, &change) < 0)
    return fail(failure, "store");
  /* The machine has 3072 terminals for all sandboxes and containers of it. */
  if (mount("none", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
            "newinstance,ptmxmode=0666,mode=0620,max=128") < 0)
    return fail(failure, "terminals");
  return 0;
}

/* A directory below `directory`, by no link. */
static int open_below(int directory, const char *path)
{
  struct call_open_how how = {O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                              RESOLVE_BENEATH | RESOLVE_NO_LINKS};

  return call_openat2(directory, path, &how);
}

/* "/tmp/a/b" through the root of the store, or -1. */
static int open_in_store(const char *path)
{
  size_t i, length;
  int part, found;

  for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    length = strlen(parts[i].place);
    if (strncmp(path, parts[i].place, length) != 0 ||
        (path[length] != '/' && path[length] != '\0'))
      continue;
    part = open_below(root, parts[i].source + sizeof CELL_HOME);
    if (part < 0 || path[length] == '\0')
      return part;
    found = open_below(part, path + length + 1);
    close(part);
    return found;
  }
  return -1;
}

/* The directory `fd` through the root of the store, or -1. */
static int through_root(int proc, int fd)
{
  struct stat one, other;
  char name[32], path[CELL_PATH_MAX];
  ssize_t length;
  int found;

  snprintf(name, sizeof name, "self/fd/%d", fd);
  length = readlinkat(proc, name, path, sizeof path - 1);
  if (length < 0)
    return -1;
  path[length] = '\0';
  found = open_in_store(path);
  if (found < 0)
    return -1;
  if (fstat(fd, &one) == 0 && fstat(found, &other) == 0 &&
      one.st_dev == other.st_dev && one.st_ino == other.st_ino)
    return found;
  close(found); /* moved meanwhile */
  return -1;
}

int store_rename(int proc, int here, const char *old, int there,
                 const char *new)
{
  int from, to, number = EXDEV;

  if (renameat(here, old, there, new) == 0)
    return 0;
  if (errno != EXDEV)
    return -1;
  from = through_root(proc, here);
  to = from >= 0 ? through_root(proc, there) : -1;
  if (to >= 0)
    number = renameat(from, old, to, new) == 0 ? 0 : errno;
  if (from >= 0)
    close(from);
  if (to >= 0)
    close(to);
  errno = number;
  return number == 0 ? 0 : -1;
}

void store_usage(uint64_t *used, uint64_t *total)
{
  struct statvfs status;

  *used = *total = 0;
  if (statvfs("/tmp", &status) < 0)
    return;
  *total = (uint64_t)status.f_blocks * status.f_frsize;
  *used = *total - (uint64_t)status.f_bfree * status.f_frsize;
}
