/* session.h -- kernels that are forked from a zygote instead of executed.
**
** The warden asks for one, over a socket that all wardens of the stem write to,
** once and before any code has run in the sandbox: then it has closed it. What
** becomes of the session is told over a socket of its own. It is a job like
** others, but for who reaps it: the stem.
*/
#ifndef CELL_WARDEN_SESSION_H
#define CELL_WARDEN_SESSION_H

#include "program.h"

struct job;
struct warden;

/* Ask for it, and own the job's socket. Returns an errno, and *stage. */
int session_start(struct warden *warden, const struct program *program,
                  struct job *job, const char **stage);
/* The job's socket is readable. */
void session_hear(struct warden *warden, struct job *job);
/* Code is about to run: nobody asks for one any more. */
void session_close(struct warden *warden);

#endif
