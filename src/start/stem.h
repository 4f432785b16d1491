/* stem.h -- the host's side of the process that makes all its sandboxes.
**
** One a reactor and folder with programs, started at the first create, remade
** when it has gone. Its end
** says nothing about the sandboxes it made. Nothing here blocks but the launch.
*/
#ifndef CELL_STEM_H
#define CELL_STEM_H

#include "../reactor/reactor.h"

#include <stddef.h>

struct cell_seed;
struct cell_stem;
struct cell_sandbox;

/* root: absolute path of a folder that holds the programs of its sandboxes, as
** the host's / does (an unpacked image, say); "" for the host's own.
*/
struct cell_stem *cell_stem_new(struct cell_reactor *reactor, const char *root,
                                struct cell_error *error);
/* Sandboxes of it live on, until their own channels are closed. */
void cell_stem_free(struct cell_stem *stem);
struct cell_reactor *cell_stem_reactor(struct cell_stem *stem);
const char *cell_stem_root(const struct cell_stem *stem);
/* Have it keep a zygote, made of *seed, which it takes. Before its first start.
 */
void cell_stem_plant(struct cell_stem *stem, struct cell_seed *seed);
/* Whether no process of it is left. */
int cell_stem_is_idle(const struct cell_stem *stem);
/* Directories outside /usr to bind read-only in every later sandbox. A change
** makes a new stem at the next create.
*/
int cell_stem_set_binds(struct cell_stem *stem, const char *const *paths,
                        size_t count, struct cell_error *error);
/* Later sandboxes may have folders of the host: from now on a process stays
** that can open them. Makes a new stem at the next create, once.
*/
void cell_stem_want_mounts(struct cell_stem *stem);
/* Its sandboxes have the devices of the machine's GPUs. Before its first start.
 */
void cell_stem_want_gpu(struct cell_stem *stem);
int cell_stem_has_gpu(const struct cell_stem *stem);
/* Have the binds of another one, which has the same root. */
int cell_stem_bind_as(struct cell_stem *stem, const struct cell_stem *other,
                      struct cell_error *error);
/* Start it now, so that the first create is fast. */
int cell_stem_start(struct cell_stem *stem, struct cell_error *error);
/* Keep it although there is no sandbox. */
int cell_stem_hold(struct cell_stem *stem, int hold, struct cell_error *error);

#endif
