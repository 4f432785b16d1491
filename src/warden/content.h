/* content.h -- what is in a regular file: sent, replaced. */
#ifndef CELL_CONTENT_H
#define CELL_CONTENT_H

#include "../pack.h"

#include <stdint.h>

#define CONTENT_DIRECT (256u * 1024u) /* what the warden copies itself */

/* What is to be written, as FILE_WRITE says it. */
struct content {
  uint32_t mode, flags;
  uint64_t length;
  const unsigned char *bytes; /* inside the message */
  size_t count;
  int source; /* or -1: in bytes */
};

/* Answers CONTENT. 0, or an errno and nothing is answered. */
int content_send(int channel, uint64_t request, const char *path,
                 uint64_t offset, uint64_t length);

void content_read(struct content *content, struct cell_unpacker *unpacker,
                  int source);
/* Open the file, made with its parents if need be, and empty it. 0 or errno. */
int content_open(const struct content *content, const char *path, int *fd);
/* Fill it. 0 or an errno. */
int content_copy(const struct content *content, int fd);

#endif
