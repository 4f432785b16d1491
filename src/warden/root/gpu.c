/* gpu.c -- see gpu.h. */
#include "gpu.h"

#include "../calls.h"
#include "mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICES_MAX 256

/* In which directory of /dev, and how their names begin. */
static const char *const places[][2] = {
  {"", "nvidia"}, {"", "kfd"}, {"dri/", "renderD"}, {"nvidia-caps/", "nvidia"}};

static int bind_device(int root, const char *path)
{
  int fd = openat(root, path + 1, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);

  if (fd < 0)
    return -1;
  close(fd);
  return mount_copy_at(AT_FDCWD, path, MOUNT_NO_SETUID | MOUNT_NO_EXEC, root,
                       path + 1);
}

/* Those of one place: how many, or -1 and errno. */
static int bind_place(int root, const char *folder, const char *start)
{
  char path[300];
  struct dirent *entry;
  struct stat status;
  DIR *directory;
  int count = 0;

  snprintf(path, sizeof path, "/dev/%s", folder);
  directory = opendir(path);
  if (directory == NULL)
    return errno == ENOENT ? 0 : -1;
  if (folder[0] != '\0' && mkdirat(root, path + 1, 0755) < 0 && errno != EEXIST)
    count = -1;
  while (count >= 0 && count < DEVICES_MAX &&
         (entry = readdir(directory)) != NULL) {
    snprintf(path, sizeof path, "/dev/%s%s", folder, entry->d_name);
    if (strncmp(entry->d_name, start, strlen(start)) != 0 ||
        stat(path, &status) < 0 || !S_ISCHR(status.st_mode))
      continue;
    count = bind_device(root, path) < 0 ? -1 : count + 1;
  }
  closedir(directory);
  return count;
}

int gpu_bind(int root, struct failure *failure)
{
  size_t i;
  int count = 0;

  for (i = 0; i < sizeof places / sizeof places[0]; i++) {
    int more = bind_place(root, places[i][0], places[i][1]);

    if (more < 0)
      return fail(failure, "gpu");
    count += more;
  }
  if (count > 0)
    return 0;
  errno = ENODEV;
  return fail(failure, "gpu");
}
