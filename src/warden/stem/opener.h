/* opener.h -- who takes folders of the host for the sandboxes of a stem.
**
** The stem has left the host's file systems, and with them the rights of a root
** host. This process has kept both: where the host is root it is root, in the
** host's own view; else it is the user, in a copy of that view that follows it.
** It is there only in a stem that was asked for it, and hears nobody but that.
*/
#ifndef CELL_OPENER_H
#define CELL_OPENER_H

#include "../../wire/protocol.h"
#include "../failure.h"
#include "../self.h"

#include <stdint.h>

/* A folder of the host, as the host has seen it. */
struct opener_wish {
  uint32_t mode;  /* enum cell_mount_mode */
  uint32_t flags; /* enum cell_mount_flag */
  const char *path;
  uint64_t device, inode;
};

/* As root before the rights are dropped, else in the user namespace, before the
** root is left. Returns a socket, or less than 0: an errno why there is none.
*/
int opener_start(int is_root, const struct self_title *title);
/* A mount of that folder, attached nowhere, or -1; of `opener` as it came from
** opener_start. What is mounted below the folder is not in it. Of a root host
** its owner is made the sandbox's user.
*/
int opener_open(int opener, const struct opener_wish *wish,
                struct failure *failure);

#endif
