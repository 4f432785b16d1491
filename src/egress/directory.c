/* directory.c -- see directory.h. */
#include "directory.h"

#include "../container.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define BUCKETS 256u
#define ROOM_LEAST 16u /* names: most sandboxes ask for few */
#define FIRST 2u       /* 198.18.0.1 is the sandbox's own */
#define SERVERS_SIZE 256
#define HELD_LEAST_S 1
#define HELD_MOST_S 60

struct cell_resident {
  struct cell_resident *next; /* of the bucket */
  uint32_t index;
  int is_asked;
  int64_t until; /* of the clock; 0: never asked */
  struct cell_resolver_answer answer;
  struct cell_lookup *lookups;
  char name[CELL_NAME_SIZE];
};

/* A descriptor of the library's. */
struct watched {
  struct watched *next;
  struct cell_directory *directory;
  struct cell_source source;
};

/* One of a sandbox's addresses, in their order. */
struct place {
  struct cell_resident *resident; /* owned */
};

struct cell_directory {
  struct cell_reactor *reactor; /* borrowed */
  const struct cell_resolver_library *library;
  struct cell_resolver_owner owner;
  void *resolver; /* NULL: not opened yet */
  int is_closing;
  struct watched *watched;
  struct cell_timer timer;
  struct place *places; /* owned */
  uint32_t count, room;
  struct cell_resident *buckets[BUCKETS];
  char servers[SERVERS_SIZE];
};

/* ---- names and their addresses ---- */

static uint32_t bucket_of(const char *name)
{
  uint32_t hash = 2166136261u;

  for (; *name != '\0'; name++)
    hash = (hash ^ (unsigned char)*name) * 16777619u;
  return hash % BUCKETS;
}

static int make_room(struct cell_directory *directory)
{
  uint32_t room = directory->room > 0 ? 2 * directory->room : ROOM_LEAST;
  struct place *grown;

  if (directory->count < directory->room)
    return 0;
  if (directory->count >= CELL_DIRECTORY_MAX)
    return -1;
  grown = realloc(directory->places, room * sizeof *grown);
  if (grown == NULL)
    return -1;
  directory->places = grown;
  directory->room = room;
  return 0;
}

struct cell_resident *cell_directory_enter(struct cell_directory *directory,
                                           const char *name)
{
  uint32_t bucket = bucket_of(name);
  struct cell_resident *resident = directory->buckets[bucket];

  for (; resident != NULL; resident = resident->next)
    if (strcmp(resident->name, name) == 0)
      return resident;
  resident = make_room(directory) == 0 ? calloc(1, sizeof *resident) : NULL;
  if (resident == NULL)
    return NULL;
  memcpy(resident->name, name, strlen(name) + 1);
  resident->index = directory->count;
  resident->next = directory->buckets[bucket];
  directory->buckets[bucket] = resident;
  directory->places[directory->count++].resident = resident;
  return resident;
}

int cell_directory_gives(const struct cell_address *address)
{
  return cell_address_is_four(address) && address->bytes[12] == 198 &&
         (address->bytes[13] & 0xfe) == 18;
}

struct cell_resident *cell_directory_at(const struct cell_directory *directory,
                                        const struct cell_address *address)
{
  uint32_t host = (uint32_t)(address->bytes[13] & 1) << 16 |
                  (uint32_t)address->bytes[14] << 8 | address->bytes[15];

  return cell_directory_gives(address) && host >= FIRST &&
             host - FIRST < directory->count
           ? directory->places[host - FIRST].resident
           : NULL;
}

void cell_resident_address(const struct cell_resident *resident,
                           struct cell_address *address)
{
  uint32_t host = resident->index + FIRST;

  memset(address->bytes, 0, 10);
  memset(address->bytes + 10, 0xff, 2);
  address->bytes[12] = 198;
  address->bytes[13] = (unsigned char)(18 | (host >> 16 & 1));
  address->bytes[14] = (unsigned char)(host >> 8);
  address->bytes[15] = (unsigned char)host;
}

const char *cell_resident_name(const struct cell_resident *resident)
{
  return resident->name;
}

/* ---- what the library wants ---- */

static void arm(struct cell_directory *directory)
{
  long left = directory->library->timeout_ms(directory->resolver);

  if (left < 0)
    cell_timer_disarm(directory->reactor, &directory->timer);
  else
    cell_timer_arm(
      directory->reactor, &directory->timer,
      cell_clock_after(cell_reactor_clock(directory->reactor), left), NULL);
}

static void time_passed(struct cell_timer *timer)
{
  struct cell_directory *directory =
    CELL_CONTAINER(timer, struct cell_directory, timer);

  directory->library->process(directory->resolver, -1, -1);
  arm(directory);
}

