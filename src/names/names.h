/* names.h -- resolver.h by c-ares. */
#ifndef CELL_NAMES_H
#define CELL_NAMES_H

#include "../egress/resolver.h"

extern const struct cell_resolver_library cell_names_library;

#endif
