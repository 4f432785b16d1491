/* files.c -- see files.h. */
#include "files.h"

#include "../root/store.h"
#include "../warden.h"
#include "content.h"
#include "differences.h"
#include "entry.h"
#include "path.h"
#include "tree.h"
#include "unpack.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void answer(struct warden *warden, uint64_t request, int number)
{
  wire_send_number(warden->channel, CELL_DONE, request, number);
}

/* ENTRY: of directory/name, or of the open file `directory` with name "". */
static void answer_entry(struct warden *warden, uint64_t request, int number,
                         int directory, const char *name)
{
  unsigned char bytes[CELL_PATH_MAX + CELL_METADATA_MAX + 64];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, 0);
  if (number == 0)
    number = entry_pack(&packer, "", directory, name);
  if (number == 0)
    wire_send(warden->channel, CELL_ENTRY, request, &packer, -1);
  else
    wire_send_number(warden->channel, CELL_ENTRY, request, number);
}

/* ---- helpers ---- */

/* Forks. In the helper returns 0: it must _exit with an errno; in the warden
** 1, or -1 and errno. fd: of the file to describe in the answer, taken.
*/
static int start_helper(struct warden *warden, int fd, int *keep, size_t count)
{
  struct helpers *helpers = &warden->helpers;
  struct helper *helper = &helpers->list[helpers->count];

  if (helpers->count == HELPERS_MAX) {
    errno = EAGAIN;
    return -1;
  }
  helper->request = warden->message.frame.request;
  helper->fd = fd;
  helper->pid = fork();
  if (helper->pid < 0)
    return -1;
  if (helper->pid > 0) {
    helpers->count++;
    return 1;
  }
  signal(SIGALRM, SIG_DFL); /* its handler is the warden's deadline */
  self_name(&warden->birth->title, "codecell-files", "");
  self_keep_only(keep, count);
  return 0;
}

int files_reaped(struct warden *warden, pid_t pid, int status)
{
  struct helpers *helpers = &warden->helpers;
  struct helper helper;
  size_t i;
  int number = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;

  for (i = 0; i < helpers->count; i++)
    if (helpers->list[i].pid == pid)
      break;
  if (i == helpers->count)
    return 0;
  helper = helpers->list[i];
  helpers->list[i] = helpers->list[--helpers->count];
  if (helper.fd < 0) {
    answer(warden, helper.request, number);
    return 1;
  }
  answer_entry(warden, helper.request, number, helper.fd, "");
  close(helper.fd);
  return 1;
}

/* ---- verbs: each answers its request ---- */

/* Opened for reading where that is possible and no device or FIFO could hear of
** it: the attributes of what is open as a path alone cannot be read.
*/
static int open_to_describe(const char *path, int follow, int *fd)
{
  struct stat status;
  int readable;

  *fd = path_open(path, O_PATH | follow, 0);
  if (*fd < 0)
    return errno;
  if (fstat(*fd, &status) < 0 ||
      !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
    return 0;
  readable = path_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | follow, 0);
  if (readable >= 0) {
    close(*fd);
    *fd = readable;
  }
  return 0;
}

static void serve_stat(struct warden *warden, struct cell_unpacker *unpacker)
{
  char path[PATH_SIZE];
  int number = path_read(unpacker, path), fd = -1;
  uint32_t follow = cell_unpack_u32(unpacker);

  if (number == 0)
    number = open_to_describe(path, follow ? 0 : O_NOFOLLOW, &fd);
  answer_entry(warden, warden->message.frame.request, number, fd, "");
  if (fd >= 0)
    close(fd);
}

static void serve_list(struct warden *warden, struct cell_unpacker *unpacker)
{
  char path[PATH_SIZE];
  uint64_t request = warden->message.frame.request;
  int number = path_read(unpacker, path), fd, keep[2];
  uint32_t depth = cell_unpack_u32(unpacker);
  uint32_t most = cell_unpack_u32(unpacker);

  if (number == 0 && !cell_unpack_done(unpacker))
    number = EINVAL;
  fd = number == 0 ? path_open(path, O_RDONLY | O_DIRECTORY, 0) : -1;
  if (number == 0 && fd < 0)
    number = errno;
  if (fd < 0) {
    answer(warden, request, number);
    return;
  }
  /* Few entries are not worth a process. */
  number = tree_list(warden->channel, request, fcntl(fd, F_DUPFD_CLOEXEC, 3),
                     depth, most, 1);
  if (number == EAGAIN) {
    keep[0] = warden->channel;
    keep[1] = fd;
    number = start_helper(warden, -1, keep, 2);
    if (number == 0) {
      lseek(fd, 0, SEEK_SET);
      _exit(tree_list(warden->channel, request, fd, depth, most, 0));
    }
    number = number < 0 ? errno : -1;
  }
  close(fd);
  if (number >= 0)
    answer(warden, request, number);
}

