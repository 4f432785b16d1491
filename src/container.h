/* container.h -- from what is embedded in a struct to the struct. */
#ifndef CELL_CONTAINER_H
#define CELL_CONTAINER_H

#include <stddef.h>

#define CELL_CONTAINER(pointer, type, member)                                  \
  ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
