/* sandbox.h -- one local sandbox: its warden, its channel, its end.
**
** Reference counted: the binding's object holds one reference, every process of
** it another; the last one closes it. cell_sandbox_close ends it at
** once (goodbye and SIGKILL by pidfd) and never waits. In a forked copy of the
** host it only closes descriptors.
**
** Nothing here blocks. Every byte and descriptor from the warden is checked:
** one that is not as protocol.h says ends the sandbox with CELL_PROTOCOL.
*/
#ifndef CELL_SANDBOX_H
#define CELL_SANDBOX_H

#include "../egress/refusals.h"
#include "../reactor/reactor.h"
#include "../start/stem.h"
#include "../wire/pack.h"
#include "../wire/protocol.h"

#include <stddef.h>

struct cell_sandbox;

/* What a sandbox's network is made of, and who takes its sockets. */
struct cell_gateway {
  enum cell_network network;
  size_t port_count, range_count;
  uint16_t ports[CELL_GATEWAY_PORTS_MAX];
  struct {
    unsigned char address[16];
    uint32_t bits;
  } ranges[CELL_GATEWAY_RANGES_MAX];
  /* One of them has come out, checked and non-blocking: to be taken. */
  void (*opened)(struct cell_gateway *gateway, enum cell_socket_kind kind,
                 uint16_t port, int *fd);
};

struct cell_sandbox_options {
  char id[CELL_ID_SIZE];
  int64_t timeout_ms;
  uint64_t memory;
  uint64_t disk;
  uint32_t processes;
  uint32_t files;
  uint32_t cpu_milli;           /* 0: all */
  struct cell_gateway *gateway; /* borrowed until it runs; NULL: no network */
  int root_view;
  int read_only; /* the home */
  /* The mounts as CREATE has them, count and all; copied. NULL: none. */
  const unsigned char *mounts;
  size_t mounts_length;
};

enum cell_sandbox_state {
  CELL_SANDBOX_STARTING, /* create was sent, no hello yet */
  CELL_SANDBOX_RUNNING,
  CELL_SANDBOX_ENDING, /* killed, its processes not known to be gone */
  CELL_SANDBOX_ENDED   /* no process of it is left */
};

/* Send the create and the configuration; hello comes later. */
struct cell_sandbox *
cell_sandbox_create(struct cell_stem *stem,
                    const struct cell_sandbox_options *options,
                    struct cell_error *error);
/* The same over a channel to a warden that runs already. Takes both
** descriptors, also on failure. pidfd may be -1: then the channel's end is its
** end.
*/
struct cell_sandbox *
cell_sandbox_attach(struct cell_reactor *reactor,
                    const struct cell_sandbox_options *options, int channel,
                    int pidfd, struct cell_error *error);
struct cell_sandbox *cell_sandbox_keep(struct cell_sandbox *sandbox);
void cell_sandbox_release(struct cell_sandbox *sandbox);

enum cell_sandbox_state cell_sandbox_state(const struct cell_sandbox *sandbox);
/* Why it failed to start or ended: kind CELL_OK while it lives. SANDBOX_GONE,
** OUT_OF_MEMORY, TIMEOUT (its deadline), CANCELLED (closed here), UNSUPPORTED
** or SYSTEM (start), PROTOCOL.
*/
const struct cell_error *cell_sandbox_error(const struct cell_sandbox *sandbox);
/* What the warden's hello said. */
struct cell_hello {
  uint32_t memory_by, processes_by, cpu_by, disk_by, files_by;
  uint32_t landlock_abi;
  uint32_t groups_kept;
};
const struct cell_hello *cell_sandbox_hello(const struct cell_sandbox *sandbox);
struct cell_reactor *cell_sandbox_reactor(struct cell_sandbox *sandbox);
/* Posted at hello, at the end, and at the answer to any question. */
uint32_t cell_sandbox_token(const struct cell_sandbox *sandbox);

/* Take what its warden has said already, as a step would. */
void cell_sandbox_hear(struct cell_sandbox *sandbox);
/* What it was refused: from its egress, or, where it has no network, from what
** its warden tells. Whoever adds to them posts its token.
*/
struct cell_refusals *cell_sandbox_refusals(struct cell_sandbox *sandbox);

