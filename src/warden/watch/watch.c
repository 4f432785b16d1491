/* watch.c -- see watch.h. */
#include "watch.h"

#include "../files/path.h"
#include "../warden.h"
#include "place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define QUEUE_SIZE ((size_t)32 * 1024)
#define HEAD_SIZE 12 /* errno, flags, count: known when it is sent */
#define READS_A_TURN 16
#define TURN_MS 500 /* after which events are put off */
#define REST 1      /* times as long as they took */

static void answer(struct warden *warden, int number)
{
  wire_send_number(warden->channel, CELL_DONE, warden->message.frame.request,
                   number);
}

/* ---- queues ---- */

static void start_queue(struct watcher *watcher)
{
  static const unsigned char head[HEAD_SIZE];

  cell_pack_start(&watcher->queue, watcher->bytes, QUEUE_SIZE);
  memcpy(watcher->bytes, head, HEAD_SIZE);
  watcher->queue.used = HEAD_SIZE;
  watcher->count = 0;
}

/* A file that is written in many pieces is told once, as long as nothing else
** comes between.
*/
static int is_last(const struct watcher *watcher, const char *name,
                   enum cell_event event)
{
  struct cell_unpacker unpacker;
  const unsigned char *bytes;
  size_t length;

  if (watcher->count == 0)
    return 0;
  cell_unpack_start(&unpacker, watcher->bytes + watcher->last,
                    watcher->queue.used - watcher->last);
  bytes = cell_unpack_bytes(&unpacker, &length);
  return length == strlen(name) && memcmp(bytes, name, length) == 0 &&
         cell_unpack_u32(&unpacker) == (uint32_t)event;
}

void watch_tell(struct watcher *watcher, const char *name,
                enum cell_event event)
{
  size_t mark = watcher->queue.used;

  if (watcher->lost || is_last(watcher, name, event))
    return; /* what comes after a gap waits for the gap to be told */
  cell_pack_string(&watcher->queue, name);
  cell_pack_u32(&watcher->queue, event);
  if (watcher->queue.failed) {
    watcher->queue.used = mark;
    watcher->queue.failed = 0;
    watcher->lost = 1;
    return;
  }
  watcher->last = mark;
  watcher->count++;
}

/* Answer the question that waits, if there is anything to say. A gap is told
** when it is reached: after the events before it.
*/
static void answer_next(struct warden *warden, struct watcher *watcher)
{
  struct cell_packer head;
  int gap = watcher->lost && watcher->count == 0;
  int end = watcher->ended && !watcher->lost;

  if (watcher->waiting == 0 || (watcher->count == 0 && !gap && !end))
    return;
  cell_pack_start(&head, watcher->bytes, HEAD_SIZE);
  cell_pack_u32(&head, 0);
  cell_pack_u32(&head,
                (gap ? CELL_EVENTS_LOST : 0u) | (end ? CELL_EVENTS_ENDED : 0u));
  cell_pack_u32(&head, watcher->count);
  wire_send(warden->channel, CELL_EVENTS, watcher->waiting, &watcher->queue,
            -1);
  watcher->waiting = 0;
  if (gap)
    watcher->lost = 0;
  start_queue(watcher);
}

/* ---- watchers ---- */

static struct watcher *find(struct warden *warden, uint64_t request)
{
  size_t i;

  for (i = 0; request != 0 && i < CELL_WATCHERS_MAX; i++)
    if (warden->watches.list[i].request == request)
      return &warden->watches.list[i];
  return NULL;
}

static void release(struct watches *watches, struct watcher *watcher)
{
  size_t i;

  place_drop(watches, (unsigned)(watcher - watches->list), "");
  free(watcher->path);
  free(watcher->bytes);
  memset(watcher, 0, sizeof *watcher);
  for (i = 0; i < CELL_WATCHERS_MAX; i++)
    if (watches->list[i].request != 0)
      return;
  close(watches->inotify);
  free(watches->places);
  watches->inotify = -1;
  watches->places = NULL;
  watches->place_count = watches->place_room = 0;
  watches->made_count = 0;
  watches->length = watches->at = 0;
  watches->again = 0;
}

/* 0 or an errno; on failure `watcher` is free. */
static int start(struct watches *watches, struct watcher *watcher,
                 uint64_t request, const char *path, uint32_t recursive)
{
  int number;

  if (watches->inotify < 0) {
    watches->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watches->inotify < 0)
      return errno == EMFILE ? EUSERS : errno;
  }
  watcher->request = request;
  watcher->recursive = recursive != 0;
  watcher->path = strdup(path);
  watcher->bytes = malloc(QUEUE_SIZE);
  number = ENOMEM;
  if (watcher->path != NULL && watcher->bytes != NULL) {
    start_queue(watcher);
    number = place_add_root(watches, (unsigned)(watcher - watches->list));
  }
  if (number != 0)
    release(watches, watcher);
  return number;
}

void watch_start(struct warden *warden)
{
  struct cell_unpacker unpacker;
  struct watches *watches = &warden->watches;
  char path[PATH_SIZE];
  uint32_t recursive;
  int number;
  size_t i;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  number = path_read(&unpacker, path);
  recursive = cell_unpack_u32(&unpacker);
  if (number == 0 && !cell_unpack_done(&unpacker))
    number = EINVAL;
  for (i = 0; i < CELL_WATCHERS_MAX && watches->list[i].request != 0; i++)
    ;
  if (number == 0 && i == CELL_WATCHERS_MAX)
    number = EAGAIN;
  if (number == 0)
    number = start(watches, &watches->list[i], warden->message.frame.request,
                   path, recursive);
  answer(warden, number);
}

