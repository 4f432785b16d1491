/* place.c -- see place.h. */
#include "place.h"

#include "../calls.h"
#include "../files/path.h"
#include "../files/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEVELS_MAX 64
#define ENTRIES_MAX 262144 /* looked at in one walk */
#define WATCHED                                                                \
  (IN_ATTRIB | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MODIFY |            \
   IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

struct walk {
  struct watches *watches;
  unsigned watcher;
  int telling; /* what is found is news */
  int left;    /* entries */
  int number;  /* errno of what could not be watched */
  char name[PLACE_NAME_SIZE];
};

/* ---- the table ---- */

/* Where it is, or would be. */
static size_t position(const struct watches *watches, int watch,
                       unsigned watcher)
{
  size_t first = 0, past = watches->place_count, middle;
  const struct watch_place *place;

  while (first < past) {
    middle = first + (past - first) / 2;
    place = &watches->places[middle];
    if (place->watch < watch ||
        (place->watch == watch && place->watcher < watcher))
      first = middle + 1;
    else
      past = middle;
  }
  return first;
}

struct watch_place *place_find(struct watches *watches, int watch,
                               unsigned from)
{
  size_t at = position(watches, watch, from);

  return at < watches->place_count && watches->places[at].watch == watch
           ? &watches->places[at]
           : NULL;
}

static int make_room(struct watches *watches)
{
  size_t room = watches->place_room > 0 ? 2 * watches->place_room : 16;
  struct watch_place *places;

  if (watches->place_count < watches->place_room)
    return 0;
  if (watches->place_count >= WATCH_PLACES_MAX)
    return E2BIG;
  places = realloc(watches->places, room * sizeof *places);
  if (places == NULL)
    return ENOMEM;
  watches->places = places;
  watches->place_room = room;
  return 0;
}

static int insert(struct watches *watches, int watch, unsigned watcher,
                  const char *name)
{
  size_t at = position(watches, watch, watcher);
  struct watch_place *place;
  char *path;
  int number = make_room(watches);

  if (number != 0)
    return number;
  path = strdup(name);
  if (path == NULL)
    return ENOMEM;
  place = &watches->places[at];
  memmove(place + 1, place, (watches->place_count - at) * sizeof *place);
  place->watch = watch;
  place->watcher = watcher;
  place->path = path;
  watches->place_count++;
  return 0;
}

void place_forget(struct watches *watches, const struct watch_place *place)
{
  size_t at = (size_t)(place - watches->places);

  free(watches->places[at].path);
  watches->place_count--;
  memmove(&watches->places[at], &watches->places[at + 1],
          (watches->place_count - at) * sizeof *place);
}

static int is_below(const char *path, const char *name)
{
  size_t length = strlen(name);

  return length == 0 || (strncmp(path, name, length) == 0 &&
                         (path[length] == '/' || path[length] == '\0'));
}

void place_drop(struct watches *watches, unsigned watcher, const char *name)
{
  struct watch_place *places = watches->places;
  size_t count = watches->place_count, kept = 0, i;
  int watch;

  for (i = 0; i < count; i++) {
    watch = places[i].watch;
    if (places[i].watcher != watcher || !is_below(places[i].path, name)) {
      places[kept++] = places[i];
      continue;
    }
    free(places[i].path);
    /* Another watcher's place with the same watch would be a neighbour. */
    if ((kept == 0 || places[kept - 1].watch != watch) &&
        (i + 1 == count || places[i + 1].watch != watch))
      inotify_rm_watch(watches->inotify, watch);
  }
  watches->place_count = kept;
}

/* ---- names told before their events ---- */

static uint64_t hash(const char *name)
{
  uint64_t value = 14695981039346656037u;

  for (; *name != '\0'; name++)
    value = (value ^ (unsigned char)*name) * 1099511628211u;
  return value;
}

static void remember_made(struct watches *watches, int watch, unsigned watcher,
                          const char *name)
{
  struct watch_made *made =
    &watches->made[watches->made_count++ % WATCH_MADE_MAX];

  made->watch = watch;
  made->watcher = watcher;
  made->name = hash(name);
}

int place_was_made(struct watches *watches, const struct watch_place *place,
                   const char *name)
{
  unsigned i, count = watches->made_count;
  uint64_t wanted;

  if (count > WATCH_MADE_MAX)
    count = WATCH_MADE_MAX;
  if (count == 0)
    return 0;
  wanted = hash(name);
  for (i = 0; i < count; i++)
    if (watches->made[i].watch == place->watch &&
        watches->made[i].watcher == place->watcher &&
        watches->made[i].name == wanted) {
      watches->made[i].watch = 0; /* the kernel's begin at 1 */
      return 1;
    }
  return 0;
}

/* ---- directories ---- */

static int watch_errno(int number)
{
  return number == ENOSPC ? EUSERS : number;
}

/* By "." after fchdir: exactly the directory that is open. The watch, or -1 and
** walk->number. One that is closed to the code as well does not matter.
*/
static int watch_open(struct walk *walk, int fd, unsigned level)
{
  struct watch_place *place;
  int watch = fchdir(fd) < 0
                ? -1
                : inotify_add_watch(walk->watches->inotify, ".", WATCHED);
  int number = watch < 0 ? watch_errno(errno) : 0;

  place = watch >= 0 ? place_find(walk->watches, watch, walk->watcher) : NULL;
  if (watch >= 0 && (place == NULL || place->watcher != walk->watcher))
    number = insert(walk->watches, watch, walk->watcher, walk->name);
  if (number == 0)
    return watch;
  /* One without a place would count for the user, and for nothing. */
  if (watch >= 0 && place_find(walk->watches, watch, 0) == NULL)
    inotify_rm_watch(walk->watches->inotify, watch);
  if (level == 1 || number != EACCES)
    walk->number = number;
  return -1;
}

static void tell_entry(struct walk *walk, int watch, DIR *directory,
                       const struct dirent *entry)
{
  struct watcher *watcher = &walk->watches->list[walk->watcher];
  struct stat status;

  remember_made(walk->watches, watch, walk->watcher, entry->d_name);
  watch_tell(watcher, walk->name, CELL_EVENT_CREATE);
  if (entry->d_type == DT_REG &&
      fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) ==
        0 &&
      status.st_size > 0)
    watch_tell(watcher, walk->name, CELL_EVENT_WRITE);
}

