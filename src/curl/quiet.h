/* quiet.h -- calls that may write to a socket whose peer is gone.
**
** TLS of an older libcurl writes in a way that raises SIGPIPE, and what that
** does is the host's to decide: the signal is held back meanwhile, and one that
** was raised here is taken away.
*/
#ifndef CELL_QUIET_H
#define CELL_QUIET_H

#include <signal.h>

struct cell_quiet {
  sigset_t mask; /* as it was */
  int was_pending;
};

void cell_quiet_begin(struct cell_quiet *quiet);
void cell_quiet_end(struct cell_quiet *quiet); /* keeps errno */

#endif
