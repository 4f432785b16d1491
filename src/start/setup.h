/* setup.h -- what a stem is told first: where the programs of its sandboxes
** are, which directories these see besides, and what else it is to keep.
**
** A process of the stem has the setup that it was started with. What changes
** one answers 1 if such a process has another one than the next is to have, 0
** if not; those that can fail answer -1 with *error filled in, and have
** changed nothing.
*/
#ifndef CELL_START_SETUP_H
#define CELL_START_SETUP_H

#include "../error.h"
#include "../wire/protocol.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cell_setup {
  char *root;           /* owned; "": the programs of the host */
  unsigned char *bytes; /* owned: the payload of STEM_SETUP */
  size_t length;
  uint32_t flags; /* enum cell_setup_flag */
  dev_t device;   /* of the folder at `root`, as it was last looked at: */
  ino_t number;   /* another one at the same path is another one */
};

/* On failure there is nothing to close. */
int cell_setup_open(struct cell_setup *setup, const char *root,
                    struct cell_error *error);
/* Safe to call twice, and for a zeroed one. */
void cell_setup_close(struct cell_setup *setup);
int cell_setup_bind(struct cell_setup *setup, const char *const *paths,
                    size_t count, struct cell_error *error);
/* Have the binds of another one, of the same root. */
int cell_setup_bind_as(struct cell_setup *setup, const struct cell_setup *other,
                       struct cell_error *error);
int cell_setup_flag(struct cell_setup *setup, enum cell_setup_flag flag);
/* Look whether the folder at `root` is there, and which it is. */
int cell_setup_look(struct cell_setup *setup, struct cell_error *error);

#endif
