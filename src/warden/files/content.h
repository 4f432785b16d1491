/* content.h -- what is in a regular file: sent, replaced. */
#ifndef CELL_CONTENT_H
#define CELL_CONTENT_H

#include "../../wire/pack.h"

#include <stddef.h>
#include <stdint.h>

/* What the warden copies itself; a helper copies what is longer. */
#define CONTENT_DIRECT ((size_t)256 * 1024)

/* What is to be written, as FILE_WRITE says it. */
struct content {
  uint32_t mode, flags;
  uint64_t length;
  const unsigned char *bytes; /* inside the message */
  size_t count;
  int source;                    /* or -1: in bytes */
  const unsigned char *metadata; /* inside the message */
  size_t metadata_count;
  int made; /* by content_open: the file was not there */
};

/* Answers CONTENT. 0, or an errno and nothing is answered. */
int content_send(int channel, uint64_t request, const char *path,
                 uint64_t offset, uint64_t length);

void content_read(struct content *content, struct cell_unpacker *unpacker,
                  int source);
/* Open the file, made with its parents if need be. 0 or errno. */
int content_open(struct content *content, const char *path, int *fd);
/* Fill it. 0 or an errno; without space for all of it, or for its metadata, an
** old file has its content still and a new one is removed.
*/
int content_copy(const struct content *content, const char *path, int fd);

#endif
