/* store.h -- folders of the host that hold what came out of sandboxes.
**
** Nothing below such a folder is followed. Nothing here blocks but the file
** system itself.
*/
#ifndef CELL_HOST_STORE_H
#define CELL_HOST_STORE_H

#include "../error.h"

/* Remove a file, a link, or a directory with all that it holds, also where its
** owner has no rights; 0 too when it is not there.
*/
int cell_store_remove(const char *path, struct cell_error *error);

/* See that nobody but our user and root can change what the folder holds: they
** own it, and no others can write there; and so are those above it (but for
** what is sticky, like /tmp), down to one that no others can go through. make:
** make it where it is missing, with those above it, for our user alone.
** CELL_NOT_FOUND, CELL_PERMISSION_DENIED, ...
*/
int cell_store_check(const char *path, int make, struct cell_error *error);
/* A descriptor that locks the folder until it is closed, in every copy: alone,
** or together with others. -1 with CELL_UNAVAILABLE when others have it so that
** this cannot be.
*/
int cell_store_lock(const char *path, int alone, struct cell_error *error);
/* What was written to the file system of `directory` is on the disk. */
int cell_store_sync(int directory, struct cell_error *error);
/* What was written to this file, or which names this directory has, is. */
int cell_store_flush(int fd, struct cell_error *error);
/* Whether there is a regular file at `path` for one whose root directory is
** `root`: links lead where they would there. -1: nobody knows.
*/
int cell_store_has_file(const char *root, const char *path,
                        struct cell_error *error);

#endif