/* Ends it. Idempotent. */
void cell_sandbox_close(struct cell_sandbox *sandbox);

/* The deadline, kept by the warden, and by the host a moment later. */
int cell_sandbox_set_deadline(struct cell_sandbox *sandbox, int64_t timeout_ms,
                              enum cell_deadline then,
                              struct cell_error *error);
/* 1 since a deadline that pauses has come, until there is a new one. */
int cell_sandbox_paused(const struct cell_sandbox *sandbox);

/* What may have happened below the home since the warden looked last. */
enum cell_home_state {
  CELL_HOME_UNWATCHED, /* nobody knows: ask CHANGES, with CELL_CHANGES_PASS */
  CELL_HOME_UNCHANGED,
  CELL_HOME_CHANGED
};
enum cell_home_state
cell_sandbox_home_state(const struct cell_sandbox *sandbox);

/* A question to the warden. Payload and descriptors are copied (the caller
** keeps its own). Sent at once or queued (bounded: LIMIT_EXCEEDED). Returns the
** request number, 0 on failure. May be asked while STARTING.
*/
uint64_t cell_sandbox_ask(struct cell_sandbox *sandbox, uint32_t type,
                          const struct cell_packer *payload, const int *fds,
                          size_t count, struct cell_error *error);

/* An answer. Owned by the caller once taken; free with cell_answer_clear. */
struct cell_answer {
  uint32_t question;      /* what was asked: CELL_FILE_LIST, ... */
  uint32_t type;          /* of the last message: DONE, ENTRY, CONTENT, ... */
  unsigned char *payload; /* of all its messages, one after the other */
  size_t length;
  uint32_t messages; /* how many: ENTRIES and the like come before their DONE */
  int fd;            /* passed descriptor, owned, or -1 */
};
/* 1: *answer is filled, the request is forgotten. 0: not yet. -1: there will be
** none, because the sandbox has ended.
*/
int cell_sandbox_answer(struct cell_sandbox *sandbox, uint64_t request,
                        struct cell_answer *answer, struct cell_error *error);
/* Not interested any more; a late answer and its descriptor are dropped. */
void cell_sandbox_forget(struct cell_sandbox *sandbox, uint64_t request);
void cell_answer_clear(struct cell_answer *answer);

/* ---- for process.c, port.c and egress.c ---- */

/* Who hears what becomes of a SPAWN, DIAL or LISTEN, inside a step. It may ask
** nothing there, and must not release the sandbox.
*/
struct cell_listener {
  /* SPAWNED, EXITED or DONE, as protocol.h says and checked. *fd: a terminal's
  ** master or a connection, to be taken, or -1. After a SPAWNED with an errno,
  ** after EXITED and after DONE nothing more is heard.
  */
  void (*heard)(struct cell_listener *listener, uint32_t type,
                struct cell_unpacker *payload, int *fd);
  /* The sandbox has ended first. */
  void (*ended)(struct cell_listener *listener);
};

/* What of the host's lives with a sandbox: its ports, its network. Embed it. */
struct cell_companion {
  struct cell_companion *next; /* private */
  /* The sandbox begins to end, or this is a forked copy of the host: give up
  ** what is held. May free it.
  */
  void (*ended)(struct cell_companion *companion);
};
/* -1: the sandbox has ended already. */
int cell_sandbox_accompany(struct cell_sandbox *sandbox,
                           struct cell_companion *companion,
                           struct cell_error *error);
struct cell_companion *
cell_sandbox_companions(const struct cell_sandbox *sandbox);

/* Ask a DIAL or a LISTEN. The listener hears its DONE, with the socket, once.
 */
uint64_t cell_sandbox_ask_socket(struct cell_sandbox *sandbox, uint32_t type,
                                 struct cell_listener *listener,
                                 const struct cell_packer *payload,
                                 struct cell_error *error);

/* Ask a SPAWN. The listener hears until cell_sandbox_forget of the request. */
uint64_t cell_sandbox_spawn(struct cell_sandbox *sandbox,
                            struct cell_listener *listener, int terminal,
                            const struct cell_packer *payload, const int *fds,
                            size_t count, struct cell_error *error);

#endif
