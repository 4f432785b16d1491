/* socks.h -- what a client of a SOCKS 5 proxy says (RFC 1928), without names
** and passwords.
**
** The bytes are the sandbox's. Nothing here allocates or looks past the end.
*/
#ifndef CELL_SOCKS_H
#define CELL_SOCKS_H

#include "policy.h"

#define CELL_SOCKS_VERSION 5

enum cell_socks_reply {
  CELL_SOCKS_DONE = 0,
  CELL_SOCKS_FAILED = 1,
  CELL_SOCKS_NOT_ALLOWED = 2,
  CELL_SOCKS_NO_COMMAND = 7,
  CELL_SOCKS_NO_ADDRESS = 8
};

/* The methods that it offers. Bytes that they take, 0: more must come, -1: none
** of them is ours.
*/
long cell_socks_methods(const unsigned char *bytes, size_t size);
/* What it asks for. Bytes that it takes, 0: more must come, -1: *reply. */
long cell_socks_request(const unsigned char *bytes, size_t size,
                        struct cell_target *target,
                        enum cell_socks_reply *reply);

#endif