static void ready(struct cell_source *source, uint32_t events)
{
  struct watched *watched = CELL_CONTAINER(source, struct watched, source);
  struct cell_directory *directory = watched->directory;
  int fd = source->fd;
  uint32_t wanted = source->events;
  int broken = (events & (EPOLLERR | EPOLLHUP)) != 0;

  directory->library->process(
    directory->resolver,
    (wanted & EPOLLIN) && (broken || (events & EPOLLIN)) ? fd : -1,
    (wanted & EPOLLOUT) && (broken || (events & EPOLLOUT)) ? fd : -1);
  arm(directory);
}

static void unwatch(struct cell_directory *directory, struct watched **at)
{
  struct watched *watched = *at;

  *at = watched->next;
  cell_source_remove(directory->reactor, &watched->source);
  free(watched);
}

static void watch(struct cell_resolver_owner *owner, int fd, int readable,
                  int writable)
{
  struct cell_directory *directory =
    CELL_CONTAINER(owner, struct cell_directory, owner);
  uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  struct watched **at = &directory->watched, *watched;

  while (*at != NULL && (*at)->source.fd != fd)
    at = &(*at)->next;
  if (*at != NULL && events == 0) {
    unwatch(directory, at);
  } else if (*at != NULL) {
    cell_source_want(directory->reactor, &(*at)->source, events);
  } else if (events != 0 && !directory->is_closing) {
    watched = calloc(1, sizeof *watched);
    if (watched == NULL)
      return; /* the question times out */
    watched->directory = directory;
    watched->source = (struct cell_source){fd, events, ready, 0};
    watched->next = directory->watched;
    directory->watched = watched;
    if (cell_source_add(directory->reactor, &watched->source, NULL) < 0)
      unwatch(directory, &directory->watched);
  }
}

static void answered(struct cell_resolver_owner *owner, void *question,
                     const struct cell_resolver_answer *answer)
{
  struct cell_directory *directory =
    CELL_CONTAINER(owner, struct cell_directory, owner);
  struct cell_resident *resident = question;
  unsigned seconds = answer->seconds;

  if (directory->is_closing)
    return;
  if (seconds < HELD_LEAST_S)
    seconds = HELD_LEAST_S;
  if (seconds > HELD_MOST_S)
    seconds = HELD_MOST_S;
  resident->is_asked = 0;
  resident->answer = *answer;
  resident->until = cell_clock_after(cell_reactor_clock(directory->reactor),
                                     1000 * (int64_t)seconds);
  while (resident->lookups != NULL) {
    struct cell_lookup *lookup = resident->lookups;

    cell_lookup_cancel(lookup);
    lookup->found(lookup, &resident->answer);
  }
}

/* ---- asking ---- */

const struct cell_resolver_answer *
cell_directory_resolve(struct cell_directory *directory,
                       struct cell_resident *resident,
                       struct cell_lookup *lookup)
{
  static const struct cell_resolver_answer none = {
    CELL_NOT_RESOLVED, {{{0}}}, 0, 0};
  const struct cell_clock *clock = cell_reactor_clock(directory->reactor);

  if (resident->until > cell_clock_now(clock))
    return &resident->answer;
  if (directory->resolver == NULL)
    directory->resolver =
      directory->library->open(&directory->owner, directory->servers);
  if (directory->resolver == NULL)
    return &none;
  if (!resident->is_asked) {
    resident->is_asked = 1;
    directory->library->ask(directory->resolver, resident->name, resident);
    arm(directory);
    if (!resident->is_asked)
      return &resident->answer;
  }
  lookup->resident = resident;
  lookup->next = resident->lookups;
  resident->lookups = lookup;
  return NULL;
}

void cell_lookup_cancel(struct cell_lookup *lookup)
{
  struct cell_lookup **at;

  if (lookup->resident == NULL)
    return;
  at = &lookup->resident->lookups;
  while (*at != lookup)
    at = &(*at)->next;
  *at = lookup->next;
  lookup->resident = NULL;
}

/* ---- beginning and end ---- */

struct cell_directory *
cell_directory_new(struct cell_reactor *reactor,
                   const struct cell_resolver_library *library,
                   const char *servers, struct cell_error *error)
{
  struct cell_directory *directory;

  if (strlen(servers) >= SERVERS_SIZE) {
    cell_fail(error, CELL_INVALID_ARGUMENT, 0, "too many name servers");
    return NULL;
  }
  directory = calloc(1, sizeof *directory);
  if (directory == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a network");
    return NULL;
  }
  directory->reactor = reactor;
  directory->library = library;
  directory->owner.watch = watch;
  directory->owner.answered = answered;
  directory->timer.due = time_passed;
  memcpy(directory->servers, servers, strlen(servers) + 1);
  return directory;
}

void cell_directory_free(struct cell_directory *directory)
{
  uint32_t i;

  if (directory == NULL)
    return;
  directory->is_closing = 1;
  cell_timer_disarm(directory->reactor, &directory->timer);
  if (directory->resolver != NULL)
    directory->library->close(directory->resolver);
  while (directory->watched != NULL)
    unwatch(directory, &directory->watched);
  for (i = 0; i < directory->count; i++)
    free(directory->places[i].resident);
  free(directory->places);
  free(directory);
}
