/* head.h -- the head of an HTTP request: its first line and its fields.
**
** The bytes are the sandbox's. What two readers might take for two things is
** refused: bare line ends, folded lines, NUL, space before a colon, two hosts,
** two lengths. Nothing here allocates or looks past the end.
*/
#ifndef CELL_HEAD_H
#define CELL_HEAD_H

#include <stddef.h>

#define CELL_HEAD_MAX 16384

struct cell_head {
  const char *method, *target, *host; /* into the bytes; host may be NULL */
  size_t method_length, target_length, host_length;
  size_t line;   /* bytes of the first line, with its end */
  size_t length; /* of all */
  int upgrades;  /* to a web socket */
};

/* Whether the bytes can begin a request at all: some letters of a method. */
int cell_head_begins(const unsigned char *bytes, size_t size);
/* 1: *head is filled. 0: more must come. -1: nothing that may pass. */
int cell_head_read(struct cell_head *head, const unsigned char *bytes,
                   size_t size);
/* The next field from *at on (first: head->line). 1, or 0 at the end. The name
** is followed by a colon; the value has no space around it.
*/
int cell_head_field(const struct cell_head *head, const unsigned char *bytes,
                    size_t *at, const char **name, size_t *name_length,
                    const char **value, size_t *value_length);
/* Compare a name, whatever its case. */
int cell_head_is(const char *name, size_t length, const char *wanted);

#endif
