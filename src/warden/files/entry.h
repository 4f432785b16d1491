/* entry.h -- a file as an entry of the protocol. */
#ifndef CELL_ENTRY_H
#define CELL_ENTRY_H

#include "../../wire/pack.h"
#include "../../wire/protocol.h"

#include <sys/types.h>

enum cell_entry_type entry_type(mode_t mode);

/* Describes the file itself that directory/name is, or with name "" the open
** file `directory`. `path` is what the host is told. 0 or an errno. The working
** directory may be another one afterwards.
*/
int entry_pack(struct cell_packer *packer, const char *path, int directory,
               const char *name);

#endif
