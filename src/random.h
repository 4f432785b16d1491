/* random.h -- names and numbers that nobody can guess. */
#ifndef CELL_RANDOM_H
#define CELL_RANDOM_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

/* `length` characters of [a-z0-9] and a NUL after them. */
int cell_random_id(char *id, size_t length, struct cell_error *error);
/* Below 2^48: exact in every Lua number. */
int cell_random_number(uint64_t *number, struct cell_error *error);

#endif
