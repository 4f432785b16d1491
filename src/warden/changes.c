/* changes.c -- see changes.h. */
#include "changes.h"

#include "path.h"
#include "tree.h"
#include "warden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)4 * 1024 * 1024)
#define MAPPING_MAX                                                            \
  (CHANGES_FILES_MAX * sizeof(struct changes_file) +                           \
   CHANGES_DIRECTORIES_MAX * sizeof(struct changes_directory) + TEXT_MAX)
#define ANSWER_MAX ((size_t)64 * 1024)
#define TICK_MAX_NS 20000000 /* of the clock that stamps files */

#define WATCHED                                                                \
  (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE |            \
   IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

/* What programs keep for themselves; docs/design.md has the list too. */
static const char *const anywhere[] = {
  ".cache", ".git",          ".ipynb_checkpoints", ".mypy_cache",
  ".npm",   ".pytest_cache", "__pycache__",        "node_modules",
};
static const char *const at_home[] = {
  ".bash_history",
  ".bundle",
  ".cargo",
  ".config/go",
  ".config/matplotlib",
  ".config/pip",
  ".gem",
  ".gradle",
  ".ipython",
  ".java",
  ".jupyter",
  ".local/lib",
  ".local/share/jupyter",
  ".local/state",
  ".m2",
  ".node_repl_history",
  ".nv",
  ".python_history",
  ".rustup",
};

struct walk {
  struct changes_picture *picture;
  int inotify;   /* -1: do not watch */
  int unwatched; /* a directory could not be */
  int64_t newest;
  char path[CELL_PATH_MAX];
};

static int is_noise(const char *path, const char *name)
{
  size_t i;

  for (i = 0; i < sizeof anywhere / sizeof anywhere[0]; i++)
    if (strcmp(name, anywhere[i]) == 0)
      return 1;
  for (i = 0; i < sizeof at_home / sizeof at_home[0]; i++)
    if (strcmp(path, at_home[i]) == 0)
      return 1;
  return 0;
}

/* ---- taking a picture ---- */

static int picture_open(struct changes_picture *picture)
{
  char *at;

  memset(picture, 0, sizeof *picture);
  at = mmap(NULL, MAPPING_MAX, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return -1;
  picture->files = (struct changes_file *)(void *)at;
  at += CHANGES_FILES_MAX * sizeof *picture->files;
  picture->directories = (struct changes_directory *)(void *)at;
  at += CHANGES_DIRECTORIES_MAX * sizeof *picture->directories;
  picture->text = at;
  return 0;
}

static void picture_close(struct changes_picture *picture)
{
  if (picture->files != NULL)
    munmap(picture->files, MAPPING_MAX);
  memset(picture, 0, sizeof *picture);
}

static const char *keep_text(struct changes_picture *picture, const char *text)
{
  size_t size = strlen(text) + 1;
  char *kept = picture->text + picture->text_used;

  if (size > TEXT_MAX - picture->text_used)
    return NULL;
  picture->text_used += size;
  return memcpy(kept, text, size);
}

static void add_file(struct walk *walk, const struct stat *status)
{
  struct changes_picture *picture = walk->picture;
  struct changes_file *file = &picture->files[picture->file_count];

  if (picture->file_count == CHANGES_FILES_MAX ||
      (file->path = keep_text(picture, walk->path)) == NULL) {
    picture->partial = 1;
    return;
  }
  file->inode = status->st_ino;
  file->size = (uint64_t)status->st_size;
  file->modified =
    (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
  file->touched = 0;
  if (file->modified > walk->newest)
    walk->newest = file->modified;
  picture->file_count++;
}

/* By "." after fchdir: exactly the directory that is open, whatever its name
** leads to by now. Before its entries are read, so that none is missed.
*/
static void watch_directory(struct walk *walk, int fd)
{
  struct changes_picture *picture = walk->picture;
  struct changes_directory *directory =
    &picture->directories[picture->directory_count];

  if (walk->inotify < 0)
    return;
  if (picture->directory_count == CHANGES_DIRECTORIES_MAX ||
      (directory->path = keep_text(picture, walk->path)) == NULL) {
    walk->unwatched = 1;
    return;
  }
  if (fchdir(fd) < 0)
    return; /* closed to the code as well: nothing changes in it */
  directory->watch = inotify_add_watch(walk->inotify, ".", WATCHED);
  if (directory->watch >= 0)
    picture->directory_count++;
  else
    walk->unwatched = 1;
}

static void walk_directory(struct walk *walk, int fd, size_t length,
                           unsigned level)
{
  DIR *directory = tree_open(fd);
  struct dirent *entry;
  struct stat status;
  size_t end;
  int below;

  if (directory == NULL)
    return;
  watch_directory(walk, dirfd(directory));
  while (!walk->picture->partial && (entry = readdir(directory)) != NULL) {
    end = length + strlen(entry->d_name);
    if (tree_is_dots(entry->d_name) || end + 2 > sizeof walk->path)
      continue;
    memcpy(walk->path + length, entry->d_name, end - length + 1);
    if (is_noise(walk->path, entry->d_name) ||
        fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) <
          0)
      continue;
    if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode))
      add_file(walk, &status);
    if (!S_ISDIR(status.st_mode) || level == CHANGES_LEVELS_MAX)
      continue;
    below = openat(dirfd(directory), entry->d_name,
                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
      continue;
    walk->path[end] = '/';
    walk->path[end + 1] = '\0';
    walk_directory(walk, below, end + 1, level + 1);
  }
  walk->path[length] = '\0';
  closedir(directory);
}

static int by_path(const void *one, const void *other)
{
  return strcmp(((const struct changes_file *)one)->path,
                ((const struct changes_file *)other)->path);
}

static int by_watch(const void *one, const void *other)
{
  int left = ((const struct changes_directory *)one)->watch;
  int right = ((const struct changes_directory *)other)->watch;

  return (left > right) - (left < right);
}

/* Without events, a file that is written again in the tick of the picture would
** look the same: wait for the next one.
*/
static void wait_for_tick(int64_t newest)
{
  const struct timespec pause = {0, 500000};
  struct timespec time;
  int64_t now;

  do {
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    now = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
    if (now > newest || newest - now > TICK_MAX_NS)
      return;
  } while (nanosleep(&pause, NULL) == 0);
}

/* Returns an errno. */
static int take_picture(struct changes *changes,
                        struct changes_picture *picture)
{
  static struct walk walk;
  int fd = path_open(CELL_HOME, O_RDONLY | O_DIRECTORY, 0);

  if (fd < 0 || picture_open(picture) < 0) {
    int number = errno;
    if (fd >= 0)
      close(fd);
    return number;
  }
  walk.picture = picture;
  walk.inotify = changes->inotify;
  walk.unwatched = 0;
  walk.newest = 0;
  walk.path[0] = '\0';
  walk_directory(&walk, fd, 0, 1);
  if (chdir("/") < 0) /* a directory that we are in would not quite go */
    walk.unwatched = 1;
  if (walk.unwatched && changes->inotify >= 0) {
    close(changes->inotify);
    changes->inotify = -1;
    changes->given_up = 1;
  }
  if (changes->inotify < 0)
    wait_for_tick(walk.newest);
  qsort(picture->files, picture->file_count, sizeof *picture->files, by_path);
  qsort(picture->directories, picture->directory_count,
        sizeof *picture->directories, by_watch);
  return 0;
}

/* ---- events ---- */

static void touch(struct changes_picture *picture,
                  const struct inotify_event *event)
{
  static char path[CELL_PATH_MAX + 256];
  struct changes_directory directory = {"", event->wd}, *in;
  struct changes_file wanted, *file;

  in = bsearch(&directory, picture->directories, picture->directory_count,
               sizeof directory, by_watch);
  if (in == NULL || event->len == 0)
    return;
  snprintf(path, sizeof path, "%s%s", in->path, event->name);
  wanted.path = path;
  file = bsearch(&wanted, picture->files, picture->file_count, sizeof wanted,
                 by_path);
  if (file != NULL)
    file->touched = 1;
}

/* What comes from now on is about the next picture. Code may make events
** faster than we read them: there are no more than the kernel keeps.
*/
static void drain(struct changes *changes)
{
  static char bytes[16384] __attribute__((aligned(8)));
  const struct inotify_event *event;
  ssize_t length, at;
  int left = 256;

  while (changes->inotify >= 0 && left-- > 0 &&
         (length = read(changes->inotify, bytes, sizeof bytes)) > 0)
    for (at = 0; at < length; at += (ssize_t)(sizeof *event + event->len)) {
      event = (const struct inotify_event *)(const void *)(bytes + at);
      if (event->mask & IN_MODIFY)
        touch(&changes->picture, event);
    }
}

/* ---- the answer ---- */

struct answer {
  struct cell_packer packer;
  uint32_t flags, total, count;
  unsigned char bytes[ANSWER_MAX];
};

/* Errno, flags, total and count, which are known in the end. */
static void pack_head(struct answer *answer, struct cell_packer *packer,
                      int number)
{
  cell_pack_u32(packer, (uint32_t)number);
  cell_pack_u32(packer, answer->flags);
  cell_pack_u32(packer, answer->total);
  cell_pack_u32(packer, answer->count);
}

static void tell(struct answer *answer, const struct changes_file *file,
                 enum cell_change change)
{
  size_t mark = answer->packer.used;

  answer->total++;
  if (answer->count + 1 < answer->total || answer->count == CELL_CHANGES_MAX)
    return; /* one did not fit: no later one, so that they go up to a path */
  cell_pack_string(&answer->packer, file->path);
  cell_pack_u32(&answer->packer, change);
  cell_pack_u64(&answer->packer, change == CELL_CHANGE_REMOVE ? 0 : file->size);
  if (answer->packer.failed) {
    answer->packer.used = mark;
    answer->packer.failed = 0;
  } else {
    answer->count++;
  }
}

static int differs(const struct changes_file *old,
                   const struct changes_file *new)
{
  return old->touched || old->inode != new->inode || old->size != new->size ||
         old->modified != new->modified;
}

/* Both are in the order of their paths. */
static void compare(struct answer *answer, const struct changes_picture *old,
                    const struct changes_picture *new)
{
  size_t i = 0, j = 0;
  int order;

  if (old->partial || new->partial) {
    answer->flags |= CELL_CHANGED_UNKNOWN;
    return;
  }
  while (i < old->file_count || j < new->file_count) {
    order = i == old->file_count   ? 1
            : j == new->file_count ? -1
                                   : by_path(&old->files[i], &new->files[j]);
    if (order < 0)
      tell(answer, &old->files[i++], CELL_CHANGE_REMOVE);
    else if (order > 0)
      tell(answer, &new->files[j++], CELL_CHANGE_CREATE);
    else if (differs(&old->files[i++], &new->files[j++]))
      tell(answer, &new->files[j - 1], CELL_CHANGE_WRITE);
  }
}

/* Returns an errno. */
static int renew(struct changes *changes, struct answer *answer, uint32_t flags)
{
  struct changes_picture picture;
  int number;

  if (changes->inotify < 0 && !changes->given_up)
    changes->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  drain(changes);
  number = take_picture(changes, &picture);
  if (number != 0)
    return number;
  if (changes->picture.files != NULL && !(flags & CELL_CHANGES_RESTART))
    compare(answer, &changes->picture, &picture);
  picture_close(&changes->picture);
  changes->picture = picture;
  return 0;
}

static int send_answer(int channel, uint64_t request, struct answer *answer,
                       int number, int inotify)
{
  struct cell_packer head;

  cell_pack_start(&head, answer->bytes, sizeof answer->bytes);
  pack_head(answer, &head, number);
  return wire_send(channel, CELL_CHANGES_ARE, request, &answer->packer,
                   answer->flags & CELL_CHANGED_PASSED ? inotify : -1);
}

void changes_serve(struct warden *warden)
{
  static struct answer answer;
  struct changes *changes = &warden->changes;
  struct cell_unpacker unpacker;
  uint64_t request = warden->message.frame.request;
  uint32_t flags;
  int number = EINVAL;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  flags = cell_unpack_u32(&unpacker);
  answer.flags = answer.total = answer.count = 0;
  cell_pack_start(&answer.packer, answer.bytes, sizeof answer.bytes);
  pack_head(&answer, &answer.packer, 0);
  if (cell_unpack_done(&unpacker))
    number = renew(changes, &answer, flags);
  if (changes->inotify < 0)
    answer.flags |= CELL_CHANGED_UNWATCHED;
  else if (number == 0 && (flags & CELL_CHANGES_PASS))
    answer.flags |= CELL_CHANGED_PASSED;
  if (send_answer(warden->channel, request, &answer, number,
                  changes->inotify) == 0 ||
      !(answer.flags & CELL_CHANGED_PASSED))
    return;
  answer.flags &= ~(uint32_t)CELL_CHANGED_PASSED; /* too many on their way */
  send_answer(warden->channel, request, &answer, number, -1);
}
