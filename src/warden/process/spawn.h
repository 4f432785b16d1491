/* spawn.h -- programs inside: started, signalled, reaped. */
#ifndef CELL_SPAWN_H
#define CELL_SPAWN_H

#include "../../wire/pack.h"

#include <poll.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define JOBS_MAX 1024

struct job {
  uint64_t request;
  pid_t pid;     /* in our namespace */
  uint32_t seen; /* its pid as the code sees it; 0: not known yet */
  int report;    /* readable until its exec; -1: it has executed or failed */
  int master;    /* of its terminal, or -1 */
  int session;   /* tells what becomes of a fork of the zygote, or -1 */
  int late;      /* a signal for one whose pid is not known yet, or 0 */
  uint64_t kills_before; /* warden_memory_kills when it started */
};

struct jobs {
  struct job list[JOBS_MAX];
  size_t count;
  char *strings[8192]; /* argv and environment of the one being started */
};

struct session_report;
struct warden;

/* Answers SPAWN, sooner or later. */
void spawn_start(struct warden *warden);
/* Its report pipe is readable. */
void spawn_report(struct warden *warden, struct job *job);
/* 1 if pid was a job: EXITED is sent and it is forgotten. */
int spawn_reaped(struct warden *warden, pid_t pid, int status,
                 const struct rusage *usage);
/* Of a job that is a session: it runs, with this pid in our namespace; it has
** failed to start, or ended, and is forgotten.
*/
void spawn_session_started(struct warden *warden, struct job *job, pid_t pid,
                           uint32_t seen);
void spawn_session_ended(struct warden *warden, struct job *job,
                         const struct session_report *report);
/* Answer SIGNAL and RESIZE. */
void spawn_signal(struct warden *warden);
void spawn_resize(struct warden *warden);

#endif
