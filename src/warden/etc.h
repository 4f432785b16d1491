/* etc.h -- the /etc of a sandbox.
**
** From the host come the entries that programs need and that tell nothing of
** its people; passwd and the like are written.
*/
#ifndef CELL_ETC_H
#define CELL_ETC_H

/* Fills root/etc, an empty directory. -1 and errno. */
int etc_build(int root);

#endif
