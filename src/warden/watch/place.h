/* place.h -- the directories that watchers watch. */
#ifndef CELL_PLACE_H
#define CELL_PLACE_H

#include "watch.h"

/* What is below a watcher's directory: "a/b", or name alone at its top. */
#define PLACE_NAME_SIZE CELL_PATH_MAX

/* The first place that has this watch, of watcher `from` or a later one, or
** NULL. It is valid until places come or go.
*/
struct watch_place *place_find(struct watches *watches, int watch,
                               unsigned from);
/* Watch the directory of a watcher, and with a recursive one all below it. 0 or
** an errno, as WATCH answers it.
*/
int place_add_root(struct watches *watches, unsigned watcher);
/* A directory `name` is new there: watch it and all below it, and tell what was
** in it before. What cannot be watched makes events lost.
*/
void place_add_new(struct watches *watches, unsigned watcher, const char *name);
/* `name` and what is below it is the watcher's no longer; "": all of it. */
void place_drop(struct watches *watches, unsigned watcher, const char *name);
/* The kernel has ended the watch. */
void place_forget(struct watches *watches, const struct watch_place *place);
/* 1, once, if the watcher was told of this name there by place_add_new. */
int place_was_made(struct watches *watches, const struct watch_place *place,
                   const char *name);

#endif
