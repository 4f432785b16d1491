/* tree.h -- whole directories: walked, listed, removed. */
#ifndef CELL_TREE_H
#define CELL_TREE_H

#include <dirent.h>
#include <stdint.h>

/* fdopendir that closes fd (taken) on failure too. */
DIR *tree_open(int fd);
/* "." and "..". */
int tree_is_dots(const char *name);
/* Send what is below directory `fd` (taken) as ENTRIES: at most `most`, `depth`
** levels. 0, E2BIG when there is more, or another errno. With `brief` nothing
** is sent unless it all fits one message and is few; else EAGAIN.
*/
int tree_list(int channel, uint64_t request, int fd, uint32_t depth,
              uint32_t most, int brief);
/* Remove all that is below directory `fd` (taken). 0 or an errno. */
int tree_empty(int fd);

#endif
