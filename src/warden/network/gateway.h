/* gateway.h -- a network that leads nowhere but to the host.
**
** A network namespace of the sandbox's own, with loopback alone: every address
** that its code may ask for is a local one there, and what listens on them is
** passed to the host, which accepts, decides and copies. Nothing is routed.
*/
#ifndef CELL_GATEWAY_H
#define CELL_GATEWAY_H

#include "../../wire/pack.h"
#include "../../wire/protocol.h"
#include "../failure.h"

struct gateway {
  uint32_t network; /* enum cell_network */
  uint32_t port_count, range_count;
  uint16_t ports[CELL_GATEWAY_PORTS_MAX];
  struct {
    unsigned char address[16]; /* IPv4 mapped into IPv6 */
    uint32_t bits;
  } ranges[CELL_GATEWAY_RANGES_MAX];
};

/* The end of a CONFIGURE. What is wrong with it fails the unpacker. */
void gateway_read(struct gateway *gateway, struct cell_unpacker *unpacker);
/* Make it, and send its sockets (CELL_SOCKET) through the channel. Before the
** lock-down, as what the code will be a child of.
*/
int gateway_open(const struct gateway *gateway, int channel,
                 struct failure *failure);

/* Answers LISTEN. */
struct warden;
void gateway_listen(struct warden *warden);

#endif
