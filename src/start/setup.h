/* setup.h -- what a stem is told first. */
#ifndef CELL_HOST_SETUP_H
#define CELL_HOST_SETUP_H

#include "../error.h"

#include <stddef.h>
#include <stdint.h>

/* The payload of STEM_SETUP for this root and these binds, to be freed, or
 * NULL.
 */
unsigned char *cell_setup_pack(uint32_t flags, const char *root,
                               const char *const *paths, size_t count,
                               size_t *length, struct cell_error *error);

#endif
