/* warden.h -- PID 1 of a sandbox.
**
** A clone of the stem. It adds what is writable to the skeleton, locks itself
** down, says hello, and from then on starts, signals and reaps processes and
** does files, until its channel ends, its deadline comes or it is told to go.
** It trusts the channel and nothing else.
*/
#ifndef CELL_WARDEN_H
#define CELL_WARDEN_H

#include "failure.h"
#include "files/files.h"
#include "limits/cgroup.h"
#include "network/dial.h"
#include "network/gateway.h"
#include "network/refuse.h"
#include "process/spawn.h"
#include "root/mounts.h"
#include "self.h"
#include "watch/changes.h"
#include "watch/watch.h"
#include "wire.h"

/* What the stem gives to its clone. */
struct birth {
  char id[CELL_ID_SIZE];
  int channel;
  int host;   /* pidfd, or -1 */
  int names;  /* see network.h */
  int zygote; /* where orders for it go, or -1: there is none */
  unsigned groups_kept;
  struct cgroup_view cgroup;
  struct self_title title;
  struct mounts *mounts; /* what the stem has read, as this clone has it */
};

struct warden {
  const struct birth *birth;
  int channel;
  int proc;    /* of our own PID namespace, attached nowhere */
  int signals; /* SIGCHLD; SIGALRM, see deadline.h */
  int paused;  /* by the deadline */
  pid_t reaper;
  int control; /* to the reaper */
  int reaper_locked;
  int zygote;  /* as in birth, until the first code runs */
  int ruleset; /* Landlock, for the children; or -1 */
  unsigned landlock_abi;
  uint64_t memory, disk;
  uint32_t uid, processes, files;
  uint32_t read_only; /* the home */
  struct cgroup_view cgroup;
  enum cell_mechanism processes_by;
  struct jobs jobs;
  struct helpers helpers;
  struct dials dials;
  struct gateway gateway;
  struct refuse refuse;
  struct changes changes;
  struct watches watches;
  int64_t watched;         /* when memory was last looked at, ms */
  uint64_t watchdog_kills; /* like the oom kills of a group */
  uint64_t memory_peak;    /* seen by watchdog and metrics */
  uint32_t processes_peak;
  uint64_t cpu_reaped_us; /* of children that have ended */
  uint64_t cpu_us;        /* the most that was told; it never falls */
  struct wire_message message;
};

/* Ends by _exit (enum cell_warden_exit). */
void warden_run(const struct birth *birth);

/* Processes of the sandbox that were killed for memory so far, by whomever. */
uint64_t warden_memory_kills(const struct warden *warden);
int64_t warden_now_ms(void);

#endif
