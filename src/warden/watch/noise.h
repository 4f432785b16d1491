/* noise.h -- what programs keep for themselves: caches, histories, packages. */
#ifndef CELL_NOISE_H
#define CELL_NOISE_H

/* 1 if the file or directory is no change to tell. `path` is that below the
** home, `name` the last part of it.
*/
int noise_is(const char *path, const char *name);

#endif
