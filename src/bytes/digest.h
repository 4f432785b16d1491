/* digest.h -- SHA-1, SHA-256 and SHA-512 of bytes that come in pieces.
**
** For the checksums that package indexes give. SHA-1 is for old packages of npm
** and proves nothing about who made them.
*/
#ifndef CELL_DIGEST_H
#define CELL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define CELL_DIGEST_MAX 64 /* bytes of the longest one */

enum cell_digest_kind { CELL_SHA1, CELL_SHA256, CELL_SHA512 };

struct cell_digest {
  enum cell_digest_kind kind;
  uint64_t state[8];
  uint64_t length; /* bytes so far */
  unsigned char block[128];
};

void cell_digest_start(struct cell_digest *digest, enum cell_digest_kind kind);
void cell_digest_update(struct cell_digest *digest, const void *bytes,
                        size_t size);
/* Returns how many bytes it has: 20, 32 or 64. */
size_t cell_digest_finish(struct cell_digest *digest,
                          unsigned char result[CELL_DIGEST_MAX]);

#endif
