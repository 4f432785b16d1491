/* refusals.c -- see refusals.h. */
#include "refusals.h"

#include <stdlib.h>
#include <string.h>

int cell_refusals_add(struct cell_refusals *refusals,
                      const struct cell_refusal *refusal)
{
  size_t i;

  if (refusals->kept == NULL)
    refusals->kept = calloc(CELL_REFUSALS_MAX, sizeof *refusals->kept);
  if (refusals->kept == NULL)
    return 0;
  for (i = 0; i < refusals->count; i++) {
    struct cell_refusal *known =
      &refusals->kept[(refusals->first + i) % CELL_REFUSALS_MAX];

    if (known->why == refusal->why && known->port == refusal->port &&
        strcmp(known->host, refusal->host) == 0) {
      known->times++;
      return 0;
    }
  }
  if (refusals->count == CELL_REFUSALS_MAX)
    return 0;
  i = (refusals->first + refusals->count++) % CELL_REFUSALS_MAX;
  refusals->kept[i] = *refusal;
  refusals->kept[i].times = 1;
  return 1;
}

int cell_refusals_take(struct cell_refusals *refusals,
                       struct cell_refusal *refusal)
{
  if (refusals->count == 0)
    return 0;
  *refusal = refusals->kept[refusals->first];
  refusals->first = (refusals->first + 1) % CELL_REFUSALS_MAX;
  refusals->count--;
  return 1;
}

void cell_refusals_clear(struct cell_refusals *refusals)
{
  free(refusals->kept);
  *refusals = (struct cell_refusals){0};
}
