/* datagram.h -- a message to a program of this machine that takes datagrams at
** a socket with a path, such as /dev/log. Nothing blocks, nothing stays open.
*/
#ifndef CELL_HOST_DATAGRAM_H
#define CELL_HOST_DATAGRAM_H

#include "../error.h"

#include <stddef.h>

/* 0, or -1: CELL_NOT_FOUND, CELL_UNAVAILABLE when it takes no more just now,
** CELL_LIMIT_EXCEEDED when the message is too long for it, ...
*/
int cell_datagram_send(const char *path, const void *bytes, size_t size,
                       struct cell_error *error);

#endif
