/* request.c -- see request.h. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

#define CLOSE "Connection: close\r\n\r\n"
#define UPGRADE "Connection: Upgrade, close\r\n\r\n"

struct text {
  unsigned char *bytes;
  size_t size;
};

static void append(struct text *text, const void *bytes, size_t size)
{
  memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
}

static void write_target(struct text *text, const struct cell_head *head,
                         const char *authority, size_t authority_length)
{
  const char *path = authority + authority_length;
  size_t length = (size_t)(head->target + head->target_length - path);

  append(text, head->method, head->method_length);
  append(text, " ", 1);
  if (length == 0 || path[0] != '/')
    append(text, "/", 1);
  append(text, path, length);
  append(text, " HTTP/1.1\r\nHost: ", 17);
  append(text, authority, authority_length);
  append(text, "\r\n", 2);
}

int cell_request_write(const struct cell_head *head, const unsigned char *bytes,
                       size_t size, const char *authority,
                       size_t authority_length, unsigned char **text,
                       size_t *text_size)
{
  const char *name, *value;
  size_t at = head->line, name_length, value_length;
  struct text written = {malloc(2 * size + 128), 0};
  int upgrades = authority == NULL && head->upgrades;

  if (written.bytes == NULL)
    return -1;
  if (authority != NULL)
    write_target(&written, head, authority, authority_length);
  else
    append(&written, bytes, head->line);
  while (cell_head_field(head, bytes, &at, &name, &name_length, &value,
                         &value_length)) {
    if (cell_head_is(name, name_length, "connection") ||
        cell_head_is(name, name_length, "keep-alive") ||
        (name_length > 6 && cell_head_is(name, 6, "proxy-")) ||
        (!upgrades && cell_head_is(name, name_length, "upgrade")) ||
        (authority != NULL && cell_head_is(name, name_length, "host")))
      continue;
    append(&written, name, name_length);
    append(&written, ": ", 2);
    append(&written, value, value_length);
    append(&written, "\r\n", 2);
  }
  if (upgrades)
    append(&written, UPGRADE, sizeof UPGRADE - 1);
  else
    append(&written, CLOSE, sizeof CLOSE - 1);
  append(&written, bytes + head->length, size - head->length);
  *text = written.bytes;
  *text_size = written.size;
  return 0;
}
