/* directory.h -- the names that a sandbox has asked for.
**
** Each has an address of its own in 198.18.0.0/15 for as long as the sandbox
** lives, never given to another name: so a connection to that address says
** which name was meant. And each has, for as long as a name server said, the
** addresses that it really has.
*/
#ifndef CELL_DIRECTORY_H
#define CELL_DIRECTORY_H

#include "../reactor/reactor.h"
#include "name.h"
#include "resolver.h"

#define CELL_DIRECTORY_MAX 4096 /* names */

struct cell_directory;
struct cell_resident; /* a name */

/* Who waits for the addresses of a name. Embed it; zero it before use. */
struct cell_lookup {
  struct cell_resident *resident; /* private: NULL: it does not wait */
  struct cell_lookup *next;
  /* Inside a step. May ask again, and may free the lookup. */
  void (*found)(struct cell_lookup *lookup,
                const struct cell_resolver_answer *answer);
};

/* Asks no name server before the first cell_directory_resolve. */
struct cell_directory *
cell_directory_new(struct cell_reactor *reactor,
                   const struct cell_resolver_library *library,
                   const char *servers, struct cell_error *error);
/* Nobody who waits is told. */
void cell_directory_free(struct cell_directory *directory);
/* The name's entry, made if it is new. NULL: no room for another one. */
struct cell_resident *cell_directory_enter(struct cell_directory *directory,
                                           const char *name);
/* Which name that address was given to; NULL: none. */
struct cell_resident *cell_directory_at(const struct cell_directory *directory,
                                        const struct cell_address *address);
/* 1 if it is in the range that the given addresses are of. */
int cell_directory_gives(const struct cell_address *address);
const char *cell_resident_name(const struct cell_resident *resident);
void cell_resident_address(const struct cell_resident *resident,
                           struct cell_address *address);
/* The answer if it is known now; else NULL, and lookup->found hears it. */
const struct cell_resolver_answer *
cell_directory_resolve(struct cell_directory *directory,
                       struct cell_resident *resident,
                       struct cell_lookup *lookup);
/* Not interested any more. Idempotent. */
void cell_lookup_cancel(struct cell_lookup *lookup);

#endif