static struct watcher *read_watcher(struct warden *warden)
{
  struct cell_unpacker unpacker;
  uint64_t request;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  request = cell_unpack_u64(&unpacker);
  return cell_unpack_done(&unpacker) ? find(warden, request) : NULL;
}

void watch_next(struct warden *warden)
{
  struct watcher *watcher = read_watcher(warden);

  if (watcher == NULL || watcher->waiting != 0) {
    wire_send_number(warden->channel, CELL_EVENTS,
                     warden->message.frame.request,
                     watcher == NULL ? ESRCH : EBUSY);
    return;
  }
  watcher->waiting = warden->message.frame.request;
  answer_next(warden, watcher);
}

void watch_stop(struct warden *warden)
{
  struct watcher *watcher = read_watcher(warden);

  if (watcher != NULL) {
    if (watcher->waiting != 0)
      wire_send_number(warden->channel, CELL_EVENTS, watcher->waiting,
                       ECANCELED);
    release(&warden->watches, watcher);
  }
  answer(warden, watcher != NULL ? 0 : ESRCH);
}

/* ---- events ---- */

static void tell_all_lost(struct watches *watches)
{
  size_t i;

  for (i = 0; i < CELL_WATCHERS_MAX; i++)
    watches->list[i].lost = watches->list[i].request != 0;
}

/* Any number of them in one event of the kernel's, which merges none. */
static void tell(struct watcher *watcher, const char *name, uint32_t mask)
{
  if (mask & (IN_CREATE | IN_MOVED_TO))
    watch_tell(watcher, name, CELL_EVENT_CREATE);
  if (mask & IN_MODIFY)
    watch_tell(watcher, name, CELL_EVENT_WRITE);
  if (mask & IN_ATTRIB)
    watch_tell(watcher, name, CELL_EVENT_CHMOD);
  if (mask & IN_MOVED_FROM)
    watch_tell(watcher, name, CELL_EVENT_RENAME);
  if (mask & IN_DELETE)
    watch_tell(watcher, name, CELL_EVENT_REMOVE);
}

/* Told by a walk, and so not to be told again. Once it is gone, a second one of
** that name is news.
*/
static int was_told(struct watches *watches, const struct watch_place *place,
                    const struct inotify_event *event)
{
  return (event->mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM)) &&
         place_was_made(watches, place, event->name) &&
         (event->mask & IN_CREATE);
}

/* An event at a place of a watcher. */
static void happened(struct watches *watches, struct watch_place *place,
                     const struct inotify_event *event)
{
  static char name[PLACE_NAME_SIZE];
  unsigned number = place->watcher;
  struct watcher *watcher = &watches->list[number];
  int is_root = place->path[0] == '\0', length;

  if (event->mask & (IN_IGNORED | IN_MOVE_SELF)) {
    if (is_root)
      watcher->ended = 1;
    if (event->mask & IN_IGNORED)
      place_forget(watches, place);
    return;
  }
  if (event->len == 0)
    return; /* of a directory itself: that above it tells the same */
  length = snprintf(name, sizeof name, "%s%s%s", place->path,
                    is_root ? "" : "/", event->name);
  if ((size_t)length >= sizeof name) {
    watcher->lost = 1;
    return;
  }
  if (was_told(watches, place, event))
    return;
  tell(watcher, name, event->mask);
  if (!watcher->recursive || !(event->mask & IN_ISDIR))
    return;
  if (event->mask & IN_MOVED_FROM)
    place_drop(watches, number, name);
  if (event->mask & (IN_CREATE | IN_MOVED_TO))
    place_add_new(watches, number, name);
}

static void dispatch(struct watches *watches, const struct inotify_event *event)
{
  struct watch_place *place;
  unsigned from = 0;

  if (event->mask & IN_Q_OVERFLOW) {
    tell_all_lost(watches);
    return;
  }
  while ((place = place_find(watches, event->wd, from)) != NULL) {
    from = place->watcher + 1;
    if (!watches->list[place->watcher].ended)
      happened(watches, place, event);
  }
}

/* 0: there are none now. */
static int read_events(struct watches *watches)
{
  ssize_t length;

  if (watches->at < watches->length)
    return 1;
  length = read(watches->inotify, watches->events, sizeof watches->events);
  watches->at = 0;
  watches->length = length > 0 ? (size_t)length : 0;
  return length > 0;
}

/* Until it is over, or what was read is. */
static void take_events(struct watches *watches, int64_t over)
{
  const struct inotify_event *event;

  while (watches->at < watches->length && warden_now_ms() < over) {
    event = (const struct inotify_event *)(const void *)(watches->events +
                                                         watches->at);
    watches->at += sizeof *event + event->len;
    dispatch(watches, event);
  }
}

void watch_take(struct warden *warden)
{
  struct watches *watches = &warden->watches;
  int64_t began = warden_now_ms(), over = began + TURN_MS, now = began;
  int reads;
  size_t i;

  for (reads = 0; reads < READS_A_TURN && now < over; reads++) {
    if (!read_events(watches))
      break;
    take_events(watches, over);
    now = warden_now_ms();
  }
  watches->again = now >= over ? now + REST * (now - began) : 0;
  for (i = 0; i < CELL_WATCHERS_MAX; i++)
    answer_next(warden, &watches->list[i]);
}

int watch_put_off(const struct warden *warden)
{
  const struct watches *watches = &warden->watches;
  int64_t left;

  if (watches->again == 0)
    return -1;
  left = watches->again - warden_now_ms();
  return left > 0 ? (int)left : 0;
}
