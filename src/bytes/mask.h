/* mask.h -- secret values, and streams of bytes without them.
**
** Wherever one of the values stands, also across others and across the borders
** of what is fed, "***" comes out in its place. No more is kept back than may
** be the beginning of a value: less than the longest of them. The time that a
** byte takes does not depend on the bytes before it.
*/
#ifndef CELL_MASK_H
#define CELL_MASK_H

#include "../error.h"

#include <stddef.h>
#include <stdint.h>

#define CELL_MASK_VALUE_MIN 4u       /* bytes; what comes out is never longer */
#define CELL_MASK_BYTES_MAX 4194304u /* of all values */

struct cell_mask; /* reference counted; once sealed it only counts */

struct cell_mask *cell_mask_new(struct cell_error *error);
/* INVALID_ARGUMENT: too short, or too much in all. */
int cell_mask_add(struct cell_mask *mask, const void *bytes, size_t length,
                  struct cell_error *error);
/* No value comes after this, no stream before it. */
int cell_mask_seal(struct cell_mask *mask, struct cell_error *error);
struct cell_mask *cell_mask_keep(struct cell_mask *mask);
void cell_mask_release(struct cell_mask *mask);

/* How often a value was replaced so far, in whatever was fed or hidden. */
uint64_t cell_mask_hidden(const struct cell_mask *mask);
/* A text at once: room for what comes out, and how many bytes that were; -1: no
** memory.
*/
size_t cell_mask_room(const struct cell_mask *mask, size_t length);
long cell_mask_hide(struct cell_mask *mask, const void *bytes, size_t length,
                    void *to);

/* One stream. */
struct cell_masking;

/* NULL: no memory. Keeps the mask. */
struct cell_masking *cell_masking_open(struct cell_mask *mask);
void cell_masking_close(struct cell_masking *masking);
/* Returns how many bytes were written to `to`: no more than cell_mask_room
 * says.
 */
size_t cell_masking_feed(struct cell_masking *masking, const void *bytes,
                         size_t length, void *to);
/* What was kept back; what comes next is another stream. */
size_t cell_masking_end(struct cell_masking *masking, void *to);

#endif
