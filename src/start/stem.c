/* stem.c -- see stem.h.
**
** A stem's process may be replaced while sandboxes of it live: by another set
** of binds, by another folder at the path of its programs, or because it was
** killed. So there can be several processes, of which `current` makes the next
** sandbox; the others only tell how theirs end.
*/
#include "stem.h"

#include "../container.h"
#include "../wire/channel.h"
#include "../wire/pack.h"
#include "birth.h"
#include "launch.h"
#include "remedy.h"
#include "seed.h"
#include "setup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

struct cell_stem {
  struct cell_reactor *reactor; /* kept */
  struct cell_stem_process *current;
  struct cell_stem_process *processes; /* all of them */
  uint64_t last_number;
  int hold;
  struct cell_setup setup; /* owned */
  struct cell_seed *seed;  /* owned; NULL: no zygote */
};

struct cell_stem_process {
  struct cell_stem *stem;
  struct cell_stem_process *next;
  struct cell_channel channel;
  struct cell_source ending; /* its pidfd */
  int pidfd;
  struct cell_birth *births;
  struct cell_error error; /* of its preparation */
};

static void kill_by(int pidfd)
{
  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* ---- births ---- */

static void link_birth(struct cell_stem_process *process,
                       struct cell_birth *birth)
{
  birth->process = process;
  birth->previous = NULL;
  birth->next = process->births;
  if (birth->next != NULL)
    birth->next->previous = birth;
  process->births = birth;
}

void cell_birth_end(struct cell_birth *birth)
{
  if (birth->process == NULL)
    return;
  if (birth->next != NULL)
    birth->next->previous = birth->previous;
  if (birth->previous != NULL)
    birth->previous->next = birth->next;
  else
    birth->process->births = birth->next;
  birth->process = NULL;
  birth->next = birth->previous = NULL;
}

static struct cell_birth *find_birth(struct cell_stem_process *process,
                                     uint64_t number)
{
  struct cell_birth *birth = process->births;

  while (birth != NULL && birth->number != number)
    birth = birth->next;
  return birth;
}

/* ---- a process ---- */

static void process_free(struct cell_stem_process *process)
{
  struct cell_stem *stem = process->stem;
  struct cell_stem_process **place = &stem->processes;

  while (*place != process)
    place = &(*place)->next;
  *place = process->next;
  if (stem->current == process)
    stem->current = NULL;
  while (process->births != NULL)
    cell_birth_end(process->births);
  cell_channel_close(&process->channel);
  cell_source_remove(stem->reactor, &process->ending);
  cell_fd_close(&process->pidfd);
  free(process);
}

/* It is gone, or of no use any more: its births learn it, and may start anew
** with another one.
*/
static void lose(struct cell_stem_process *process)
{
  if (process->stem->current == process) {
    process->stem->current = NULL;
    cell_seed_set(process->stem->seed, CELL_ZYGOTE_FAILED,
                  "its stem has ended");
  }
  cell_channel_close(&process->channel);
  kill_by(process->pidfd);
  cell_source_want(process->stem->reactor, &process->ending, EPOLLIN);
  while (process->births != NULL) {
    struct cell_birth *birth = process->births;

    cell_birth_end(birth);
    if (!birth->answered && process->error.kind != CELL_OK)
      birth->failed(birth, &process->error);
    else
      birth->lost(birth, process->stem);
  }
}

static void channel_ended(struct cell_channel *channel,
                          enum cell_channel_end why)
{
  (void)why;
  lose(CELL_CONTAINER(channel, struct cell_stem_process, channel));
}

static void process_ended(struct cell_source *source, uint32_t events)
{
  struct cell_stem_process *process =
    CELL_CONTAINER(source, struct cell_stem_process, ending);

  (void)events;
  /* What it said last is read before this: the channel's end comes first. */
  if (process->channel.fd >= 0) {
    cell_source_want(process->stem->reactor, source, 0);
    return;
  }
  cell_launch_reap(process->pidfd);
  process_free(process);
}

static void heard_ready(struct cell_stem_process *process,
                        struct cell_unpacker *unpacker)
{
  char stage[sizeof process->error.stage];
  char detail[128];
  uint32_t number = cell_unpack_u32(unpacker);

  cell_unpack_string(unpacker, stage, sizeof stage);
  cell_unpack_string(unpacker, detail, sizeof detail);
  if (!cell_unpack_done(unpacker))
    cell_fail(&process->error, CELL_PROTOCOL, 0, "the stem's answer is broken");
  else if (number != 0)
    cell_remedy(&process->error, stage, (int)number, detail);
}

static void heard_created(struct cell_stem_process *process,
                          struct cell_delivery *delivery,
                          struct cell_unpacker *unpacker)
{
  struct cell_birth *birth = find_birth(process, delivery->frame.request);
  uint32_t number = cell_unpack_u32(unpacker);
  char stage[sizeof process->error.stage], detail[128];
  struct cell_error error;

  cell_unpack_string(unpacker, stage, sizeof stage);
  cell_unpack_string(unpacker, detail, sizeof detail);
  if (birth == NULL) { /* closed meanwhile */
    if (delivery->fd_count > 0)
      kill_by(delivery->fds[0]);
    return;
  }
  birth->answered = 1;
  if (number == 0 && delivery->fd_count == 1) {
    birth->created(birth, &delivery->fds[0]);
    return;
  }
  cell_birth_end(birth);
  if (!cell_unpack_done(unpacker))
    cell_fail(&error, CELL_PROTOCOL, 0, "the stem's answer is broken");
  else if (number == 0) /* the pidfd was cut off: none is free here */
    cell_fail(&error, CELL_SYSTEM, EMFILE, "start a sandbox");
  else
    cell_remedy(&error, stage, (int)number, detail);
  birth->failed(birth, &error);
}

static void heard_ended(struct cell_stem_process *process,
                        const struct cell_delivery *delivery,
                        struct cell_unpacker *unpacker)
{
  struct cell_birth *birth = find_birth(process, delivery->frame.request);
  uint32_t status = cell_unpack_u32(unpacker);
  uint32_t oom_kills = cell_unpack_u32(unpacker);

  if (birth == NULL)
    return;
  cell_birth_end(birth);
  birth->ended(birth, status, oom_kills);
}

static void heard(struct cell_channel *channel, struct cell_delivery *delivery)
{
  struct cell_stem_process *process =
    CELL_CONTAINER(channel, struct cell_stem_process, channel);
  struct cell_unpacker unpacker;

  cell_unpack_start(&unpacker, delivery->frame.payload, delivery->frame.length);
  switch (delivery->frame.type) {
  case CELL_STEM_READY:
    heard_ready(process, &unpacker);
    break;
  case CELL_STEM_CREATED:
    heard_created(process, delivery, &unpacker);
    break;
  case CELL_STEM_ENDED:
    heard_ended(process, delivery, &unpacker);
    break;
  case CELL_STEM_ZYGOTE:
    if (process->stem->current == process)
      cell_seed_heard(process->stem->seed, &unpacker);
    break;
  default: /* not of our build: impossible, so nothing of it is trusted */
    kill_by(process->pidfd);
    break;
  }
}

static int send_keep(struct cell_stem_process *process, int hold,
                     struct cell_error *error)
{
  unsigned char bytes[4];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)hold);
  return cell_channel_send(&process->channel, CELL_STEM_KEEP, 0, bytes,
                           packer.used, NULL, 0, error);
}

