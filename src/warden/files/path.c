/* path.c -- see path.h. */
#include "path.h"

#include "../calls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int path_read(struct cell_unpacker *unpacker, char path[PATH_SIZE])
{
  char given[CELL_PATH_MAX];
  const char *rest = given;
  size_t length;

  cell_unpack_string(unpacker, given, sizeof given);
  if (unpacker->failed)
    return EINVAL;
  if (given[0] == '\0')
    return ENOENT;
  if (given[0] == '/')
    snprintf(path, PATH_SIZE, "%s", given);
  else {
    if (given[0] == '~' && (given[1] == '/' || given[1] == '\0'))
      rest++;
    while (*rest == '/')
      rest++;
    snprintf(path, PATH_SIZE, "%s/%s", CELL_HOME, rest);
  }
  for (length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
    path[length - 1] = '\0';
  return 0;
}

int path_open(const char *path, int flags, mode_t mode)
{
  struct call_open_how how;

  how.flags = (uint64_t)(unsigned)flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_NO_MAGIC_LINKS;
  return call_openat2(AT_FDCWD, path, &how);
}

/* Every missing directory on the way. What is in the way shows at the open, but
** for why one could not be made: that errno, or 0.
*/
static int make_parents(const char *directory)
{
  char part[PATH_SIZE];
  size_t i;
  int number = 0;

  for (i = 1; directory[i - 1] != '\0'; i++)
    if (directory[i] == '/' || directory[i] == '\0') {
      memcpy(part, directory, i);
      part[i] = '\0';
      if (mkdir(part, 0755) < 0 && errno != EEXIST && number == 0)
        number = errno;
    }
  return number;
}

int path_parent(const char *path, int make, const char **name)
{
  char directory[PATH_SIZE];
  const char *slash = strrchr(path, '/');
  size_t length = (size_t)(slash - path);
  int fd, number;

  *name = slash + 1;
  if (strcmp(*name, "") == 0 || strcmp(*name, ".") == 0 ||
      strcmp(*name, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  memcpy(directory, path, length);
  directory[length] = '\0';
  if (length == 0)
    strcpy(directory, "/");
  fd = path_open(directory, O_PATH | O_DIRECTORY, 0);
  if (fd >= 0 || !make || errno != ENOENT)
    return fd;
  number = make_parents(directory);
  fd = path_open(directory, O_PATH | O_DIRECTORY, 0);
  if (fd < 0 && errno == ENOENT && number != 0)
    errno = number;
  return fd;
}
