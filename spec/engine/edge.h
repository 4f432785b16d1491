/* edge.h -- inputs whose end is the end of the memory: who reads past it dies.
 */
#ifndef CELL_EDGE_H
#define CELL_EDGE_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EDGE_ROOM 65536u

/* A copy of the bytes, of which there are at most EDGE_ROOM; good until the
** next one.
*/
static unsigned char *at_the_edge(const void *bytes, size_t size)
{
  static unsigned char *room;
  unsigned char *at;

  if (room == NULL) {
    room = mmap(NULL, 2 * EDGE_ROOM, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED ||
        mprotect(room + EDGE_ROOM, EDGE_ROOM, PROT_NONE) < 0)
      abort();
  }
  at = room + EDGE_ROOM - size;
  if (size > 0)
    memcpy(at, bytes, size);
  return at;
}

#endif
