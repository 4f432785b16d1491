/* list.h -- what a directory of the host holds, for an upload.
**
** The caller named the directory, so its own path may be a link; nothing below
** it is followed.
*/
#ifndef CELL_HOST_LIST_H
#define CELL_HOST_LIST_H

#include "../error.h"

#include <stddef.h>
#include <stdint.h>

struct cell_host_entry {
  char name[256];
  int is_directory;
  int is_link;
  uint32_t mode;     /* permission bits */
  uint64_t size;     /* bytes */
  int64_t modified;  /* seconds since 1970 */
  char target[4096]; /* of a link */
};

struct cell_host_list;

/* Open the directory; NULL with *error. Blocks as the file system does. */
struct cell_host_list *cell_host_list_open(const char *path,
                                           struct cell_error *error);
/* The next file, directory or link, in no order; sockets, devices and the like
** are passed over. 1, 0 at the end, or -1.
*/
int cell_host_list_next(struct cell_host_list *list,
                        struct cell_host_entry *entry,
                        struct cell_error *error);
/* NULL is fine. */
void cell_host_list_close(struct cell_host_list *list);

#endif
