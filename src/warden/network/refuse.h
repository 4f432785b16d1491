/* refuse.h -- questions for names, where there is no network.
**
** Each is answered at once that there is no such name, and the name is told to
** the host, which so can say what would have allowed it. The bytes are the
** code's: nothing of them but a name in its one form goes further, and no more
** of those than the host has asked for.
*/
#ifndef CELL_REFUSE_H
#define CELL_REFUSE_H

#include "../../egress/name.h"

struct warden;

struct refuse {
  int names;     /* UDP, port 53; -1: a gateway has one of its own */
  uint32_t left; /* names that may be told */
  char told[CELL_NAME_SIZE];
};

/* Take what birth brought, unless there is a gateway. */
void refuse_start(struct warden *warden);
/* Questions have come. */
void refuse_serve(struct warden *warden);
/* Takes ASK_ON. */
void refuse_more(struct warden *warden);

#endif
