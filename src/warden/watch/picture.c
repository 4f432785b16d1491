/* picture.c -- see picture.h. */
#include "picture.h"

#include "../../wire/protocol.h"
#include "../calls.h"
#include "../files/path.h"
#include "../files/tree.h"
#include "noise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)8 * 1024 * 1024)
#define ENTRIES_MAX 131072 /* looked at for one picture */

#define FILES_SIZE (PICTURE_FILES_MAX * sizeof(struct picture_file))
#define DIRECTORIES_SIZE                                                       \
  (PICTURE_DIRECTORIES_MAX * sizeof(struct picture_directory))
#define INDEX_SIZE (PICTURE_DIRECTORIES_MAX * sizeof(uint32_t))
#define MAPPING_SIZE                                                           \
  (2 * FILES_SIZE + DIRECTORIES_SIZE + 2 * INDEX_SIZE + TEXT_MAX)

#define WATCHED                                                                \
  (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE |            \
   IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_EXCL_UNLINK)

struct walk {
  struct picture *picture, *old; /* old: NULL when all is new */
  int inotify;                   /* -1: do not watch */
  int number;                    /* errno: the picture will not do */
  int left;                      /* entries */
  char path[CELL_PATH_MAX];
};

/* ---- memory ---- */

static int open_picture(struct picture *picture)
{
  char *at;

  memset(picture, 0, sizeof *picture);
  at = mmap(NULL, MAPPING_SIZE, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return errno;
  picture->files = (struct picture_file *)(void *)at;
  at += FILES_SIZE;
  picture->found = (struct picture_file *)(void *)at;
  at += FILES_SIZE;
  picture->directories = (struct picture_directory *)(void *)at;
  at += DIRECTORIES_SIZE;
  picture->by_watch = (uint32_t *)(void *)at;
  at += INDEX_SIZE;
  picture->by_inode = (uint32_t *)(void *)at;
  at += INDEX_SIZE;
  picture->text = at;
  return 0;
}

void picture_close(struct picture *picture)
{
  if (picture->files != NULL)
    munmap(picture->files, MAPPING_SIZE);
  memset(picture, 0, sizeof *picture);
}

static const char *keep_text(struct walk *walk, const char *text)
{
  struct picture *picture = walk->picture;
  size_t size = strlen(text) + 1;
  char *kept = picture->text + picture->text_used;

  if (size > TEXT_MAX - picture->text_used) {
    walk->number = E2BIG;
    return "";
  }
  picture->text_used += size;
  return memcpy(kept, text, size);
}

/* ---- looking things up ---- */

static const struct picture *sorting; /* what qsort cannot hand on */

static int order_watches(const void *one, const void *other)
{
  int left = sorting->directories[*(const uint32_t *)one].watch;
  int right = sorting->directories[*(const uint32_t *)other].watch;

  return (left > right) - (left < right);
}

static int order_inodes(const void *one, const void *other)
{
  uint64_t left = sorting->directories[*(const uint32_t *)one].inode;
  uint64_t right = sorting->directories[*(const uint32_t *)other].inode;

  return (left > right) - (left < right);
}

int picture_order(const struct picture_file *one,
                  const struct picture_file *other)
{
  return strcmp(one->path, other->path);
}

static int order_files(const void *one, const void *other)
{
  return picture_order(one, other);
}

static void make_indexes(struct picture *picture)
{
  size_t i, count = picture->directory_count;

  for (i = 0; i < count; i++) {
    picture->by_watch[i] = picture->by_inode[i] = (uint32_t)i;
    picture->is_cut |= picture->directories[i].is_cut;
  }
  sorting = picture;
  qsort(picture->by_watch, count, sizeof *picture->by_watch, order_watches);
  qsort(picture->by_inode, count, sizeof *picture->by_inode, order_inodes);
}

struct picture_directory *picture_watched(struct picture *picture, int watch)
{
  size_t first = 0, past = picture->directory_count, middle;
  struct picture_directory *directory;

  while (first < past) {
    middle = first + (past - first) / 2;
    directory = &picture->directories[picture->by_watch[middle]];
    if (directory->watch == watch)
      return directory;
    if (directory->watch < watch)
      first = middle + 1;
    else
      past = middle;
  }
  return NULL;
}

static struct picture_directory *find_inode(struct picture *picture,
                                            uint64_t inode)
{
  size_t first = 0, past = picture->directory_count, middle;
  struct picture_directory *directory;

  while (first < past) {
    middle = first + (past - first) / 2;
    directory = &picture->directories[picture->by_inode[middle]];
    if (directory->inode == inode)
      return directory;
    if (directory->inode < inode)
      first = middle + 1;
    else
      past = middle;
  }
  return NULL;
}

struct picture_file *picture_find(struct picture *picture, const char *path)
{
  struct picture_file wanted;

  wanted.path = path;
  return bsearch(&wanted, picture->files, picture->file_count, sizeof wanted,
                 order_files);
}

/* ---- what is found ---- */

static void add_file(struct walk *walk, const struct stat *status,
                     uint32_t directory)
{
  struct picture *picture = walk->picture;
  struct picture_file *file = &picture->found[picture->found_count];
  size_t most = walk->inotify >= 0 ? PICTURE_FILES_MAX : PICTURE_UNWATCHED_MAX;

  if (picture->found_count == most) {
    walk->number = E2BIG;
    return;
  }
  file->path = keep_text(walk, walk->path);
  file->directory = directory;
  file->inode = status->st_ino;
  file->size = (uint64_t)status->st_size;
  /* Code sets any time, which may be more than nanoseconds can count. */
  file->modified = (int64_t)((uint64_t)status->st_mtim.tv_sec * 1000000000u +
                             (uint64_t)status->st_mtim.tv_nsec);
  file->touched = 0;
  if (file->modified > picture->newest)
    picture->newest = file->modified;
  picture->found_count++;
}

/* Its number, or PICTURE_GONE and walk->number. */
static uint32_t add_directory(struct walk *walk, const char *path,
                              uint64_t inode, int watch, uint32_t parent)
{
  struct picture *picture = walk->picture;
  struct picture_directory *directory =
    &picture->directories[picture->directory_count];

  if (picture->directory_count == PICTURE_DIRECTORIES_MAX) {
    walk->number = E2BIG;
    return PICTURE_GONE;
  }
  directory->path = keep_text(walk, path);
  directory->inode = inode;
  directory->watch = watch;
  directory->parent = parent;
  directory->next = PICTURE_GONE;
  directory->changed = directory->confirmed = directory->is_cut = 0;
  return (uint32_t)picture->directory_count++;
}

/* By "." after fchdir: exactly the directory that is open, whatever its name
** leads to by now. Before its entries are read, so that none is missed.
*/
static int watch_directory(struct walk *walk, int fd)
{
  int watch;

  if (walk->inotify < 0 || fchdir(fd) < 0)
    return -1; /* closed to the code as well: nothing changes in it */
  watch = inotify_add_watch(walk->inotify, ".", WATCHED);
  if (watch < 0)
    walk->number = EUSERS;
  return watch;
}

/* A directory did not open. It may be gone, or closed to the code as well. */
static void note_failure(struct walk *walk)
{
  if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
    walk->number = errno;
}

static void list(struct walk *walk, int fd, size_t length, unsigned level,
                 uint32_t self, uint32_t old);

/* A directory that was not in the old picture, with all that is in it. */
static void walk_new(struct walk *walk, int fd, size_t length, unsigned level,
                     uint32_t parent)
{
  struct stat status;
  uint32_t self;

  if (fstat(fd, &status) < 0) {
    close(fd);
    return;
  }
  self = add_directory(walk, walk->path, status.st_ino,
                       watch_directory(walk, fd), parent);
  if (self == PICTURE_GONE)
    close(fd);
  else
    list(walk, fd, length, level, self, PICTURE_GONE);
}

/* walk->path is that of the directory. `old`: the number of the directory that
** it is found in, in the old picture.
*/
static void found_directory(struct walk *walk, int above, const char *name,
                            const struct stat *status, size_t length,
                            unsigned level, uint32_t parent, uint32_t old)
{
  struct picture_directory *known =
    old != PICTURE_GONE ? find_inode(walk->old, status->st_ino) : NULL;
  int fd;

  /* One that could not be watched may have been opened since. */
  if (known != NULL && known->watch >= 0 && known->parent == old &&
      strcmp(known->path, walk->path) == 0) {
    known->confirmed = 1;
    return;
  }
  if (level == PICTURE_LEVELS_MAX) {
    walk->picture->directories[parent].is_cut = 1;
    return;
  }
  fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0)
    walk_new(walk, fd, length, level + 1, parent);
  else
    note_failure(walk);
}

