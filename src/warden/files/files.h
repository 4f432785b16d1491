/* files.h -- files inside, for the host.
**
** Every path is resolved here, inside, where a link leads nowhere else. What
** may take long is done by a forked helper, so that the warden goes on watching
** its channel; the helper's exit status is the errno, and the warden answers,
** so that code which kills a helper cannot cause two answers or none.
*/
#ifndef CELL_FILES_H
#define CELL_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HELPERS_MAX 64

struct helper {
  pid_t pid;
  uint64_t request;
  int fd; /* of the file written, to be described in the answer; or -1 */
};

struct helpers {
  struct helper list[HELPERS_MAX];
  size_t count;
};

struct warden;

/* Answer a FILE message, sooner or later. */
void files_serve(struct warden *warden);
/* 1 if pid was a helper: its question is answered. */
int files_reaped(struct warden *warden, pid_t pid, int status);

#endif
