/* request.h -- an HTTP request as its server gets it: alone on its connection.
**
** A connection is decided by the first request on it, so that one must be the
** last: the server is told to close it. A wish to go on with a web socket is
** passed on as well: whoever does that looks at the answer.
*/
#ifndef CELL_REQUEST_H
#define CELL_REQUEST_H

#include "head.h"

/* `bytes` are the head and what has come after it, `size` in all. `authority`
** is that of an absolute target, which is cut to its path, and nothing is
** upgraded; or NULL: the target and its Host stay. 0, with *text to be freed;
*-1: there is no memory.
*/
int cell_request_write(const struct cell_head *head, const unsigned char *bytes,
                       size_t size, const char *authority,
                       size_t authority_length, unsigned char **text,
                       size_t *text_size);

#endif