static int make_directory(const char *path, mode_t mode)
{
  struct stat status;
  const char *name;
  int parent = path_parent(path, 1, &name), number = 0;

  if (parent < 0)
    return errno == EINVAL ? EEXIST : errno;
  if (mkdirat(parent, name, mode != 0 ? mode : 0755) < 0)
    number = errno;
  if (number == EEXIST && fstatat(parent, name, &status, 0) == 0 &&
      !S_ISDIR(status.st_mode))
    number = ENOTDIR;
  close(parent);
  return number;
}

static void serve_mkdir(struct warden *warden, struct cell_unpacker *unpacker)
{
  char path[PATH_SIZE];
  int number = path_read(unpacker, path);
  uint32_t mode = cell_unpack_u32(unpacker);

  if (number == 0)
    number = make_directory(path, mode & 07777);
  answer(warden, warden->message.frame.request, number);
}

static void serve_remove(struct warden *warden, struct cell_unpacker *unpacker)
{
  char path[PATH_SIZE];
  const char *name = "";
  int number = path_read(unpacker, path), parent = -1, fd, keep[2];

  if (number == 0) {
    parent = path_parent(path, 0, &name);
    number = parent < 0 ? errno : 0;
  }
  if (number == 0 && unlinkat(parent, name, 0) < 0)
    number = errno;
  if (number == EISDIR || number == EPERM)
    number = unlinkat(parent, name, AT_REMOVEDIR) < 0 ? errno : 0;
  if (number == ENOTEMPTY) {
    keep[0] = warden->channel;
    keep[1] = parent;
    number = start_helper(warden, -1, keep, 2);
    if (number == 0) {
      fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      number = fd < 0 ? errno : tree_empty(fd);
      if (number == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
        number = errno;
      _exit(number);
    }
    number = number < 0 ? errno : -1;
  }
  if (parent >= 0)
    close(parent);
  if (number >= 0)
    answer(warden, warden->message.frame.request, number);
}

static void serve_rename(struct warden *warden, struct cell_unpacker *unpacker)
{
  char from[PATH_SIZE], to[PATH_SIZE];
  const char *old = "", *new = "";
  int number = path_read(unpacker, from), there = -1, here = -1;

  if (number == 0)
    number = path_read(unpacker, to);
  if (number == 0) {
    here = path_parent(from, 0, &old);
    number = here < 0                                              ? errno
             : faccessat(here, old, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? errno
                                                                   : 0;
  }
  if (number == 0) {
    there = path_parent(to, 1, &new);
    number = there < 0 ? errno : 0;
  }
  if (number == 0 && store_rename(warden->proc, here, old, there, new) < 0)
    number = errno;
  answer_entry(warden, warden->message.frame.request, number, there, new);
  if (here >= 0)
    close(here);
  if (there >= 0)
    close(there);
}

static void serve_link(struct warden *warden, struct cell_unpacker *unpacker)
{
  char path[PATH_SIZE], target[CELL_PATH_MAX];
  const char *name;
  int number = path_read(unpacker, path), parent;

  cell_unpack_string(unpacker, target, sizeof target);
  if (number == 0 && !cell_unpack_done(unpacker))
    number = EINVAL;
  if (number == 0) {
    parent = path_parent(path, 1, &name);
    if (parent < 0 || symlinkat(target, parent, name) < 0)
      number = errno;
    if (parent >= 0)
      close(parent);
  }
  answer(warden, warden->message.frame.request, number);
}

static int touch(int parent, const char *name, mode_t mode, uint64_t modified)
{
  struct timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  struct stat status;

  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return errno;
  if (!S_ISLNK(status.st_mode) && fchmodat(parent, name, mode & 0777, 0) < 0)
    return errno;
  if (modified == UINT64_MAX)
    return 0;
  times[1].tv_sec = (time_t)(modified / 1000000000u);
  times[1].tv_nsec = (long)(modified % 1000000000u);
  return utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
}

static void serve_touch(struct warden *warden, struct cell_unpacker *unpacker)
{
  char path[PATH_SIZE];
  const char *name;
  int number = path_read(unpacker, path), parent;
  mode_t mode = (mode_t)cell_unpack_u32(unpacker);
  uint64_t modified = cell_unpack_u64(unpacker);

  if (number == 0 && !cell_unpack_done(unpacker))
    number = EINVAL;
  if (number == 0) {
    parent = path_parent(path, 0, &name);
    number = parent < 0 ? errno : touch(parent, name, mode, modified);
    if (parent >= 0)
      close(parent);
  }
  answer(warden, warden->message.frame.request, number);
}

static void serve_read(struct warden *warden, struct cell_unpacker *unpacker)
{
  char path[PATH_SIZE];
  int number = path_read(unpacker, path);
  uint64_t offset = cell_unpack_u64(unpacker);
  uint64_t length = cell_unpack_u64(unpacker);

  if (number == 0 && !cell_unpack_done(unpacker))
    number = EINVAL;
  if (number == 0)
    number = content_send(warden->channel, warden->message.frame.request, path,
                          offset, length);
  if (number != 0)
    wire_send_number(warden->channel, CELL_CONTENT,
                     warden->message.frame.request, number);
}

/* What lies in a descriptor of the host and is much is copied by a helper. */
static void serve_write(struct warden *warden, struct cell_unpacker *unpacker)
{
  struct content content;
  char path[PATH_SIZE];
  uint64_t request = warden->message.frame.request;
  int number = path_read(unpacker, path), fd = -1, keep[3];

  content_read(&content, unpacker, wire_take(&warden->message, 0));
  if (number == 0)
    number =
      cell_unpack_done(unpacker) ? content_open(&content, path, &fd) : EINVAL;
  if (number == 0 && content.source >= 0 && content.length > CONTENT_DIRECT) {
    keep[0] = warden->channel;
    keep[1] = fd;
    keep[2] = content.source;
    number = start_helper(warden, fd, keep, 3);
    if (number == 0)
      _exit(content_copy(&content, path, fd));
    number = number < 0 ? errno : -1;
  } else if (number == 0) {
    number = content_copy(&content, path, fd);
  }
  if (content.source >= 0)
    close(content.source);
  if (number < 0)
    return;
  answer_entry(warden, request, number, fd, "");
  if (fd >= 0)
    close(fd);
}

/* A stream takes long enough for a helper always. */
static void serve_unpack(struct warden *warden, struct cell_unpacker *unpacker)
{
  char path[PATH_SIZE];
  int number = path_read(unpacker, path), fd = -1, keep[3];
  uint64_t length = cell_unpack_u64(unpacker);
  int source = wire_take(&warden->message, 0);

  if (number == 0 && (!cell_unpack_done(unpacker) || source < 0))
    number = EINVAL;
  if (number == 0)
    number = make_directory(path, 0);
  if (number == 0 || number == EEXIST) {
    fd = path_open(path, O_RDONLY | O_DIRECTORY, 0);
    number = fd < 0 ? errno : 0;
  }
  if (number == 0) {
    keep[0] = warden->channel;
    keep[1] = fd;
    keep[2] = source;
    number = start_helper(warden, -1, keep, 3);
    if (number == 0)
      _exit(unpack_tree(fd, source, length));
    number = number < 0 ? errno : -1;
  }
  if (fd >= 0)
    close(fd);
  if (source >= 0)
    close(source);
  if (number >= 0)
    answer(warden, warden->message.frame.request, number);
}

static void serve_differ(struct warden *warden, struct cell_unpacker *unpacker)
{
  const struct mounts *mounts = warden->birth->mounts;
  uint64_t request = warden->message.frame.request;
  uint32_t index = cell_unpack_u32(unpacker), most = cell_unpack_u32(unpacker);
  int keep[2 + CELL_FOLDERS_MAX], number = EINVAL;
  size_t count = mounts_descriptors(mounts, keep + 2);

  if (cell_unpack_done(unpacker) && index < mounts->count &&
      mounts->list[index].mode == CELL_MOUNT_OVERLAY) {
    keep[0] = warden->channel;
    keep[1] = mounts->list[index].upper;
    number = start_helper(warden, -1, keep, 2 + count);
    if (number == 0)
      _exit(differences_send(warden->channel, request, mounts, index, most));
    number = number < 0 ? errno : -1;
  }
  if (number >= 0)
    answer(warden, request, number);
}

void files_serve(struct warden *warden)
{
  struct cell_unpacker unpacker;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  switch (warden->message.frame.type) {
  case CELL_FILE_STAT:
    serve_stat(warden, &unpacker);
    break;
  case CELL_FILE_LIST:
    serve_list(warden, &unpacker);
    break;
  case CELL_FILE_READ:
    serve_read(warden, &unpacker);
    break;
  case CELL_FILE_WRITE:
    serve_write(warden, &unpacker);
    break;
  case CELL_FILE_MKDIR:
    serve_mkdir(warden, &unpacker);
    break;
  case CELL_FILE_REMOVE:
    serve_remove(warden, &unpacker);
    break;
  case CELL_FILE_RENAME:
    serve_rename(warden, &unpacker);
    break;
  case CELL_FILE_LINK:
    serve_link(warden, &unpacker);
    break;
  case CELL_FILE_TOUCH:
    serve_touch(warden, &unpacker);
    break;
  case CELL_FILE_UNPACK:
    serve_unpack(warden, &unpacker);
    break;
  case CELL_DIFFER:
    serve_differ(warden, &unpacker);
    break;
  default:
    answer(warden, warden->message.frame.request, ENOSYS);
  }
  if (chdir("/") < 0) /* a directory that we are in would not quite go */
    return;
}
