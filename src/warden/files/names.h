/* names.h -- the names in a directory, in order, however many there are. */
#ifndef CELL_NAMES_H
#define CELL_NAMES_H

#include <stddef.h>

struct names {
  char **list; /* sorted by their bytes, each once */
  size_t count;
  char *bytes; /* private */
  size_t used, size;
};

/* Those of the directory `fd` (taken) besides those that are there. 0 or an
** errno.
*/
int names_read(struct names *names, int fd);
/* Sort them; no more are read after it. 0 or an errno. */
int names_sort(struct names *names);
void names_free(struct names *names);

#endif
