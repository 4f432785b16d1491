/* stems.h -- the stems of a reactor: that of the host's programs, and one for
** each other folder with programs that was asked for lately.
*/
#ifndef CELL_STEMS_H
#define CELL_STEMS_H

#include "stem.h"

struct cell_stems;

struct cell_stems *cell_stems_new(struct cell_reactor *reactor,
                                  struct cell_error *error);
void cell_stems_free(struct cell_stems *stems);
/* That of the folder `root`, as of cell_stem_new, whose sandboxes have GPUs or
** not; made when it is asked for first. Borrowed until it is idle and another
** one is asked for.
*/
struct cell_stem *cell_stems_find(struct cell_stems *stems, const char *root,
                                  int gpu, struct cell_error *error);

#endif
