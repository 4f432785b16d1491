/* path.h -- names of files as the host gives them.
**
** Magic links of /proc are never followed: they could lead to a descriptor that
** the host lent to us.
*/
#ifndef CELL_PATH_H
#define CELL_PATH_H

#include "../../wire/pack.h"
#include "../../wire/protocol.h"

#include <stdint.h>
#include <sys/types.h>

#define PATH_SIZE (CELL_PATH_MAX + sizeof CELL_HOME + 1)

/* Reads a string and makes it absolute: relative ones and "~" are at home.
** Trailing slashes go. 0 or an errno.
*/
int path_read(struct cell_unpacker *unpacker, char path[PATH_SIZE]);
/* As open, close-on-exec. */
int path_open(const char *path, int flags, mode_t mode);
/* The directory that holds `path`, made with its own parents if `make`; *name
** points to the last part, which is never "." or "..". -1 and errno.
*/
int path_parent(const char *path, int make, const char **name);

#endif
