/* stems.c -- see stems.h. */
#include "stems.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct member {
  struct cell_stem *stem;
  struct member *next;
};

struct cell_stems {
  struct cell_reactor *reactor; /* of the stems, which keep it */
  struct member *members;       /* that of the host's programs is the last */
};

static int add(struct cell_stems *stems, const char *root,
               struct cell_error *error)
{
  struct member *member = calloc(1, sizeof *member);

  if (member == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "create a stem");
  member->stem = cell_stem_new(stems->reactor, root, error);
  if (member->stem == NULL) {
    free(member);
    return -1;
  }
  member->next = stems->members;
  stems->members = member;
  return 0;
}

static void drop(struct member **place)
{
  struct member *member = *place;

  *place = member->next;
  cell_stem_free(member->stem);
  free(member);
}

struct cell_stems *cell_stems_new(struct cell_reactor *reactor,
                                  struct cell_error *error)
{
  struct cell_stems *stems = calloc(1, sizeof *stems);

  if (stems == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "create a stem");
    return NULL;
  }
  stems->reactor = reactor;
  if (add(stems, "", error) < 0) {
    free(stems);
    return NULL;
  }
  return stems;
}

void cell_stems_free(struct cell_stems *stems)
{
  if (stems == NULL)
    return;
  while (stems->members != NULL)
    drop(&stems->members);
  free(stems);
}

/* Those of folders that nothing is left of. */
static void forget_idle(struct cell_stems *stems)
{
  struct member **place = &stems->members;

  while (*place != NULL && (*place)->next != NULL)
    if (cell_stem_is_idle((*place)->stem))
      drop(place);
    else
      place = &(*place)->next;
}

static struct member *find(struct cell_stems *stems, const char *root, int gpu)
{
  struct member *member = stems->members;

  while (member != NULL && (strcmp(cell_stem_root(member->stem), root) != 0 ||
                            cell_stem_has_gpu(member->stem) != gpu))
    member = member->next;
  return member;
}

struct cell_stem *cell_stems_find(struct cell_stems *stems, const char *root,
                                  int gpu, struct cell_error *error)
{
  struct member *member = find(stems, root, gpu);
  struct member *like = gpu ? find(stems, root, 0) : NULL;

  if (member == NULL) {
    forget_idle(stems);
    if (add(stems, root, error) < 0)
      return NULL;
    member = stems->members;
    if (gpu)
      cell_stem_want_gpu(member->stem);
    like = gpu ? find(stems, root, 0) : NULL;
  }
  if (like != NULL && cell_stem_bind_as(member->stem, like->stem, error) < 0)
    return NULL;
  return member->stem;
}
