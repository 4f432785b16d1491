/* etc.h -- the /etc of a sandbox.
**
** From where its programs come from, the host or a folder, it has the entries
** that programs need and that tell nothing of people; passwd and the like are
** written.
*/
#ifndef CELL_ETC_H
#define CELL_ETC_H

/* Fills root/etc, an empty directory, from source/etc. -1 and errno. */
int etc_build(int source, int root);

#endif
