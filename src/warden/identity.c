/* identity.c -- see identity.h. */
#include "identity.h"

#include "../wire/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int identity_is_root(void)
{
  char text[128];
  unsigned inside, outside, count;
  ssize_t length;
  int fd;

  if (geteuid() != 0)
    return 0;
  fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0)
    return 0;
  text[length] = '\0';
  return sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 &&
         inside == 0 && outside == 0 && count == 4294967295u;
}

int identity_drop(void)
{
  /* Only root can raise a hard limit: sudo sets this one to 0, and a warden
  ** wants 1 (see its limits). Without it the warden makes do with 0.
  */
  struct rlimit core = {1, 1};

  (void)setrlimit(RLIMIT_CORE, &core);
  if (setgroups(0, NULL) < 0 ||
      setresgid(CELL_PLAIN_UID, CELL_PLAIN_UID, CELL_PLAIN_UID) < 0 ||
      setresuid(CELL_PLAIN_UID, CELL_PLAIN_UID, CELL_PLAIN_UID) < 0)
    return -1;
  /* The change of uid made /proc/self root's, and the maps are there. */
  return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

unsigned identity_groups(void)
{
  int count = getgroups(0, NULL);

  return count > 0 ? (unsigned)count : 0;
}

static int put(int process, const char *name, const char *text)
{
  int fd = openat(process, name, O_WRONLY | O_CLOEXEC);
  ssize_t written;
  int number;

  if (fd < 0)
    return -1;
  written = write(fd, text, strlen(text));
  number = errno;
  close(fd);
  errno = number;
  return written < 0 ? -1 : 0;
}

int identity_deny_groups(int process)
{
  return put(process, "setgroups", "deny");
}

int identity_map(int process, unsigned inside, unsigned outside_uid,
                 unsigned outside_gid)
{
  char line[48];

  snprintf(line, sizeof line, "%u %u 1\n", inside, outside_uid);
  if (put(process, "uid_map", line) < 0)
    return -1;
  snprintf(line, sizeof line, "%u %u 1\n", inside, outside_gid);
  return put(process, "gid_map", line);
}
