/* name.h -- the name of a host, in the one form that all decisions see. */
#ifndef CELL_NAME_H
#define CELL_NAME_H

#include <stddef.h>
#include <stdint.h>

#define CELL_NAME_SIZE 254 /* 253 characters and a NUL */

/* Lower case, without one final dot: letters, digits, '-' and '_' in labels of
** 1 to 63, 253 in all. A name beyond ASCII is written as xn--... Nothing that
** some resolver reads as an address: its last label is no number. 0, or -1.
*/
int cell_name_read(char name[CELL_NAME_SIZE], const char *text, size_t length);
/* Whether `name` is below `above`: "a.b.example" is below "example", which is
** not below itself.
*/
int cell_name_is_below(const char *name, const char *above);
/* "localhost", or below it: the sandbox itself. */
int cell_name_is_local(const char *name);
/* Decimal digits alone, 1 to 65535; 0: it is no port. */
uint16_t cell_name_port(const char *text, size_t length);

#endif
