/* unpack.h -- laying out a tar stream inside the sandbox. */
#ifndef CELL_UNPACK_H
#define CELL_UNPACK_H

#include <stdint.h>

/* Below the open directory, which is kept: what the stream has replaces what is
** there, a file by a new one (who has the old one open goes on with it). No
** link is followed. `source` is read from its beginning, `length` bytes of it.
** 0 or an errno; EPROTO: the stream is none. What was laid out before stays.
*/
int unpack_tree(int directory, int source, uint64_t length);

#endif
