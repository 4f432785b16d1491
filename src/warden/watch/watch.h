/* watch.h -- what happens in directories that the host watches, as it happens.
**
** One inotify instance for all watchers. Each has a queue with a bound; what
** does not fit is counted as lost, which its next answer says. Nothing is sent
** that was not asked for, so that code which makes events without end cannot
** keep the warden at its channel.
*/
#ifndef CELL_WATCH_H
#define CELL_WATCH_H

#include "../../wire/pack.h"
#include "../../wire/protocol.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCH_PLACES_MAX 8192u /* directories, of all watchers */
#define WATCH_MADE_MAX 256u
#define WATCH_EVENTS_SIZE 16384

struct watcher {
  uint64_t request; /* of its WATCH; 0: free */
  uint64_t waiting; /* of the WATCH_NEXT that waits; 0: none */
  char *path;       /* owned */
  dev_t device;     /* of the directory, which may be moved away */
  ino_t inode;
  int recursive, lost, ended;
  unsigned char *bytes; /* owned; the events that wait */
  struct cell_packer queue;
  uint32_t count;
  size_t last; /* where the last event begins */
};

/* A directory that is watched for one watcher. */
struct watch_place {
  int watch;
  unsigned watcher;
  char *path; /* owned; below that of the watcher */
};

/* A name that was told before its event came. */
struct watch_made {
  int watch;
  unsigned watcher;
  uint64_t name; /* hash */
};

struct watches {
  int inotify; /* -1 without any watcher */
  struct watcher list[CELL_WATCHERS_MAX];
  struct watch_place *places; /* owned; by watch, then watcher */
  size_t place_count, place_room;
  struct watch_made made[WATCH_MADE_MAX]; /* a ring */
  unsigned made_count;
  /* Events that were read, of which those from `at` on wait. */
  unsigned char events[WATCH_EVENTS_SIZE] __attribute__((aligned(8)));
  size_t length, at;
  int64_t again; /* ms: events are put off until then */
};

struct warden;

/* Put an event into the queue of a watcher, whoever found it out. */
void watch_tell(struct watcher *watcher, const char *name,
                enum cell_event event);
/* Answer WATCH, WATCH_NEXT and UNWATCH. */
void watch_start(struct warden *warden);
void watch_next(struct warden *warden);
void watch_stop(struct warden *warden);
/* Take events, for a moment: what code renames again and again can take long to
** look at, and then everything else has its turn first.
*/
void watch_take(struct warden *warden);
/* Milliseconds until events that were put off are to be taken; -1: there are
** none, and the instance tells when some come.
*/
int watch_put_off(const struct warden *warden);

#endif
