/* differences.h -- what was changed below an overlay, by comparing what was
** written with what lies under it. Whoever wrote it is hostile: no link is
** followed, nothing is opened that could make us wait, all is bounded.
*/
#ifndef CELL_DIFFERENCES_H
#define CELL_DIFFERENCES_H

#include "../root/mounts.h"

/* Send what is different in the overlay `index` as DIFFERENCES, at most `most`
** of them. 0, E2BIG when not all was told, or another errno.
*/
int differences_send(int channel, uint64_t request, const struct mounts *mounts,
                     size_t index, uint32_t most);

#endif
