/* store.c -- see store.h. */
#include "store.h"

#include "../protocol.h"
#include "calls.h"
#include "mount.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define PLAIN (MOUNT_NO_SETUID | MOUNT_NO_DEVICES)
#define FILES_MIN 1024u
#define FILES_MAX 262144u /* each costs the kernel about a kilobyte */

static const struct {
  const char *source; /* below the store, which is mounted at home */
  const char *place;
  mode_t mode;
} parts[] = {
  {CELL_HOME "/tmp", "/tmp", 01777},
  {CELL_HOME "/shm", "/dev/shm", 01777},
  {CELL_HOME "/home", CELL_HOME, 0755}, /* last: it hides the store itself */
};

static int mount_parts(void)
{
  size_t i;

  for (i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (mkdir(parts[i].source, parts[i].mode) < 0 ||
        mount(parts[i].source, parts[i].place, NULL, MS_BIND, NULL) < 0)
      return -1;
  return mount(NULL, "/dev/shm", NULL,
               MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

int store_mount(uint64_t size, struct failure *failure)
{
  static const struct mount_option terminals[] = {{"newinstance", NULL},
                                                  {"ptmxmode", "0666"},
                                                  {"mode", "0620"},
                                                  {NULL, NULL}};
  struct mount_option options[] = {
    {"size", NULL}, {"nr_inodes", NULL}, {"mode", "0755"}, {NULL, NULL}};
  uint64_t files = size / 4096;
  char bytes[24], count[24];
  int store, result;

  files = files < FILES_MIN ? FILES_MIN : files > FILES_MAX ? FILES_MAX : files;
  snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)size);
  snprintf(count, sizeof count, "%llu", (unsigned long long)files);
  options[0].value = bytes;
  options[1].value = count;
  store = mount_new("tmpfs", options, PLAIN);
  if (store < 0)
    return fail(failure, "store");
  result = mount_attach(store, AT_FDCWD, CELL_HOME);
  if (result == 0)
    result = mount_parts();
  if (result < 0)
    fail(failure, "store");
  close(store);
  if (result == 0 &&
      mount_new_at("devpts", terminals, MOUNT_NO_SETUID | MOUNT_NO_EXEC,
                   AT_FDCWD, "/dev/pts") < 0)
    return fail(failure, "terminals");
  return result;
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
