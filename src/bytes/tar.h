/* tar.h -- what the headers of a tar stream say (POSIX ustar, pax, and what GNU
** tar writes where those have no room).
**
** For streams that come from a sandbox or go into one: whoever made the stream
** may be hostile. A name is taken only if it leads down; files, directories and
** links are all there is; set-user-ID is left out.
*/
#ifndef CELL_TAR_H
#define CELL_TAR_H

#include "../wire/protocol.h"

#include <stddef.h>
#include <stdint.h>

#define CELL_TAR_BLOCK 512u
#define CELL_TAR_EXTENSION_MAX 65536u

enum cell_tar_type {
  CELL_TAR_FILE,
  CELL_TAR_DIRECTORY,
  CELL_TAR_LINK,     /* symbolic; its target may say anything */
  CELL_TAR_HARD_LINK /* another name for the member `target` */
};

struct cell_tar {
  const char *wrong; /* after CELL_TAR_WRONG: why */
  enum cell_tar_type type;
  char path[CELL_PATH_MAX]; /* "a/b": no "." or "..", no empty part; "" for the
                            ** directory that all is in */
  char target[CELL_PATH_MAX];
  uint32_t mode;    /* of 0777 */
  uint64_t size;    /* of what follows: a file's content, or an extension */
  int64_t modified; /* seconds since 1970 */
  /* What an extension said of the next member, and the kind of the last one. */
  unsigned char extension;
  char next_path[CELL_PATH_MAX], next_target[CELL_PATH_MAX];
  uint64_t next_size;
  int64_t next_modified;
  int has_size, has_modified;
};

enum cell_tar_step {
  CELL_TAR_MEMBER,    /* `size` bytes of content follow, and zeros to the next
                      ** block */
  CELL_TAR_EXTENSION, /* `size` bytes follow likewise: for cell_tar_extend */
  CELL_TAR_END,
  CELL_TAR_WRONG
};

/* Zeroed before the first block. */
enum cell_tar_step cell_tar_header(struct cell_tar *tar,
                                   const unsigned char block[CELL_TAR_BLOCK]);
/* 0, or -1 with `wrong`. Unknown keys are passed over. */
int cell_tar_extend(struct cell_tar *tar, const unsigned char *bytes,
                    size_t size);

#endif
