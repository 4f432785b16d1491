/* changes.h -- which files below the home have changed since somebody asked.
**
** Two pictures of all files are compared. An inotify instance tells when a new
** one is needed, and of which directories; the host has a copy of it, and asks
** when it is readable.
*/
#ifndef CELL_CHANGES_H
#define CELL_CHANGES_H

#include "picture.h"

struct changes {
  int inotify;  /* -1: none yet, or it cannot be had */
  int given_up; /* it could not watch all directories, and is not tried again */
  struct picture picture;
  int64_t again; /* ms: too many files until then, at least */
};

struct warden;

/* Answers CHANGES. */
void changes_serve(struct warden *warden);

#endif