/* Own a launched program: watch its channel and its end. */
static struct cell_stem_process *process_new(struct cell_stem *stem,
                                             struct cell_launched *launched,
                                             struct cell_error *error)
{
  struct cell_stem_process *process = calloc(1, sizeof *process);

  if (process == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "start the stem");
    cell_fd_close(&launched->channel);
    kill_by(launched->pidfd);
    cell_fd_close(&launched->pidfd);
    return NULL;
  }
  process->stem = stem;
  process->next = stem->processes;
  stem->processes = process;
  process->pidfd = cell_fd_take(&launched->pidfd);
  process->ending =
    (struct cell_source){process->pidfd, EPOLLIN, process_ended, 0};
  process->channel.heard = heard;
  process->channel.ended = channel_ended;
  if (cell_channel_open(&process->channel, stem->reactor,
                        cell_fd_take(&launched->channel), error) < 0 ||
      cell_source_add(stem->reactor, &process->ending, error) < 0 ||
      cell_channel_send(&process->channel, CELL_STEM_SETUP, 0,
                        stem->setup.bytes, stem->setup.length, NULL, 0,
                        error) < 0 ||
      (stem->seed != NULL &&
       cell_seed_send(stem->seed, &process->channel, error) < 0) ||
      (stem->hold && send_keep(process, 1, error) < 0)) {
    kill_by(process->pidfd);
    process_free(process);
    return NULL;
  }
  return process;
}

