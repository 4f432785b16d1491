/* stem.h -- the process that makes all sandboxes of a reactor. */
#ifndef CELL_WARDEN_STEM_H
#define CELL_WARDEN_STEM_H

#include <stddef.h>

/* Serves the channel until the host ends or nothing is left to do. title:
** argv[0] with room for a warden's own. Returns the exit status.
*/
int stem_run(char *title, size_t title_size);

#endif
