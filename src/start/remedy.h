/* remedy.h -- what to do about a sandbox that could not be started. */
#ifndef CELL_REMEDY_H
#define CELL_REMEDY_H

#include "../error.h"

/* Fill *error from what the stem or a warden says: the stage that failed, its
** errno and a detail (a path, or ""). UNSUPPORTED when the machine or its
** settings lack something, SYSTEM otherwise; with the remedy as the hint.
** Returns -1.
*/
int cell_remedy(struct cell_error *error, const char *stage, int number,
                const char *detail);

#endif
