/* address.h -- an address of the internet, of either family, in 16 bytes.
**
** IPv4 is mapped into IPv6 (::ffff:a.b.c.d), so that each has one form only.
*/
#ifndef CELL_ADDRESS_H
#define CELL_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define CELL_ADDRESS_TEXT 46 /* with its NUL */

struct cell_address {
  unsigned char bytes[16];
};

/* Four decimal numbers without leading zeros, or IPv6 without brackets and
** zone. 0, or -1: it is something else.
*/
int cell_address_parse(struct cell_address *address, const char *text,
                       size_t length);
void cell_address_text(const struct cell_address *address,
                       char text[CELL_ADDRESS_TEXT]);
int cell_address_is_four(const struct cell_address *address);
/* Whether the first `bits` of both are the same. */
int cell_address_within(const struct cell_address *address,
                        const struct cell_address *range, unsigned bits);
/* Clear what follows the first `bits`. */
void cell_address_mask(struct cell_address *address, unsigned bits);
/* Why nobody may be led there who did not name it: "private", "loopback", ...
** NULL: a public address. The IPv4 address inside a mapped, NAT64 or 6to4 one
** counts.
*/
const char *cell_address_reserved(const struct cell_address *address);
/* 1 if this machine has it itself. Sends nothing. */
int cell_address_is_own(const struct cell_address *address);

/* To and from what the kernel takes. Returns the size; IPv4 stays IPv4. */
socklen_t cell_address_to_socket(const struct cell_address *address,
                                 uint16_t port,
                                 struct sockaddr_storage *socket_address);
int cell_address_from_socket(struct cell_address *address, uint16_t *port,
                             const struct sockaddr_storage *socket_address);

#endif
