/* picture.h -- all files below the home at one moment, to be compared with the
** next one.
**
** With watches a new picture is made of the old one: only directories in which
** something has happened are listed again.
*/
#ifndef CELL_PICTURE_H
#define CELL_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#define PICTURE_FILES_MAX 65536u
#define PICTURE_UNWATCHED_MAX                                                  \
  4096u /* files, where each time all are listed                               \
         */
#define PICTURE_DIRECTORIES_MAX 8192u
#define PICTURE_LEVELS_MAX 64u /* what lies deeper is left out */

struct picture_file {
  const char *path;   /* below the home */
  uint32_t directory; /* that it is in */
  uint64_t inode, size;
  int64_t modified; /* ns */
  int touched;      /* was written to since */
};

struct picture_directory {
  const char *path; /* "" or "a/b/" */
  uint64_t inode;
  int watch;       /* -1: none */
  uint32_t parent; /* an earlier one */
  uint32_t next;   /* what became of it in the next picture, or GONE */
  int changed;     /* something happened in it since */
  int confirmed;   /* its parent was listed again, and it was there */
  int is_cut;      /* what is below it is too deep */
};

#define PICTURE_GONE UINT32_MAX

/* In one mapping, of which only what is used has memory. */
struct picture {
  struct picture_file *files;            /* by path; NULL: no picture */
  struct picture_file *found;            /* while it is taken */
  struct picture_directory *directories; /* parents first */
  uint32_t *by_watch, *by_inode;         /* directories */
  char *text;
  size_t file_count, found_count, directory_count, text_used;
  int64_t newest; /* time of a file that was found for it */
  int is_cut;     /* one of the directories is */
};

/* Fills *next. Made of *old with `inotify`, unless old has no picture or
** `inotify` is -1. 0, E2BIG when there is more than fits, EUSERS when not all
** directories could be watched, or another errno; then *next is closed.
*/
int picture_take(struct picture *next, struct picture *old, int inotify);
/* The directory that has this watch, or NULL. */
struct picture_directory *picture_watched(struct picture *picture, int watch);
/* The file `path`, or NULL. */
struct picture_file *picture_find(struct picture *picture, const char *path);
int picture_order(const struct picture_file *one,
                  const struct picture_file *other);
void picture_close(struct picture *picture);

#endif
