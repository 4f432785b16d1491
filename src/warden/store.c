/* store.c -- see store.h. */
#include "store.h"

#include "../protocol.h"
#include "calls.h"
#include "mount.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FILES_MIN 1024u
#define FILES_MAX 262144u /* each costs the kernel about a kilobyte */

/* The store is mounted on the home, of which the last part hides it. */
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

int store_mount(uint64_t size, struct failure *failure)
{
  uint64_t files = size / 4096;
  char options[96];
  size_t i;

  files = files < FILES_MIN ? FILES_MIN : files > FILES_MAX ? FILES_MAX : files;
  snprintf(options, sizeof options, "size=%llu,nr_inodes=%llu,mode=0755",
           (unsigned long long)size, (unsigned long long)files);
  if (mount("none", CELL_HOME, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
    return fail(failure, "store");
  for (i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (mkdir(parts[i].source, parts[i].mode) < 0 ||
        mount_bind(parts[i].source, parts[i].place, parts[i].attributes) < 0)
      return fail(failure, "store");
  if (mount("none", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
            "newinstance,ptmxmode=0666,mode=0620") < 0)
    return fail(failure, "terminals");
  return 0;
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
