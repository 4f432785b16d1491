/* project.h -- changes from a sandbox, made in a folder of the host.
**
** Names are those that a sandbox chose: each is resolved beneath the folder and
** no link is followed, however often what lies there is swapped meanwhile. A
** file is written beside its place under a name of ours and moved there, so
** that nobody sees half of it. Nothing blocks but the disk.
*/
#ifndef CELL_HOST_PROJECT_H
#define CELL_HOST_PROJECT_H

#include "../error.h"

#include <stdint.h>
#include <sys/stat.h>

/* What is at `name`: 1; 0: nothing; -1. */
int cell_project_look(int root, const char *name, struct stat *status,
                      struct cell_error *error);
/* The regular file at `name`, for reading, with its size; or -1. */
int cell_project_open(int root, const char *name, uint64_t *size,
                      struct cell_error *error);
/* A new file, open for writing, which only we may read as yet. Descriptor or
 * -1.
 */
int cell_project_file(int root, const char *name, struct cell_error *error);
/* A new link; only to what stays beneath the folder from `place` on. */
int cell_project_link(int root, const char *name, const char *place,
                      const char *target, struct cell_error *error);
/* Move `made` to `name` in the same directory, with these permission bits (-1:
** of a link) and the owner of what is there, or else of the directory as far as
** we may give it. `is_new`: fails with EEXIST when there is something.
*/
int cell_project_place(int root, const char *made, const char *name, int mode,
                       int is_new, struct cell_error *error);
/* A new directory, of the owner of the one that holds it. */
int cell_project_directory(int root, const char *name,
                           struct cell_error *error);
/* Permission bits of what is there, unless it is a link. */
int cell_project_permit(int root, const char *name, uint32_t mode,
                        struct cell_error *error);
/* A directory only when it is empty. */
int cell_project_remove(int root, const char *name, int is_directory,
                        struct cell_error *error);

#endif
