/* changes.c -- see changes.h. */
#include "changes.h"

#include "../warden.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 * 1024)
#define READS_MAX 512        /* what the kernel keeps for us, and more */
#define TICK_MAX_NS 20000000 /* of the clock that stamps files */
#define REST 10 /* how many times as long as looking for too many files */

/* ---- events ---- */

/* A file may be written twice in one tick of the clock that stamps it. */
static void touch(struct picture *picture,
                  const struct picture_directory *directory, const char *name)
{
  static char path[CELL_PATH_MAX + 256];
  struct picture_file *file;

  snprintf(path, sizeof path, "%s%s", directory->path, name);
  file = picture_find(picture, path);
  if (file != NULL)
    file->touched = 1;
}

static void mark(struct picture *picture, const struct inotify_event *event)
{
  struct picture_directory *directory = picture_watched(picture, event->wd);
  size_t i;

  if (event->mask & IN_Q_OVERFLOW)
    for (i = 0; i < picture->directory_count; i++)
      picture->directories[i].changed = 1;
  if (directory == NULL)
    return;
  directory->changed = 1;
  if ((event->mask & IN_MODIFY) && event->len > 0)
    touch(picture, directory, event->name);
}

/* 1 if there was any event. What comes from now on is about the next picture.
 */
static int drain(struct changes *changes)
{
  static char bytes[16384] __attribute__((aligned(8)));
  const struct inotify_event *event;
  ssize_t length, at;
  int reads = 0;

  while (changes->inotify >= 0 && reads < READS_MAX &&
         (length = read(changes->inotify, bytes, sizeof bytes)) > 0) {
    reads++;
    for (at = 0; at < length; at += (ssize_t)(sizeof *event + event->len)) {
      event = (const struct inotify_event *)(const void *)(bytes + at);
      mark(&changes->picture, event);
    }
  }
  return reads > 0;
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

static void tell(struct answer *answer, const struct picture_file *file,
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

static int differs(const struct picture_file *old,
                   const struct picture_file *new)
{
  return old->touched || old->inode != new->inode || old->size != new->size ||
         old->modified != new->modified;
}

/* Both are in the order of their paths. */
static void compare(struct answer *answer, const struct picture *old,
                    const struct picture *new)
{
  size_t i = 0, j = 0;
  int order;

  while (i < old->file_count || j < new->file_count) {
    order = i == old->file_count ? 1
            : j == new->file_count
              ? -1
              : picture_order(&old->files[i], &new->files[j]);
    if (order < 0)
      tell(answer, &old->files[i++], CELL_CHANGE_REMOVE);
    else if (order > 0)
      tell(answer, &new->files[j++], CELL_CHANGE_CREATE);
    else if (differs(&old->files[i++], &new->files[j++]))
      tell(answer, &new->files[j - 1], CELL_CHANGE_WRITE);
  }
}

/* Without events, a file that a cell writes in the tick of the picture would
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

/* Without watches from now on. */
static void give_up(struct changes *changes)
{
  close(changes->inotify);
  changes->inotify = -1;
  changes->given_up = 1;
}

static int take(struct changes *changes, struct picture *picture)
{
  int64_t began = warden_now_ms();
  int number;

  if (changes->inotify < 0 && !changes->given_up)
    changes->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  number = picture_take(picture, &changes->picture, changes->inotify);
  if (number == EUSERS) {
    give_up(changes);
    number = picture_take(picture, &changes->picture, -1);
  }
  changes->again = 0;
  if (number == E2BIG)
    changes->again = warden_now_ms() + REST * (warden_now_ms() - began + 1);
  return number;
}

/* Returns an errno. */
static int renew(struct changes *changes, struct answer *answer, uint32_t flags)
{
  struct picture picture;
  int number;

  if (warden_now_ms() < changes->again) {
    answer->flags |= CELL_CHANGED_UNKNOWN;
    return 0;
  }
  if (!drain(changes) && changes->inotify >= 0 &&
      changes->picture.files != NULL) {
    if (changes->picture.is_cut)
      answer->flags |= CELL_CHANGED_UNKNOWN;
    return 0; /* nothing has happened */
  }
  number = take(changes, &picture);
  if (number == E2BIG || (number == 0 && changes->picture.files == NULL &&
                          !(flags & CELL_CHANGES_RESTART)))
    answer->flags |= CELL_CHANGED_UNKNOWN;
  else if (number == 0 && !(flags & CELL_CHANGES_RESTART))
    compare(answer, &changes->picture, &picture);
  if (picture.is_cut)
    answer->flags |= CELL_CHANGED_UNKNOWN;
  /* After an error there is none: the events that tell of it are gone. */
  picture_close(&changes->picture);
  changes->picture = picture;
  if (changes->inotify < 0 && (flags & CELL_CHANGES_RESTART))
    wait_for_tick(picture.newest);
  return number == E2BIG ? 0 : number;
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
  if (changes->inotify < 0 || changes->again != 0 || changes->picture.is_cut)
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
