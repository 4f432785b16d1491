/* setup.h -- what a stem is told first: how the root of its sandboxes is made.
 */
#ifndef CELL_SETUP_H
#define CELL_SETUP_H

#include "../../wire/protocol.h"
#include "../failure.h"
#include "../root/skeleton.h"
#include "../wire.h"

struct setup {
  uint32_t flags;              /* enum cell_setup_flag */
  struct skeleton_bind source; /* where the programs come from */
  struct skeleton_bind binds[CELL_BINDS_MAX];
  size_t bind_count;
  struct wire_message message; /* the paths lie in it */
};

/* Waits for it. */
int setup_read(struct setup *setup, int channel, struct failure *failure);

#endif
