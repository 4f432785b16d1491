/* attributes.h -- what users have noted of a file, in its extended attributes.
**
** As one value of the protocol: "name" NUL "value" NUL, again and again, of at
** most CELL_METADATA_MAX bytes, all of them printable. Where the file system
** keeps none, there are none.
*/
#ifndef CELL_ATTRIBUTES_H
#define CELL_ATTRIBUTES_H

#include <stddef.h>

/* Of the file directory/name, no link followed, or with name "" of the open
** file `directory`. Returns how many bytes; what does not fit is left out.
** With a name the working directory is `directory` afterwards: attributes are
** asked for by path alone.
*/
size_t attributes_read(int directory, const char *name, unsigned char *bytes,
                       size_t size);
/* Have those and no others. 0 or an errno: EOPNOTSUPP, ENOSPC, EINVAL. */
int attributes_replace(int fd, const unsigned char *bytes, size_t count);

#endif
