/* port.h -- a port of a sandbox, reachable on the host's loopback.
**
** A listener on 127.0.0.1 of the host; for each visitor the warden connects
** inside and passes the socket out, and the reactor copies between the two
** (bridge.h). At most CELL_VISITORS_MAX at a time: the next ones wait in the
** listener's backlog. Ends with its sandbox.
*/
#ifndef CELL_PORT_H
#define CELL_PORT_H

#include "sandbox.h"

#define CELL_VISITORS_MAX 256 /* of one port */
#define CELL_PORTS_MAX 256    /* of one sandbox */

/* The host's port for one of the sandbox; the same each time. 0 and *error:
** LIMIT_EXCEEDED, SANDBOX_GONE or SYSTEM.
*/
uint16_t cell_port_open(struct cell_sandbox *sandbox, uint16_t inside,
                        struct cell_error *error);

#endif
