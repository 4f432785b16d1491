/* zygote.h -- the interpreter of a stem from which sessions are forked.
**
** It has imported what its template wants and has seen no byte of a user. It is
** a child of the stem without any capability, behind the filter of all code but
** for setns, in a mount namespace of its own with something to write on, and
** serves nobody but the stem. It can enter the sandboxes because their user
** namespaces are children of its own and of its uid; for the same reason their
** network, IPC and UTS namespaces must be theirs, made in the warden's clone.
**
** The stem is the first process of a PID namespace then: those who enter a
** sandbox must be in one above its own, and the stem inherits the sessions.
*/
#ifndef CELL_ZYGOTE_H
#define CELL_ZYGOTE_H

#include "../../zygote/session.h"
#include "../failure.h"
#include "../limits/cgroup.h"
#include "../wire.h"

#include <sys/resource.h>
#include <sys/types.h>

#define ZYGOTE_WAITING_MAX 16 /* orders not answered: its socket takes them */
#define ZYGOTE_STRAYS_MAX 16
#define ZYGOTE_STRINGS_MAX 1024

struct zygote_session {
  pid_t pid;
  int report; /* to the warden */
};

/* One that ended before it was known. */
struct zygote_stray {
  pid_t pid;
  int status;
  struct rusage usage;
};

struct zygote {
  int wanted;
  int program, library; /* what it is made of, until it is started */
  uint64_t memory;      /* bytes, for it as for its sessions */
  char *argv[ZYGOTE_STRINGS_MAX + 1]; /* they point into the message */
  char *envs[ZYGOTE_STRINGS_MAX + 2]; /* one more for that of the library */
  pid_t pid;                          /* 0: it does not run */
  int sealed;
  int channel;                     /* to it, or -1 */
  int orders;                      /* what wardens ask for */
  int for_wardens;                 /* the other end, which they inherit */
  int waiting[ZYGOTE_WAITING_MAX]; /* reports of orders, in their order */
  size_t waiting_count;
  struct zygote_session *sessions;
  size_t count, size;
  struct zygote_stray strays[ZYGOTE_STRAYS_MAX];
  size_t stray_count;
  struct wire_message message; /* CELL_STEM_SEED */
};

void zygote_clear(struct zygote *zygote);
/* Read what it is made of: the message after SETUP. */
int zygote_read(struct zygote *zygote, int channel, struct failure *failure);
/* Have the caller go on as the first process of a PID namespace, in a child;
** the one that called only waits for its end, and ends in the same way.
*/
int zygote_enter_namespace(struct failure *failure);
/* Start it; the stem's root and capabilities are as they will be. The host is
** told if it cannot be: sandboxes are made all the same.
*/
void zygote_start(struct zygote *zygote, const struct self_title *title,
                  int host);
void zygote_tell(int host, int number, const char *text);
/* Its channel is readable. Tells the host when it is sealed, or never will be.
 */
void zygote_hear(struct zygote *zygote, int host);
/* Where wardens ask for sessions; -1: not until more of them are answered. */
int zygote_orders(const struct zygote *zygote);
/* A warden wants a session; group_of finds its group by its pid, -1: none. */
void zygote_order(struct zygote *zygote, const struct cgroup *cgroup,
                  int64_t (*group_of)(const void *stem, pid_t pid),
                  const void *stem);
/* A child of the stem that is no warden has ended. */
void zygote_reaped(struct zygote *zygote, pid_t pid, int status,
                   const struct rusage *usage, int host);
/* No more sessions: it ends, those that it made live on. */
void zygote_end(struct zygote *zygote);

#endif
