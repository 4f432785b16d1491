/* hello.h -- the server name in the first message of a TLS client.
**
** The bytes are the sandbox's. Nothing here allocates or looks past the end.
*/
#ifndef CELL_HELLO_H
#define CELL_HELLO_H

#include "name.h"

#define CELL_HELLO_MAX 16384 /* bytes that are looked at */

enum cell_hello_state {
  CELL_HELLO_MORE,     /* so far it is one, and it goes on */
  CELL_HELLO_NAMED,    /* name is filled, canonical */
  CELL_HELLO_NAMELESS, /* complete, and names no server */
  CELL_HELLO_MALFORMED
};

enum cell_hello_state cell_hello_read(const unsigned char *bytes, size_t size,
                                      char name[CELL_NAME_SIZE]);

#endif
