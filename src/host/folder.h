/* folder.h -- a folder of the host that a sandbox is to have. */
#ifndef CELL_HOST_FOLDER_H
#define CELL_HOST_FOLDER_H

#include "../error.h"
#include "../wire/protocol.h"

#include <sys/types.h>

struct cell_host_folder {
  int fd;                   /* a directory, open for reading; owned */
  char path[CELL_PATH_MAX]; /* canonical: no link is in it */
  uid_t uid;
  gid_t gid;
  double opened_at; /* seconds since 1970, as the time of files is kept */
  int for_root;     /* this program has the rights of root */
  int is_ours;      /* the code of a sandbox is its owner, or is made so */
};

/* Opened once, itself no link. Refuses what shows the kernel and its devices,
** and the root. 0, or -1 and nothing is open.
*/
int cell_host_folder_open(struct cell_host_folder *folder, const char *path,
                          struct cell_error *error);

#endif
