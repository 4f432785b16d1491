/* tree.c -- see tree.h. */
#include "tree.h"

#include "../../wire/protocol.h"
#include "../wire.h"
#include "entry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH ((size_t)64 * 1024)
#define BRIEF_MAX 256 /* entries that the warden lists itself */
#define LEVELS_MAX 64 /* directories open at a time while removing */
#define PASSES_MAX 1000

struct listing {
  int channel;
  uint64_t request;
  uint32_t most, sent, waiting;
  size_t total; /* bytes sent */
  int brief;
  struct cell_packer packer;
  char path[CELL_PATH_MAX];
  unsigned char bytes[BATCH];
};

DIR *tree_open(int fd)
{
  DIR *directory = fdopendir(fd);
  int number = errno;

  if (directory == NULL)
    close(fd);
  errno = number;
  return directory;
}

int tree_is_dots(const char *name)
{
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Room for the count, which is known when the batch is sent. */
static void start_batch(struct listing *listing)
{
  listing->waiting = 0;
  cell_pack_start(&listing->packer, listing->bytes, sizeof listing->bytes);
  cell_pack_u32(&listing->packer, 0);
}

static int send_batch(struct listing *listing)
{
  struct cell_packer count;

  if (listing->waiting == 0)
    return 0;
  cell_pack_start(&count, listing->bytes, sizeof listing->bytes);
  cell_pack_u32(&count, listing->waiting);
  if (wire_send(listing->channel, CELL_ENTRIES, listing->request,
                &listing->packer, -1) < 0)
    return errno;
  listing->total += listing->packer.used;
  start_batch(listing);
  return 0;
}

static int add(struct listing *listing, int directory, const char *name)
{
  size_t mark = listing->packer.used;
  int number;

  if (listing->sent == listing->most ||
      listing->total + 2 * BATCH > CELL_ANSWER_MAX)
    return E2BIG;
  if (listing->brief && listing->sent == BRIEF_MAX)
    return EAGAIN;
  number = entry_pack(&listing->packer, listing->path, directory, name);
  if (number == ENOENT)
    return 0; /* removed meanwhile */
  if (number != 0)
    return number;
  if (listing->packer.failed) {
    if (listing->brief)
      return EAGAIN;
    listing->packer.used = mark;
    listing->packer.failed = 0;
    number = send_batch(listing);
    if (number == 0)
      number = entry_pack(&listing->packer, listing->path, directory, name);
    if (number != 0)
      return number == ENOENT ? 0 : number;
  }
  listing->waiting++;
  listing->sent++;
  return 0;
}

static int walk(struct listing *listing, int fd, size_t length, uint32_t depth)
{
  DIR *directory = tree_open(fd);
  struct dirent *entry;
  int number = 0, below;
  size_t end;

  if (directory == NULL)
    return errno;
  while (number == 0 && (entry = readdir(directory)) != NULL) {
    if (tree_is_dots(entry->d_name))
      continue;
    end = length + strlen(entry->d_name);
    if (end + 2 > sizeof listing->path) {
      number = ENAMETOOLONG;
      break;
    }
    memcpy(listing->path + length, entry->d_name, end - length + 1);
    number = add(listing, dirfd(directory), entry->d_name);
    if (number != 0 || depth <= 1 ||
        (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
      continue;
    below = openat(dirfd(directory), entry->d_name,
                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0) {
      /* Not a directory, closed to us or gone: its entry says enough. */
      if (errno == EMFILE || errno == ENFILE)
        number = errno;
      continue;
    }
    listing->path[end] = '/';
    number = walk(listing, below, end + 1, depth - 1);
  }
  closedir(directory);
  return number;
}

int tree_list(int channel, uint64_t request, int fd, uint32_t depth,
              uint32_t most, int brief)
{
  static struct listing listing;
  int number, sent;

  listing.channel = channel;
  listing.request = request;
  listing.most = most;
  listing.sent = 0;
  listing.total = 0;
  listing.brief = brief;
  start_batch(&listing);
  number = walk(&listing, fd, 0, depth);
  if (brief && number == EAGAIN)
    return EAGAIN;
  sent = send_batch(&listing);
  return number != 0 ? number : sent;
}

/* ---- removing ---- */

static int empty(int fd, int top, int level);

/* A directory that lies too deep moves up and is met again in a later pass, so
** that no depth needs more descriptors than we have.
*/
static int lift(int directory, const char *name, int top)
{
  static unsigned count;
  char lifted[48];

  snprintf(lifted, sizeof lifted, ".codecell-removed-%u", count++);
  return renameat(directory, name, top, lifted) < 0 ? errno : 0;
}

static int remove_one(int directory, const char *name, int top, int level)
{
  int below, number;

  if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
    return 0;
  if (errno != EISDIR && errno != EPERM)
    return errno;
  if (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
    return 0;
  if (errno != ENOTEMPTY)
    return errno;
  if (level >= LEVELS_MAX)
    return lift(directory, name, top);
  below =
    openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (below < 0)
    return errno == ENOENT ? 0 : errno;
  number = empty(below, top, level + 1);
  if (number == 0 && unlinkat(directory, name, AT_REMOVEDIR) < 0 &&
      errno != ENOENT)
    number = errno;
  return number;
}

/* Passes, because names may be skipped while others go, and new ones come. */
static int empty(int fd, int top, int level)
{
  DIR *directory = tree_open(fd);
  struct dirent *entry;
  int number = 0, passes = 0, found;

  if (directory == NULL)
    return errno;
  do {
    found = 0;
    rewinddir(directory);
    while (number == 0 && (entry = readdir(directory)) != NULL) {
      if (tree_is_dots(entry->d_name))
        continue;
      found = 1;
      number = remove_one(dirfd(directory), entry->d_name,
                          top >= 0 ? top : dirfd(directory), level);
    }
  } while (number == 0 && found && ++passes < PASSES_MAX);
  closedir(directory);
  return number;
}

int tree_empty(int fd)
{
  return empty(fd, -1, 0);
}
