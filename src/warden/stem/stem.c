/* stem.c -- see stem.h. */
#include "stem.h"

#include "../calls.h"
#include "../identity.h"
#include "../network/network.h"
#include "../priority.h"
#include "../root/mounts.h"
#include "../warden.h"
#include "../wire.h"
#include "clone.h"
#include "setup.h"
#include "zygote.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define IDLE_MS 2      /* without a request, before the pool is refilled */
#define END_MS 1000    /* for the helpers to end */
#define LINGER_MS 1000 /* after the last sandbox */

struct child {
  pid_t pid;
  uint32_t group;
  uint64_t request;
  int status;
  uint32_t oom_kills;
  uint64_t peak;
};

struct stem {
  int channel; /* -1: the host has closed it */
  int signals;
  int host;    /* pidfd, or -1 */
  int process; /* /proc/PID of our own */
  int home;    /* network namespace without anything */
  struct network_pool networks;
  int fresh; /* IPC and UTS namespaces are unused */
  int keep;
  int refill_failed;
  int64_t last; /* when the last sandbox ended; 0: there was none */
  uint32_t groups_kept;
  struct cgroup cgroup;
  struct child *children;
  size_t count, size;
  int opener;           /* less than 0: there is none, an errno why */
  struct mounts mounts; /* of the create at hand */
  struct self_title title;
  struct setup setup;
  struct zygote zygote;
  struct wire_message message;
};

static int64_t now_ms(void)
{
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* IPC and UTS namespaces are made here and inherited by one warden each. */
static int make_fresh(struct stem *stem)
{
  if (unshare(CLONE_NEWIPC | CLONE_NEWUTS) < 0)
    return -1;
  stem->fresh = 1;
  return sethostname("sandbox", 7);
}

/* Without one only sandboxes that have mounts cannot be made. */
static void start_opener(struct stem *stem, int is_root)
{
  if (stem->setup.flags & CELL_SETUP_MOUNTS)
    stem->opener = opener_start(is_root, &stem->title);
}

static int take_identity(struct stem *stem, struct failure *failure)
{
  int is_root = identity_is_root();
  uid_t uid;
  gid_t gid;

  if (is_root) {
    start_opener(stem, is_root);
    if (skeleton_open(&stem->setup.source, stem->setup.binds,
                      stem->setup.bind_count, failure) < 0)
      return -1;
    cgroup_open(&stem->cgroup, CELL_PLAIN_UID, &stem->title);
    if (identity_drop() < 0)
      return fail(failure, "drop uid");
  } else {
    cgroup_open(&stem->cgroup, geteuid(), &stem->title);
  }
  stem->groups_kept = identity_groups();
  uid = geteuid();
  gid = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
              CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
    return fail(failure, "namespaces");
  stem->process = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (stem->process < 0 || identity_deny_groups(stem->process) < 0 ||
      identity_map(stem->process, CELL_INSIDE_UID, uid, gid) < 0)
    return fail(failure, "maps");
  if (!is_root)
    start_opener(stem, is_root);
  stem->home = openat(stem->process, "ns/net", O_RDONLY | O_CLOEXEC);
  if (stem->home < 0)
    return fail(failure, "namespaces");
  if (stem->zygote.wanted)
    return zygote_enter_namespace(failure);
  if (network_start(&stem->networks, stem->process, stem->home, &stem->title) <
      0)
    return fail(failure, "namespaces");
  return 0;
}

static int prepare(struct stem *stem, struct failure *failure)
{
  sigset_t set;

  if (setup_read(&stem->setup, stem->channel, failure) < 0 ||
      ((stem->setup.flags & CELL_SETUP_SEEDED) &&
       zygote_read(&stem->zygote, stem->channel, failure) < 0))
    return -1;
  /* Woken, it would otherwise pre-empt the host and clone on its CPU. */
  priority_batch();
  prctl(PR_SET_NAME, "codecell-stem", 0, 0, 0);
  umask(0);
  setsid(); /* a ^C at the host's terminal is not for us */
  stem->host = wire_peer(CELL_CHANNEL);
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  stem->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (stem->signals < 0)
    return fail(failure, "start");
  if (take_identity(stem, failure) < 0 ||
      skeleton_build(&stem->setup.source, stem->setup.binds,
                     stem->setup.bind_count,
                     (stem->setup.flags & CELL_SETUP_GPU) != 0, failure) < 0)
    return -1;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return fail(failure, "lock-down");
  if (!stem->zygote.wanted &&
      (make_fresh(stem) < 0 || network_receive(&stem->networks) < 0))
    return fail(failure, "namespaces");
  return 0;
}

static int send_ready(struct stem *stem, const struct failure *failure)
{
  unsigned char bytes[256];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)failure->number);
  cell_pack_string(&packer, failure->stage);
  cell_pack_string(&packer, failure->detail);
  return wire_send(stem->channel, CELL_STEM_READY, 0, &packer, -1);
}

static struct child *reserve_child(struct stem *stem)
{
  struct child *grown;
  size_t size;

