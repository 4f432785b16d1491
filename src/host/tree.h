/* tree.h -- a directory of the host that files are copied from or to.
**
** For upload and download. Every name below the root is resolved beneath it
** without following a link (openat2 RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS, or a
** walk with O_NOFOLLOW before 5.6): names that come from a sandbox cannot lead
** outside. ".." , absolute names, empty ones and NUL are INVALID_ARGUMENT.
*/
#ifndef CELL_HOST_TREE_H
#define CELL_HOST_TREE_H

#include "../error.h"

#include <stddef.h>
#include <stdint.h>

/* A directory, made if it is not there. Returns a descriptor or -1. */
int cell_tree_open(const char *path, int make, struct cell_error *error);
/* A regular file for reading, whole path given by the caller (who may mean a
** link); *size and *mode are filled.
*/
int cell_tree_source(const char *path, uint64_t *size, uint32_t *mode,
                     struct cell_error *error);
int cell_tree_file(int root, const char *name, uint32_t mode,
                   struct cell_error *error); /* new or truncated, writable */
int cell_tree_directory(int root, const char *name, uint32_t mode,
                        struct cell_error *error);
/* Only a target that stays beneath the root; INVALID_ARGUMENT otherwise. */
int cell_tree_link(int root, const char *name, const char *target,
                   struct cell_error *error);
/* Whether a link at `name` with this target stays beneath the root. */
int cell_tree_stays_beneath(const char *name, const char *target);
/* The directory that holds `name`, by descriptor; *last points at its last
 * part.
 */
int cell_tree_parent(int root, const char *name, const char **last,
                     struct cell_error *error);
/* Any target: for a tree that the host follows no link of. */
int cell_tree_link_as_is(int root, const char *name, const char *target,
                         struct cell_error *error);
/* A second name for a file below the root. */
int cell_tree_hard_link(int root, const char *name, const char *other,
                        struct cell_error *error);
/* Permission bits (not of a link) and time of change, whatever the umask is.
** mode: 0 to 0777, or -1 to leave them.
*/
int cell_tree_describe(int root, const char *name, int mode, int64_t modified,
                       struct cell_error *error);
/* All of these bytes. */
int cell_tree_write(int to, const void *bytes, size_t length,
                    struct cell_error *error);
/* Copy at most `length` bytes from `from` at *offset to `to`; returns bytes
** copied, 0 at the end, -1. Bounded work a call (4 MiB).
*/
long cell_tree_copy(int from, uint64_t *offset, int to, uint64_t length,
                    struct cell_error *error);

#endif