/* Takes fd. */
static void list(struct walk *walk, int fd, size_t length, unsigned level,
                 uint32_t self, uint32_t old)
{
  DIR *directory = tree_open(fd);
  struct dirent *entry;
  struct stat status;
  size_t end;

  if (directory == NULL) {
    note_failure(walk);
    return;
  }
  while (walk->number == 0 && (entry = readdir(directory)) != NULL) {
    if (tree_is_dots(entry->d_name))
      continue;
    end = length + strlen(entry->d_name);
    if (end + 2 > sizeof walk->path) {
      walk->picture->directories[self].is_cut = 1;
      continue;
    }
    memcpy(walk->path + length, entry->d_name, end - length + 1);
    if (walk->left-- == 0)
      walk->number = E2BIG;
    if (noise_is(walk->path, entry->d_name) ||
        fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) <
          0)
      continue;
    if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode))
      add_file(walk, &status, self);
    if (!S_ISDIR(status.st_mode))
      continue;
    walk->path[end] = '/';
    walk->path[end + 1] = '\0';
    found_directory(walk, dirfd(directory), entry->d_name, &status, end + 1,
                    level, self, old);
  }
  walk->path[length] = '\0';
  closedir(directory);
}

/* ---- of the old picture ---- */

static unsigned level_of(const char *path)
{
  unsigned level = 1;

  for (; *path != '\0'; path++)
    level += *path == '/';
  return level;
}

