/* hierarchy.h -- where the control groups of the calling process are. */
#ifndef CELL_HIERARCHY_H
#define CELL_HIERARCHY_H

#include <stddef.h>

/* The directory of our own group in the version 1 hierarchy of `controller`, or
** with "" in that of version 2. -1: there is none, or it is not in sight.
*/
int hierarchy_find(const char *controller, char *path, size_t size);

#endif
