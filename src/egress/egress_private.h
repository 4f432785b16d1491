/* egress_private.h -- an egress from within: for egress.c (its listeners, its
** names, what was refused) and visit.c (one connection) alone.
*/
#ifndef CELL_EGRESS_PRIVATE_H
#define CELL_EGRESS_PRIVATE_H

#include "directory.h"
#include "egress.h"

#define CELL_DOORS_MAX (CELL_GATEWAY_PORTS_MAX + 2)

struct cell_visit;

/* A socket that the warden has passed out. */
struct cell_door {
  struct cell_egress *egress;
  struct cell_source source;
  int fd;
  enum cell_socket_kind kind;
  uint16_t port;
};

/* A listener that the warden was asked for after its start. */
struct cell_opening {
  struct cell_opening *next;
  struct cell_listener made;
  struct cell_egress *egress;
  uint64_t request;
  uint16_t port;
};

struct cell_asked; /* a question for a name that is being resolved */

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
  int is_full;            /* nobody is let in for now */
  struct cell_timer rest; /* armed: until then */
  struct cell_visit *visits;
  struct cell_asked *asked;
  unsigned asked_count;
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
/* A visit has begun or ended: open or close the doors. */
void cell_egress_look(struct cell_egress *egress);

/* visit.c: a connection that was accepted. Takes fd. */
void cell_visit_begin(struct cell_egress *egress, enum cell_socket_kind kind,
                      int fd);
void cell_visit_end(struct cell_visit *visit); /* at once, by a reset */
struct cell_visit *cell_visit_next(struct cell_visit *visit);
const struct cell_target *cell_visit_target(const struct cell_visit *visit);
/* asked.c: a datagram with a question came; and the end of all of them. */
void cell_asked_receive(struct cell_door *door);
void cell_asked_clear(struct cell_egress *egress);

#endif
