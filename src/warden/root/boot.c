/* boot.c -- see boot.h. */
#include "boot.h"

#include "../calls.h"
#include "mount.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#define PLACE "/proc/fs"
#define KERNELS "/proc/sys/kernel/random/boot_id"
#define ID_SIZE 38 /* with a newline and its end */

/* A random UUID, version 4. */
static int make_id(char id[ID_SIZE])
{
  unsigned char b[16];

  if (getrandom(b, sizeof b, GRND_NONBLOCK) != sizeof b)
    return -1;
  b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
  b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
  snprintf(id, ID_SIZE,
           "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
           "%02x%02x%02x%02x%02x%02x\n",
           b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
           b[11], b[12], b[13], b[14], b[15]);
  return 0;
}

static int write_id(int boot)
{
  char id[ID_SIZE];

  if (make_id(id) < 0)
    return -1;
  return pwrite(boot, id, ID_SIZE - 1, 0) == ID_SIZE - 1 ? 0 : -1;
}

/* The file is written through a mount that nobody can reach: what is shown of
** it are two others, since a mount that somebody writes to is never read-only.
*/
int boot_mount(void)
{
  static const struct mount_option options[] = {
    {"size", "8k"}, {"nr_inodes", "2"}, {"mode", "0555"}, {NULL, NULL}};
  unsigned attributes = MOUNT_NO_SETUID | MOUNT_NO_DEVICES | MOUNT_NO_EXEC;
  int boot, number;

  if (mount_new_at("tmpfs", options, attributes, AT_FDCWD, PLACE) < 0)
    return -1;
  boot = open(PLACE "/boot_id", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0444);
  if (boot < 0)
    return -1;
  if (write_id(boot) < 0 ||
      (mount_bind(PLACE "/boot_id", KERNELS, MOUNT_READ_ONLY) < 0 &&
       errno != ENOENT) ||
      unlink(PLACE "/boot_id") < 0 ||
      mount_bind(PLACE, PLACE, MOUNT_READ_ONLY) < 0) {
    number = errno;
    close(boot);
    errno = number;
    return -1;
  }
  return boot;
}

/* Without room or entropy it keeps the last one: nothing hangs on it. */
void boot_renew(int boot)
{
  (void)write_id(boot);
}
