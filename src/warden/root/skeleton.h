/* skeleton.h -- the read-only root that all sandboxes of a stem share.
**
** Built once, in a mount namespace of the stem. It holds everything but what is
** writable or belongs to a PID namespace; for these it has the mount points.
*/
#ifndef CELL_SKELETON_H
#define CELL_SKELETON_H

#include "../failure.h"

#include <stddef.h>

/* A directory of the host outside /usr that is bound at the same path, or the
** one that the programs come from.
*/
struct skeleton_bind {
  const char *path; /* absolute; of the caller, who keeps it */
  int tree;         /* its mount, opened but not attached; -1: not yet */
};

/* Open what only the caller's present uid may reach. Needs CAP_SYS_ADMIN.
** source: the folder with the programs; its path is "" for the host's own root.
*/
int skeleton_open(struct skeleton_bind *source, struct skeleton_bind *binds,
                  size_t count, struct failure *failure);
/* Build it and make it the root of the calling process, whose mount namespace
** is its own and private. Takes the trees of source and binds. Of a folder it
** takes the same parts as of the host, and /opt; it follows no link of it. gpu:
** with the devices of GPUs.
*/
int skeleton_build(struct skeleton_bind *source, struct skeleton_bind *binds,
                   size_t count, int gpu, struct failure *failure);

#endif