/* ---- the stem ---- */

struct cell_stem *cell_stem_new(struct cell_reactor *reactor, const char *root,
                                struct cell_error *error)
{
  struct cell_stem *stem = calloc(1, sizeof *stem);

  if (stem == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "create a stem");
    return NULL;
  }
  if (cell_setup_open(&stem->setup, root, error) < 0) {
    free(stem);
    return NULL;
  }
  stem->reactor = cell_reactor_keep(reactor);
  return stem;
}

void cell_stem_free(struct cell_stem *stem)
{
  if (stem == NULL)
    return;
  /* Its processes see their channels end, and end by themselves. */
  while (stem->processes != NULL)
    process_free(stem->processes);
  cell_seed_free(stem->seed);
  cell_reactor_release(stem->reactor);
  cell_setup_close(&stem->setup);
  free(stem);
}

struct cell_reactor *cell_stem_reactor(struct cell_stem *stem)
{
  return stem->reactor;
}

const char *cell_stem_root(const struct cell_stem *stem)
{
  return stem->setup.root;
}

int cell_stem_is_idle(const struct cell_stem *stem)
{
  return stem->processes == NULL;
}

/* What a change of the setup has answered: the next sandbox is to have another
** process; this one stays for those that it made.
*/
static int changed(struct cell_stem *stem, int answer)
{
  if (answer < 0)
    return -1;
  if (answer == 0 || stem->current == NULL)
    return 0;
  if (stem->hold)
    send_keep(stem->current, 0, NULL);
  stem->current = NULL;
  return 0;
}

int cell_stem_set_binds(struct cell_stem *stem, const char *const *paths,
                        size_t count, struct cell_error *error)
{
  return changed(stem, cell_setup_bind(&stem->setup, paths, count, error));
}

int cell_stem_bind_as(struct cell_stem *stem, const struct cell_stem *other,
                      struct cell_error *error)
{
  return changed(stem, cell_setup_bind_as(&stem->setup, &other->setup, error));
}

void cell_stem_want_mounts(struct cell_stem *stem)
{
  changed(stem, cell_setup_flag(&stem->setup, CELL_SETUP_MOUNTS));
}

void cell_stem_want_gpu(struct cell_stem *stem)
{
  changed(stem, cell_setup_flag(&stem->setup, CELL_SETUP_GPU));
}

int cell_stem_has_gpu(const struct cell_stem *stem)
{
  return (stem->setup.flags & CELL_SETUP_GPU) != 0;
}

void cell_stem_plant(struct cell_stem *stem, struct cell_seed *seed)
{
  stem->seed = seed;
  changed(stem, cell_setup_flag(&stem->setup, CELL_SETUP_SEEDED));
}

int cell_stem_start(struct cell_stem *stem, struct cell_error *error)
{
  static const int no_extra[2] = {-1, -1};
  struct cell_launched launched;

  if (changed(stem, cell_setup_look(&stem->setup, error)) < 0)
    return -1;
  if (stem->current != NULL)
    return 0;
  if (!cell_reactor_owned(stem->reactor))
    return cell_fail(error, CELL_CANCELLED, 0,
                     "a forked copy of the host cannot start sandboxes here");
  if (cell_launch(&launched, "codecell-stem", no_extra, error) < 0)
    return -1;
  stem->current = process_new(stem, &launched, error);
  if (stem->current != NULL)
    cell_seed_set(stem->seed, CELL_ZYGOTE_STARTING, "");
  return stem->current != NULL ? 0 : -1;
}

int cell_stem_hold(struct cell_stem *stem, int hold, struct cell_error *error)
{
  int changed = stem->hold != !!hold;

  stem->hold = !!hold;
  if (!changed || stem->current == NULL)
    return 0;
  return send_keep(stem->current, stem->hold, error);
}

int cell_birth_start(struct cell_stem *stem, struct cell_birth *birth,
                     const void *payload, size_t length, int warden_end,
                     struct cell_error *error)
{
  if (cell_stem_start(stem, error) < 0)
    return -1;
  if (!cell_channel_has_room(&stem->current->channel))
    return cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
                     "too many sandboxes are being created; step the reactor");
  birth->number = ++stem->last_number;
  birth->answered = 0;
  if (cell_channel_send(&stem->current->channel, CELL_STEM_CREATE,
                        birth->number, payload, length, &warden_end, 1,
                        error) < 0)
    return -1;
  link_birth(stem->current, birth);
  return 0;
}
