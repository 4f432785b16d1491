/* utf8.h -- what in a text is UTF-8, and where it may be cut. */
#ifndef CELL_UTF8_H
#define CELL_UTF8_H

#include <stddef.h>

/* Length of the longest prefix that does not end inside a character. At most
** three bytes are left out; bytes that are not UTF-8 count as characters.
*/
size_t cell_utf8_prefix(const unsigned char *bytes, size_t length);
/* How many continuation bytes (at most 3) stand at the start. */
size_t cell_utf8_suffix(const unsigned char *bytes, size_t length);
/* Bytes of the character at the start; 0: there is no valid one. */
size_t cell_utf8_character(const unsigned char *bytes, size_t length);
/* With U+FFFD for each byte that was not UTF-8: the size of that, and in `to`,
** unless it is NULL, the bytes.
*/
size_t cell_utf8_repair(const unsigned char *bytes, size_t length,
                        unsigned char *to);

#endif
