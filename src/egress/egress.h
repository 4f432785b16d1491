/* egress.h -- what a sandbox may reach, and the way there.
**
** The sandbox has no route out. Every address that its code may use is a local
** one inside (warden/gateway.h); whoever connects there is accepted here, by
** the host, which decides by the name that was asked for, resolves it itself,
** looks at every address, connects and copies. A proxy is offered besides.
** What cannot be decided is refused.
**
** A companion of its sandbox: it ends with it.
*/
#ifndef CELL_EGRESS_H
#define CELL_EGRESS_H

#include "../sandbox/sandbox.h"
#include "policy.h"
#include "resolver.h"

struct cell_egress;

struct cell_egress_limits {
  unsigned connections; /* at a time; the next ones wait */
  uint64_t bytes;       /* both ways in its life; 0: any number */
};

struct cell_traffic {
  uint64_t sent, received; /* bytes, as the sandbox sees it */
  uint64_t connections;    /* that were made */
  uint64_t refused;
  unsigned open; /* now */
};

/* Before its sandbox: give it cell_egress_gateway, then cell_egress_join. */
struct cell_egress *cell_egress_new(struct cell_reactor *reactor,
                                    struct cell_policy *policy,
                                    const struct cell_resolver_library *library,
                                    const char *servers,
                                    const struct cell_egress_limits *limits,
                                    struct cell_error *error);
/* For one that has not joined a sandbox. */
void cell_egress_free(struct cell_egress *egress);
struct cell_gateway *cell_egress_gateway(struct cell_egress *egress);
/* It is the sandbox's from now on, also on failure. */
int cell_egress_join(struct cell_egress *egress, struct cell_sandbox *sandbox,
                     struct cell_error *error);
/* That of a sandbox; NULL: it has none, or has ended. */
struct cell_egress *cell_egress_of(const struct cell_sandbox *sandbox);

/* Decide by another policy from now on; what it does not allow is cut. 1: done.
** 0: ports are being opened for it; call again when the sandbox's token is
** posted. -1: UNSUPPORTED, what it needs can only be had at create.
*/
int cell_egress_update(struct cell_egress *egress, struct cell_policy *policy,
                       struct cell_error *error);
/* Requests to the proxy itself, for no other server, are handed over too. */
void cell_egress_be_server(struct cell_egress *egress);

/* A connection that carries one request, as it was decided by: HTTP/1.1, with
** one Host and `Connection: close`. Without a name: for the proxy itself.
*/
struct cell_handed {
  struct cell_handed *next; /* private */
  struct cell_target target;
  int fd; /* the taker's */
};
/* The oldest that nobody has taken, to be freed; NULL: none. The sandbox's
** token is posted when one comes.
*/
struct cell_handed *cell_egress_handed(struct cell_egress *egress);
void cell_egress_traffic(const struct cell_egress *egress,
                         struct cell_traffic *traffic);

#endif
