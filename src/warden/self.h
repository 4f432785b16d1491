/* self.h -- what a process of ours keeps, and shows to administrators. */
#ifndef CELL_SELF_H
#define CELL_SELF_H

#include <stddef.h>

/* argv[0] of the stem, which its clones overwrite. */
struct self_title {
  char *text;
  size_t size;
};

/* "word id", or "word" with id "". */
void self_name(const struct self_title *title, const char *word,
               const char *id);
/* Close all from 3 on but these, of which some may be -1. Sorts them. */
void self_keep_only(int *fds, size_t count);

#endif
