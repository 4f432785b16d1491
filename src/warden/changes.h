/* changes.h -- which files below the home have changed since somebody asked.
**
** Two pictures of all files are compared, so that nothing depends on events
** having arrived. An inotify instance only tells that a picture may be out of
** date: the host has a copy of it, and asks when it is readable. It also tells
** of files that were written within one tick of the clock, where two pictures
** look the same.
*/
#ifndef CELL_CHANGES_H
#define CELL_CHANGES_H

#include <stddef.h>
#include <stdint.h>

#define CHANGES_FILES_MAX 32768u
#define CHANGES_DIRECTORIES_MAX 8192u
#define CHANGES_LEVELS_MAX 64u /* what lies deeper is left out */

struct changes_file {
  const char *path; /* below the home */
  uint64_t inode, size;
  int64_t modified; /* ns */
  int touched;      /* was written to since */
};

struct changes_directory {
  const char *path;
  int watch;
};

/* In one mapping, of which only what is used has memory. */
struct changes_picture {
  struct changes_file *files;            /* by path */
  struct changes_directory *directories; /* by watch */
  char *text;
  size_t file_count, directory_count, text_used;
  int partial; /* there was more than fits */
};

struct changes {
  int inotify;  /* -1: none yet, or it cannot be had */
  int given_up; /* it could not watch all directories, and is not tried again */
  struct changes_picture picture; /* files NULL: none yet */
};

struct warden;

/* Answers CHANGES. */
void changes_serve(struct warden *warden);

#endif
