/* base64.h -- base64 (RFC 4648, section 4) of bytes. */
#ifndef CELL_BASE64_H
#define CELL_BASE64_H

#include <stddef.h>

/* Bytes that the encoding of `size` bytes has, padding included. */
size_t cell_base64_length(size_t size);
/* Writes exactly cell_base64_length(size) bytes, without line ends or NUL. */
void cell_base64_encode(const void *bytes, size_t size, char *text);
/* Bytes that come out at most. */
size_t cell_base64_room(size_t length);
/* Line ends between the letters are passed over; padding may be left out.
** Returns the count of bytes, -1 if it is no base64.
*/
long cell_base64_decode(const char *text, size_t length, void *bytes);

#endif
