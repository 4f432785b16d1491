/* list.c -- see list.h. */
#include "list.h"

#include "../descriptor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cell_host_list {
  DIR *directory;
};

struct cell_host_list *cell_host_list_open(const char *path,
                                           struct cell_error *error)
{
  struct cell_host_list *list = calloc(1, sizeof *list);
  int fd;

  if (list == NULL) {
    cell_fail(error, CELL_SYSTEM, ENOMEM, "list %s", path);
    return NULL;
  }
  fd = cell_fd_above_stdio(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  list->directory = fd >= 0 ? fdopendir(fd) : NULL;
  if (list->directory == NULL) {
    cell_fail(error, cell_kind_of(errno), errno, "list %s", path);
    cell_fd_close(&fd);
    cell_host_list_close(list);
    return NULL;
  }
  return list;
}

/* 1 if the entry is of a kind that can be copied, 0 if not, -1 with errno. */
static int describe(int directory, const char *name,
                    struct cell_host_entry *entry)
{
  struct stat status;
  ssize_t length;

  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? 0 : -1; /* removed meanwhile */
  memset(entry, 0, sizeof *entry);
  memcpy(entry->name, name, strnlen(name, sizeof entry->name - 1));
  entry->is_directory = S_ISDIR(status.st_mode);
  entry->is_link = S_ISLNK(status.st_mode);
  entry->mode = status.st_mode & 07777;
  entry->size = (uint64_t)status.st_size;
  entry->modified = (int64_t)status.st_mtime;
  if (!entry->is_link)
    return entry->is_directory || S_ISREG(status.st_mode);
  length = readlinkat(directory, name, entry->target, sizeof entry->target - 1);
  return length < 0 ? -1 : 1;
}

int cell_host_list_next(struct cell_host_list *list,
                        struct cell_host_entry *entry, struct cell_error *error)
{
  int state = 0;

  while (state == 0) {
    struct dirent *found;

    errno = 0;
    found = readdir(list->directory);
    if (found == NULL && errno == 0)
      return 0;
    if (found == NULL)
      return cell_fail(error, cell_kind_of(errno), errno, "list a directory");
    if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
      continue;
    state = describe(dirfd(list->directory), found->d_name, entry);
    if (state < 0)
      return cell_fail(error, cell_kind_of(errno), errno, "look at %s",
                       found->d_name);
  }
  return 1;
}

void cell_host_list_close(struct cell_host_list *list)
{
  if (list == NULL)
    return;
  if (list->directory != NULL)
    closedir(list->directory);
  free(list);
}