static void list_again(struct walk *walk, int home, uint32_t number)
{
  struct picture_directory *old = &walk->old->directories[number];
  struct call_open_how how = {O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
                              RESOLVE_BENEATH | RESOLVE_NO_LINKS};
  size_t length = strlen(old->path);
  struct stat status;
  int fd = call_openat2(home, length > 0 ? old->path : ".", &how);

  if (fd < 0) {
    note_failure(walk);
    if (errno == EACCES)
      old->changed = 0; /* what is in it is as it was */
    return;
  }
  memcpy(walk->path, old->path, length + 1);
  if (fstat(fd, &status) == 0 && status.st_ino == old->inode)
    list(walk, fd, length, level_of(old->path), old->next, number);
  else
    close(fd); /* replaced meanwhile, which has an event of its own */
}

/* Parents come first, so what became of them is known. */
static void keep_directories(struct walk *walk, int home)
{
  struct picture *old = walk->old;
  struct picture_directory *directory, *parent;
  uint32_t i;

  for (i = 0; i < old->directory_count && walk->number == 0; i++) {
    directory = &old->directories[i];
    parent = &old->directories[directory->parent];
    if (i > 0 && (parent->next == PICTURE_GONE ||
                  (parent->changed && !directory->confirmed)))
      continue;
    directory->next = add_directory(walk, directory->path, directory->inode,
                                    directory->watch, i > 0 ? parent->next : 0);
    if (directory->next != PICTURE_GONE && directory->changed)
      list_again(walk, home, i);
    else if (directory->next != PICTURE_GONE)
      walk->picture->directories[directory->next].is_cut = directory->is_cut;
  }
}

/* Those that lead nowhere any more; a directory that was renamed has its watch
** in the new picture too.
*/
static void drop_watches(struct walk *walk)
{
  struct picture *old = walk->old;
  size_t i;

  for (i = 0; i < old->directory_count; i++)
    if (old->directories[i].next == PICTURE_GONE &&
        old->directories[i].watch >= 0 &&
        picture_watched(walk->picture, old->directories[i].watch) == NULL)
      inotify_rm_watch(walk->inotify, old->directories[i].watch);
}

/* What was found, and of the old files those in directories where nothing has
** happened: both by path.
*/
static void merge(struct walk *walk)
{
  struct picture *picture = walk->picture, *old = walk->old;
  const struct picture_directory *in = NULL;
  struct picture_file *file;
  size_t i = 0, j = 0, count = old != NULL ? old->file_count : 0;

  while (walk->number == 0 && (i < count || j < picture->found_count)) {
    if (i < count) {
      in = &old->directories[old->files[i].directory];
      if (in->next == PICTURE_GONE || in->changed) {
        i++;
        continue;
      }
    }
    if (picture->file_count == PICTURE_FILES_MAX) {
      walk->number = E2BIG;
      break;
    }
    file = &picture->files[picture->file_count++];
    if (j < picture->found_count &&
        (i == count || picture_order(&picture->found[j], &old->files[i]) < 0)) {
      *file = picture->found[j++];
      continue;
    }
    *file = old->files[i++];
    file->path = keep_text(walk, file->path);
    file->directory = in->next;
    file->touched = 0;
  }
}

int picture_take(struct picture *next, struct picture *old, int inotify)
{
  static struct walk walk;
  int home = path_open(CELL_HOME, O_RDONLY | O_DIRECTORY, 0), again;

  memset(next, 0, sizeof *next);
  if (home < 0)
    return errno;
  walk.picture = next;
  walk.old = inotify >= 0 && old->files != NULL ? old : NULL;
  walk.inotify = inotify;
  walk.left = ENTRIES_MAX;
  walk.path[0] = '\0';
  walk.number = open_picture(next);
  if (walk.number == 0 && walk.old != NULL)
    keep_directories(&walk, home);
  else if (walk.number == 0 && (again = fcntl(home, F_DUPFD_CLOEXEC, 3)) >= 0)
    walk_new(&walk, again, 0, 1, 0);
  else if (walk.number == 0)
    walk.number = errno;
  close(home);
  if (chdir("/") < 0) /* a directory that we are in would not quite go */
    walk.number = errno;
  if (walk.number == 0) {
    qsort(next->found, next->found_count, sizeof *next->found, order_files);
    merge(&walk);
  }
  if (walk.number == 0) {
    madvise(next->found, FILES_SIZE, MADV_DONTNEED);
    make_indexes(next);
    if (walk.old != NULL)
      drop_watches(&walk);
  } else {
    picture_close(next);
  }
  return walk.number;
}
