/* pack.h -- values in a payload: little-endian numbers and counted bytes.
**
** The one encoding of everything that crosses a channel, shared by host, stem
** and warden. A writer that runs out of room and a reader that runs out of
** bytes fail once and for all: check `failed` at the end, not at each call.
** Nothing here allocates, and a reader never looks past its end.
*/
#ifndef CELL_PACK_H
#define CELL_PACK_H

#include <stddef.h>
#include <stdint.h>

struct cell_packer {
  unsigned char *bytes;
  size_t used;
  size_t size;
  int failed; /* something did not fit; nothing was written since */
};

struct cell_unpacker {
  const unsigned char *bytes;
  size_t used;
  size_t size;
  int failed; /* something was missing; all values since are 0 or empty */
};

void cell_pack_start(struct cell_packer *packer, void *bytes, size_t size);
void cell_pack_u32(struct cell_packer *packer, uint32_t value);
void cell_pack_u64(struct cell_packer *packer, uint64_t value);
/* Length as u32, then the bytes. */
void cell_pack_bytes(struct cell_packer *packer, const void *bytes,
                     size_t length);
void cell_pack_string(struct cell_packer *packer, const char *string);

void cell_unpack_start(struct cell_unpacker *unpacker, const void *bytes,
                       size_t size);
uint32_t cell_unpack_u32(struct cell_unpacker *unpacker);
uint64_t cell_unpack_u64(struct cell_unpacker *unpacker);
/* Points into the payload, not NUL-terminated; never NULL. */
const unsigned char *cell_unpack_bytes(struct cell_unpacker *unpacker,
                                       size_t *length);
/* Copies into buffer and terminates it. Fails if the value does not fit with
** its NUL, or holds a NUL itself.
*/
void cell_unpack_string(struct cell_unpacker *unpacker, char *buffer,
                        size_t size);
/* 1 when every byte was read and nothing failed. */
int cell_unpack_done(const struct cell_unpacker *unpacker);

#endif
