/* etc.c -- see etc.h. */
#include "etc.h"

#include "../calls.h"
#include "mount.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define COPIED_MAX 262144

/* Ending in '*': every name that begins so. */
static const char *const shared[] = {
  "ImageMagick-*",
  "R",
  "alternatives",
  "ca-certificates",
  "crypto-policies",
  "debian_version",
  "fonts",
  "java-*",
  "ld-musl-*",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "magic",
  "matplotlibrc",
  "mime.types",
  "mtab",
  "os-release",
  "perl",
  "pki",
  "protocols",
  "python3*",
  "services",
  "ssl",
  "terminfo",
  "timezone",
  NULL,
};

static const char *const written[][2] = {
  {"group", "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n"},
  {"hostname", "sandbox\n"},
  {"hosts", "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"},
  {"machine-id", "00000000000000000000000000000000\n"},
  {"nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n"
                    "hosts: files dns\nnetworks: files\nprotocols: files\n"
                    "services: files\n"},
  {"passwd", "root:x:0:0:root:/root:/bin/sh\n"
             "user:x:1000:1000:user:/home/user:/bin/sh\n"
             "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
  {"resolv.conf", "nameserver 127.0.0.1\n"},
  {NULL, NULL},
};

static int wanted(const char *name)
{
  size_t length;
  int i;

  for (i = 0; shared[i] != NULL; i++) {
    length = strlen(shared[i]);
    if (shared[i][length - 1] == '*' ? strncmp(name, shared[i], length - 1) == 0
                                     : strcmp(name, shared[i]) == 0)
      return 1;
  }
  return 0;
}

static int put(int directory, const char *name, const char *text)
{
  int fd =
    openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  int result = 0;

  if (fd < 0)
    return -1;
  if (write(fd, text, strlen(text)) < 0)
    result = -1;
  close(fd);
  return result;
}

/* Each mount costs every sandbox a copy of it; a small file costs nothing. */
static int copy(int from, int to, const char *name)
{
  char block[16384];
  int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), target;
  ssize_t length = 0;

  if (source < 0)
    return errno == EACCES ? 0 : -1;
  target = openat(to, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  while (target >= 0 && (length = read(source, block, sizeof block)) > 0)
    if (write(target, block, (size_t)length) != length) {
      length = -1;
      break;
    }
  close(source);
  if (target < 0)
    return -1;
  close(target);
  return length < 0 ? -1 : 0;
}

/* A link is taken as it is, a small file copied, the rest is bound. */
static int share(int from, int to, const char *name)
{
  char target[256];
  struct stat status;
  ssize_t length;

  if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  if (S_ISLNK(status.st_mode)) {
    length = readlinkat(from, name, target, sizeof target - 1);
    if (length < 0)
      return -1;
    target[length] = '\0';
    return symlinkat(target, to, name);
  }
  if (S_ISREG(status.st_mode) && status.st_size <= COPIED_MAX)
    return copy(from, to, name);
  if (S_ISDIR(status.st_mode)) {
    if (mkdirat(to, name, 0755) < 0)
      return -1;
  } else if (!S_ISREG(status.st_mode)) {
    return 0;
  } else if (put(to, name, "") < 0) {
    return -1;
  }
  return mount_copy_at(
    from, name, MOUNT_READ_ONLY | MOUNT_NO_SETUID | MOUNT_NO_DEVICES, to, name);
}

/* NULL: there is none. A link would lead out of where the programs are. */
static DIR *open_source(int source)
{
  int fd =
    openat(source, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

  if (directory == NULL && fd >= 0)
    close(fd);
  return directory;
}

int etc_build(int source, int root)
{
  int to = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *from = open_source(source);
  struct dirent *entry;
  int i, result = to < 0 ? -1 : 0;

  for (i = 0; result == 0 && written[i][0] != NULL; i++)
    result = put(to, written[i][0], written[i][1]);
  while (result == 0 && from != NULL && (entry = readdir(from)) != NULL)
    if (wanted(entry->d_name))
      result = share(dirfd(from), to, entry->d_name);
  i = errno;
  if (from != NULL)
    closedir(from);
  if (to >= 0)
    close(to);
  errno = i;
  return result;
}
