/* sandbox_private.h -- a sandbox from within: for sandbox.c (its life and its
** end) and conversation.c (what is asked and said) alone.
*/
#ifndef CELL_SANDBOX_PRIVATE_H
#define CELL_SANDBOX_PRIVATE_H

#include "../egress/refusals.h"
#include "../start/birth.h"
#include "../wire/channel.h"
#include "question.h"
#include "sandbox.h"

/* After the warden's deadline; one that does not obey loses what it has. */
#define CELL_HOST_GRACE_MS 1000
#define CELL_HOST_PAUSE_GRACE_MS 10000

struct cell_sandbox {
  int references;
  enum cell_sandbox_state state;
  struct cell_reactor *reactor; /* kept */
  struct cell_sandbox_options options;
  unsigned char *mounts; /* those of the options, owned */
  struct cell_channel channel;
  struct cell_birth birth;
  struct cell_source ending; /* the pidfd */
  int pidfd;                 /* -1: not known yet, or gone */
  int home_watch;            /* inotify, or -1: see CELL_CHANGES */
  struct cell_timer deadline;
  enum cell_deadline then; /* what happens at it */
  int paused;              /* by it */
  struct cell_timer settling;
  struct cell_questions questions;
  struct cell_companion *companions;
  struct cell_refusals refusals;
  uint32_t asked_left; /* names that its warden may tell */
  struct cell_hello hello;
  struct cell_error error;
  uint32_t token;
  int repeated;    /* the create was sent a second time */
  int status_told; /* by the stem: */
  uint32_t wait_status, oom_kills;
};

/* Own what the options borrow of the mounts. */
int cell_sandbox_copy_mounts(struct cell_sandbox *sandbox,
                             const struct cell_sandbox_options *options);
/* The create, with the warden's end of its channel (borrowed). */
int cell_sandbox_request(struct cell_sandbox *sandbox, struct cell_stem *stem,
                         int warden_end, struct cell_error *error);
/* The first message on a new channel, before what waits in its queue. */
int cell_sandbox_configure(const struct cell_sandbox_options *options,
                           int channel, struct cell_error *error);
/* Wake who waits for it. */
void cell_sandbox_post(struct cell_sandbox *sandbox);
/* End it now, whatever it does. The error, if there is one, is set before. */
void cell_sandbox_begin_end(struct cell_sandbox *sandbox);
/* The warden has sent what it must not. */
void cell_sandbox_violated(struct cell_sandbox *sandbox, const char *what,
                           uint32_t type);
/* A message of the warden. */
void cell_sandbox_heard(struct cell_channel *channel,
                        struct cell_delivery *delivery);

#endif
