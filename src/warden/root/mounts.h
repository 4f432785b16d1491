/* mounts.h -- folders of the host that a sandbox has.
**
** The stem reads what is wanted and has the folders opened; the warden, its
** clone, makes of them what the code sees.
*/
#ifndef CELL_MOUNTS_H
#define CELL_MOUNTS_H

#include "../../wire/pack.h"
#include "../stem/opener.h"

struct mounts_place {
  uint32_t mode;
  char path[CELL_MOUNT_PATH_MAX]; /* inside */
  /* Mounts attached nowhere; of an overlay they stay open, to be compared with
  ** what lies over them. */
  int folders[CELL_FOLDERS_MAX];
  size_t count;
  int tree;  /* an overlay that is not attached yet, or -1 */
  int upper; /* what was written to it, or -1 */
};

struct mounts {
  struct mounts_place list[CELL_MOUNTS_MAX];
  size_t count;
};

/* Of the rest of a CREATE. On failure nothing is open; failure->detail is the
** place in the list, "mounts[2]".
*/
int mounts_read(struct mounts *mounts, int opener,
                struct cell_unpacker *unpacker, struct failure *failure);
void mounts_close(struct mounts *mounts);
/* Room for CELL_FOLDERS_MAX descriptors; returns how many there are. */
size_t mounts_descriptors(const struct mounts *mounts, int *fds);

/* In the warden, while the root of its store is at CELL_HOME: the overlays. */
int mounts_prepare(struct mounts *mounts, struct failure *failure);
/* The overlay that is to be the home, or NULL. */
struct mounts_place *mounts_home(struct mounts *mounts);
/* All others, once home and /tmp are there. */
int mounts_attach(struct mounts *mounts, struct failure *failure);

#endif
