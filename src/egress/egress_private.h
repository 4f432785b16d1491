/* egress_private.h -- an egress from within: for egress.c (its life, what was
** refused), door.c (its sockets), visit.c (one connection), asked.c (questions
** for names) and caller.c (those by connection) alone.
*/
#ifndef CELL_EGRESS_PRIVATE_H
#define CELL_EGRESS_PRIVATE_H

#include "directory.h"
#include "egress.h"

#define CELL_DOORS_MAX (CELL_GATEWAY_PORTS_MAX + 3)
#define CELL_EGRESS_CALLERS_MAX 32

struct cell_visit;

/* A socket that the warden has passed out. */
struct cell_door {
  struct cell_egress *egress;
  struct cell_source source;
  int fd;
  enum cell_socket_kind kind;
  uint16_t port;
  int is_closed; /* nobody is let in for now */
};

/* A listener that the warden was asked for after its start. */
struct cell_opening {
  struct cell_opening *next;
  struct cell_listener made;
  struct cell_egress *egress;
  uint64_t request;
  uint16_t port;
};

struct cell_asked;  /* a question for a name that is being resolved */
struct cell_caller; /* a connection by which names are asked for */

struct cell_egress {
  struct cell_companion companion;
  struct cell_gateway gateway;
  struct cell_reactor *reactor; /* borrowed: the sandbox keeps it */
  struct cell_sandbox *sandbox; /* NULL before it has joined */
  struct cell_policy *policy;   /* kept */
  struct cell_directory *directory;
  struct cell_door doors[CELL_DOORS_MAX];
  size_t door_count;
  struct cell_opening *openings;
  uint16_t failed_port;   /* the last one that was not opened; 0: none */
  struct cell_timer rest; /* armed: nobody is let in until then */
  struct cell_visit *visits;
  struct cell_asked *asked;
  unsigned asked_count;
  struct cell_caller *callers;
  unsigned caller_count;
  struct cell_egress_limits limits;
  struct cell_handed *handed, *handed_last; /* that nobody has taken */
  unsigned handed_count;
  int is_server;             /* see cell_egress_be_server */
  char told[CELL_NAME_SIZE]; /* the last name whose question was refused */
  struct cell_traffic traffic;
};

/* Remember a refusal, and wake who wants to know. `detail` may be NULL. */
void cell_egress_refuse(struct cell_egress *egress,
                        const struct cell_target *target,
                        enum cell_refusal_why why, const char *detail);
/* The answer of the policy; a refusal is remembered. 1: go on. */
int cell_egress_allows(struct cell_egress *egress,
                       const struct cell_target *target,
                       enum cell_refusal_why *why);
/* Whether the sandbox may move more bytes. If not, that is remembered. */
int cell_egress_spends(struct cell_egress *egress,
                       const struct cell_target *target);

/* ---- door.c ---- */

/* Somebody has come or gone: open or close the doors. */
void cell_egress_look(struct cell_egress *egress);
void cell_door_open(struct cell_egress *egress, enum cell_socket_kind kind,
                    uint16_t port, int *fd);
/* Have what is missing of the wanted ports opened. 1: nothing is. 0: they are
** being opened; the sandbox's token is posted. -1: that cannot be.
*/
int cell_doors_open(struct cell_egress *egress,
                    const struct cell_gateway *wanted,
                    struct cell_error *error);
void cell_doors_close(struct cell_egress *egress);

/* ---- visit.c ---- */

/* A connection that was accepted. Takes fd, and place_fd, which is closed when
** the way out needs its place.
*/
void cell_visit_begin(struct cell_egress *egress, enum cell_socket_kind kind,
                      int fd, int place_fd);
void cell_visit_end(struct cell_visit *visit); /* at once, by a reset */
struct cell_visit *cell_visit_next(struct cell_visit *visit);
const struct cell_target *cell_visit_target(const struct cell_visit *visit);
/* Whether Lua answers it. */
int cell_visit_is_handed(const struct cell_visit *visit);
/* handover.c: those that nobody has taken. */
void cell_handed_clear(struct cell_egress *egress);

/* ---- asked.c ---- */

/* A datagram with a question came. */
void cell_asked_receive(struct cell_door *door);
/* A caller has a question, which is answered once (cell_caller_answer), maybe
** at once. -1: it will not be.
*/
int cell_asked_by(struct cell_egress *egress, struct cell_caller *caller,
                  const unsigned char *bytes, size_t size);
void cell_asked_forget(struct cell_egress *egress,
                       const struct cell_caller *caller);
void cell_asked_clear(struct cell_egress *egress);

/* ---- caller.c ---- */

/* One was accepted. Takes fd. */
void cell_caller_begin(struct cell_egress *egress, int fd);
void cell_caller_answer(struct cell_caller *caller, const unsigned char *bytes,
                        size_t size);
void cell_callers_clear(struct cell_egress *egress);

#endif
