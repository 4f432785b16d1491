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

struct cell_stem *cell_stems_find(struct cell_stems *stems, const char *root,
                                  struct cell_error *error)
{
  struct member *member = stems->members;

  while (member != NULL && strcmp(cell_stem_root(member->stem), root) != 0)
    member = member->next;
  if (member != NULL)
    return member->stem;
  forget_idle(stems);
  return add(stems, root, error) == 0 ? stems->members->stem : NULL;
}