  if (stem->count == stem->size) {
    size = stem->size > 0 ? 2 * stem->size : 16;
    grown = realloc(stem->children, size * sizeof *grown);
    if (grown == NULL)
      return NULL;
    stem->children = grown;
    stem->size = size;
  }
  return &stem->children[stem->count];
}

static int read_create(struct stem *stem, struct birth *birth,
                       struct cgroup_limits *limits, struct failure *failure)
{
  struct cell_unpacker unpacker;

  memset(birth, 0, sizeof *birth);
  birth->channel = -1;
  cell_unpack_start(&unpacker, stem->message.frame.payload,
                    stem->message.frame.length);
  cell_unpack_string(&unpacker, birth->id, sizeof birth->id);
  limits->memory = cell_unpack_u64(&unpacker);
  limits->processes = cell_unpack_u32(&unpacker);
  limits->cpu_milli = cell_unpack_u32(&unpacker);
  if (mounts_read(&stem->mounts, stem->opener, &unpacker, failure) < 0)
    return -1;
  birth->mounts = &stem->mounts;
  birth->channel = wire_take(&stem->message, 0);
  if (birth->channel < 0) {
    mounts_close(&stem->mounts);
    errno = stem->message.lost ? EMFILE : EPROTO;
    return fail(failure, "request");
  }
  birth->host = stem->host;
  birth->zygote = stem->zygote.wanted ? stem->zygote.for_wardens : -1;
  birth->groups_kept = stem->groups_kept;
  birth->title = stem->title;
  return 0;
}

/* Be where the next sandbox gets its network, IPC and UTS namespaces from.
** *network is to be released.
*/
static int enter_networks(struct stem *stem, struct network *network)
{
  *network = (struct network){-1, -1};
  if (stem->zygote.wanted)
    return 0;
  if (network_take(&stem->networks, network) < 0 ||
      (!stem->fresh && make_fresh(stem) < 0) ||
      setns(network->space, CLONE_NEWNET) < 0)
    return -1;
  stem->fresh = 0;
  return 0;
}

/* Returns the pidfd, or -1. */
static int create(struct stem *stem, struct failure *failure)
{
  struct child *child = reserve_child(stem);
  struct birth birth;
  struct cgroup_limits limits;
  struct network network;
  int pidfd = -1, group = -1;
  pid_t pid = -1;

  if (child == NULL)
    return fail(failure, "request");
  if (read_create(stem, &birth, &limits, failure) < 0)
    return -1;
  child->group = cgroup_assign(&stem->cgroup, &limits, &birth.cgroup, &group);
  if (enter_networks(stem, &network) == 0) {
    birth.names = network.names;
    pid = clone_sandbox(stem->zygote.wanted, &pidfd, group);
    if (pid == 0)
      warden_run(&birth);
  }
  if (pid < 0)
    fail(failure, "namespaces");
  network_release(&network);
  if (pid > 0) {
    cgroup_taken(&stem->cgroup);
    child->pid = pid;
    child->request = stem->message.frame.request;
    stem->count++;
  }
  close(birth.channel);
  mounts_close(&stem->mounts);
  cgroup_view_close(&birth.cgroup);
  if (group >= 0)
    close(group);
  return pidfd;
}

static void serve_create(struct stem *stem)
{
  struct failure failure = {0, "", ""};
  int pidfd = create(stem, &failure);
  unsigned char bytes[192];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)failure.number);
  cell_pack_string(&packer, failure.stage);
  cell_pack_string(&packer, failure.detail);
  wire_send(stem->channel, CELL_STEM_CREATED, stem->message.frame.request,
            &packer, pidfd);
  if (pidfd >= 0)
    close(pidfd);
  if (!stem->zygote.wanted)
    setns(stem->home, CLONE_NEWNET);
  cgroup_prepare(&stem->cgroup);
  if (stem->networks.count == 0)
    network_ask(&stem->networks); /* requests come faster than refills */
}

/* A zygote ends when the host wants no more sandboxes from it: it is no use to
** those that live.
*/
static void close_channel(struct stem *stem)
{
  if (stem->channel >= 0)
    close(stem->channel);
  stem->channel = -1;
  zygote_end(&stem->zygote);
}

static int64_t group_of(const void *context, pid_t pid)
{
  const struct stem *stem = context;
  size_t i;

  for (i = 0; i < stem->count; i++)
    if (stem->children[i].pid == pid)
      return stem->children[i].group;
  return -1;
}

static void serve(struct stem *stem)
{
  struct cell_unpacker unpacker;
  int got = wire_receive(stem->channel, &stem->message, 0);

  if (got < 0)
    return;
  if (got == 0) {
    close_channel(stem);
    return;
  }
  if (stem->message.frame.type == CELL_STEM_CREATE)
    serve_create(stem);
  if (stem->message.frame.type == CELL_STEM_KEEP) {
    cell_unpack_start(&unpacker, stem->message.frame.payload,
                      stem->message.frame.length);
    stem->keep = cell_unpack_u32(&unpacker) != 0;
    if (!stem->keep)
      zygote_end(&stem->zygote);
    if (stem->last == 0)
      stem->last = now_ms();
  }
  wire_clear(&stem->message);
}

