/* store.h -- what is writable in a sandbox, and its terminals. */
#ifndef CELL_STORE_H
#define CELL_STORE_H

#include "mounts.h"

#include <stdint.h>

/* Home, /tmp and /dev/shm on one file system of `size` bytes with a bounded
** count of files, which is also what overlays are written to; what is mounted
** there; and /dev/pts. read_only: the home itself, not what is mounted below
** it.
*/
int store_mount(uint64_t size, struct mounts *mounts, int read_only,
                struct failure *failure);
/* As renameat, between home, /tmp and /dev/shm too, which the kernel takes for
** different file systems. proc: a descriptor of a proc mount that shows us.
*/
int store_rename(int proc, int here, const char *old, int there,
                 const char *new);
/* Bytes used and in all. */
void store_usage(uint64_t *used, uint64_t *total);

#endif