/* The new length of walk->name; 0: it is too long. */
static size_t append(struct walk *walk, size_t length, const char *name)
{
  size_t size = strlen(name), at = length + (length > 0);

  if (at + size + 1 > sizeof walk->name) {
    walk->number = E2BIG;
    return 0;
  }
  if (length > 0)
    walk->name[length] = '/';
  memcpy(walk->name + at, name, size + 1);
  return at + size;
}

static void walk_directory(struct walk *walk, int fd, size_t length,
                           unsigned level)
{
  DIR *directory = tree_open(fd);
  int below, watch;
  struct dirent *entry;
  size_t end;

  if (directory == NULL)
    return;
  watch = watch_open(walk, dirfd(directory), level);
  while (watch >= 0 && walk->left > 0 && (walk->telling || walk->number == 0) &&
         walk->watches->list[walk->watcher].recursive &&
         (entry = readdir(directory)) != NULL) {
    if (tree_is_dots(entry->d_name))
      continue;
    walk->left--;
    end = append(walk, length, entry->d_name);
    if (end == 0)
      continue;
    if (walk->telling)
      tell_entry(walk, watch, directory, entry);
    if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
      continue;
    if (level == LEVELS_MAX) {
      walk->number = E2BIG;
      continue;
    }
    below = openat(dirfd(directory), entry->d_name,
                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below >= 0)
      walk_directory(walk, below, end, level + 1);
  }
  walk->name[length] = '\0';
  closedir(directory);
}

/* Takes fd. 0 or an errno. */
static int walk_from(struct walk *walk, int fd)
{
  walk->left = ENTRIES_MAX;
  walk->number = 0;
  walk_directory(walk, fd, strlen(walk->name), 1);
  if (walk->left == 0)
    walk->number = E2BIG;
  if (chdir("/") < 0) /* a directory that we are in would not quite go */
    return errno;
  return walk->number;
}

static int same_directory(const struct watcher *watcher, int fd)
{
  struct stat status;

  return fstat(fd, &status) == 0 && status.st_dev == watcher->device &&
         status.st_ino == watcher->inode;
}

int place_add_root(struct watches *watches, unsigned watcher)
{
  static struct walk walk;
  struct watcher *self = &watches->list[watcher];
  struct stat status;
  int fd = path_open(self->path, O_RDONLY | O_DIRECTORY, 0);

  if (fd < 0)
    return errno;
  if (fstat(fd, &status) < 0) {
    int number = errno;
    close(fd);
    return number;
  }
  self->device = status.st_dev;
  self->inode = status.st_ino;
  walk.watches = watches;
  walk.watcher = watcher;
  walk.telling = 0;
  walk.name[0] = '\0';
  return walk_from(&walk, fd);
}

void place_add_new(struct watches *watches, unsigned watcher, const char *name)
{
  static struct walk walk;
  struct watcher *self = &watches->list[watcher];
  struct call_open_how how = {O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
                              RESOLVE_BENEATH | RESOLVE_NO_LINKS};
  int root = path_open(self->path, O_PATH | O_DIRECTORY, 0), fd = -1;

  if (root < 0 || !same_directory(self, root))
    self->ended = 1; /* what it is in was moved: it cannot be followed */
  else
    fd = call_openat2(root, name, &how);
  if (root >= 0)
    close(root);
  if (fd < 0)
    return; /* gone again, or replaced, which has an event of its own */
  walk.watches = watches;
  walk.watcher = watcher;
  walk.telling = 1;
  memcpy(walk.name, name, strlen(name) + 1);
  if (walk_from(&walk, fd) != 0)
    self->lost = 1;
}