static void send_ended(struct stem *stem, const struct child *child)
{
  unsigned char bytes[16];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)child->status);
  cell_pack_u32(&packer, child->oom_kills);
  cell_pack_u64(&packer, child->peak);
  if (stem->channel >= 0)
    wire_send(stem->channel, CELL_STEM_ENDED, child->request, &packer, -1);
}

static void bury(struct stem *stem, struct child *child, int status)
{
  child->status = status;
  cgroup_inspect(&stem->cgroup, child->group, &child->oom_kills, &child->peak);
  send_ended(stem, child);
  cgroup_leave(&stem->cgroup, child->group);
  *child = stem->children[--stem->count];
  stem->last = now_ms();
}

static void reap(struct stem *stem)
{
  struct signalfd_siginfo information;
  struct rusage usage;
  int status;
  pid_t pid;
  size_t i;

  while (read(stem->signals, &information, sizeof information) > 0)
    ;
  while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
    for (i = 0; i < stem->count && stem->children[i].pid != pid; i++)
      ;
    if (i < stem->count)
      bury(stem, &stem->children[i], status);
    else if (stem->zygote.wanted)
      zygote_reaped(&stem->zygote, pid, status, &usage, stem->channel);
  }
}

static void refill(struct stem *stem)
{
  if (!stem->fresh && make_fresh(stem) < 0)
    stem->refill_failed = 1;
  network_ask(&stem->networks);
}

static int wants_refill(const struct stem *stem)
{
  return !stem->refill_failed && stem->channel >= 0 && !stem->zygote.wanted &&
         (!stem->fresh ||
          (stem->networks.maker >= 0 &&
           stem->networks.count + stem->networks.asked < NETWORKS_MAX));
}

/* Milliseconds until something is due, 0 when the stem should end. */
static int next_timeout(const struct stem *stem)
{
  int64_t left;

  if (stem->channel < 0 && stem->count == 0)
    return 0;
  if (wants_refill(stem))
    return IDLE_MS;
  if (stem->keep || stem->count > 0 || stem->last == 0)
    return -1;
  left = stem->last + LINGER_MS - now_ms();
  return left > 0 ? (int)left : 0;
}

static void kill_all(struct stem *stem)
{
  size_t i;

  for (i = 0; i < stem->count; i++)
    if (stem->children[i].pid != 0)
      kill(stem->children[i].pid, SIGKILL);
}

static void loop(struct stem *stem)
{
  struct pollfd fds[7];
  int timeout, count, i;

  while ((timeout = next_timeout(stem)) != 0) {
    fds[0].fd = stem->channel;
    fds[1].fd = stem->signals;
    fds[2].fd = stem->host;
    fds[3].fd = stem->cgroup.steward;
    fds[4].fd = stem->networks.maker;
    fds[5].fd = stem->zygote.channel;
    fds[6].fd = zygote_orders(&stem->zygote);
    for (i = 0; i < 7; i++) {
      fds[i].events = POLLIN;
      fds[i].revents = 0;
    }
    count = poll(fds, 7, timeout);
    if (fds[2].revents != 0) {
      /* A forked copy of the host may hold the channels open. */
      kill_all(stem);
      close(stem->host);
      stem->host = -1;
      close_channel(stem);
      continue;
    }
    if (fds[3].revents != 0)
      cgroup_take(&stem->cgroup);
    if (fds[4].revents != 0 && network_receive(&stem->networks) < 0)
      stem->refill_failed = 1;
    if (fds[0].revents != 0)
      serve(stem);
    if (fds[5].revents != 0 && stem->zygote.channel >= 0)
      zygote_hear(&stem->zygote, stem->channel);
    if (fds[6].revents != 0)
      zygote_order(&stem->zygote, &stem->cgroup, group_of, stem);
    if (fds[1].revents != 0)
      reap(stem);
    if (count == 0 && wants_refill(stem))
      refill(stem);
  }
}

/* A host that reaps orphans would be left with our helpers as zombies. */
static void end_helpers(struct stem *stem)
{
  int i;

  network_close(&stem->networks);
  cgroup_close(&stem->cgroup);
  if (stem->opener >= 0)
    close(stem->opener);
  for (i = 0; i < END_MS && waitpid(-1, NULL, WNOHANG) >= 0; i++)
    usleep(1000);
}

int stem_run(char *title, size_t title_size)
{
  static struct stem stem; /* large: the message is in it */
  struct failure failure = {0, "", ""};
  int result;

  stem.channel = CELL_CHANNEL;
  stem.networks.maker = stem.cgroup.steward = -1;
  stem.opener = -EPROTO;
  zygote_clear(&stem.zygote);
  stem.title.text = title;
  stem.title.size = title_size;
  fcntl(CELL_CHANNEL, F_SETFL, 0); /* sends wait for room */
  result = prepare(&stem, &failure);
  send_ready(&stem, &failure);
  if (result == 0 && stem.zygote.wanted)
    zygote_start(&stem.zygote, &stem.title, stem.channel);
  if (result == 0)
    loop(&stem);
  end_helpers(&stem);
  return result == 0 ? 0 : 1;
}
