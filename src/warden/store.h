/* store.h -- what is writable in a sandbox, and its terminals. */
#ifndef CELL_STORE_H
#define CELL_STORE_H

#include "failure.h"

#include <stdint.h>

/* Home, /tmp and /dev/shm on one file system of `size` bytes with a bounded
** count of files, and /dev/pts.
*/
int store_mount(uint64_t size, struct failure *failure);
/* Bytes used and in all. */
void store_usage(uint64_t *used, uint64_t *total);

#endif
