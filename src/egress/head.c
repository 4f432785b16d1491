/* head.c -- see head.h. */
#include "head.h"

#include <string.h>
#include <strings.h>

#define METHOD_MAX 20

int cell_head_is(const char *name, size_t length, const char *wanted)
{
  return length == strlen(wanted) && strncasecmp(name, wanted, length) == 0;
}

static int is_method(unsigned char letter)
{
  return (letter >= 'A' && letter <= 'Z') || letter == '-' || letter == '_';
}

int cell_head_begins(const unsigned char *bytes, size_t size)
{
  size_t i;

  for (i = 0; i < size && i < METHOD_MAX; i++)
    if (!is_method(bytes[i]))
      return i > 0 && bytes[i] == ' ';
  return size > 0 && size < METHOD_MAX;
}

/* A letter of a field's name. */
static int is_token(unsigned char letter)
{
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
         (letter >= 'A' && letter <= 'Z') ||
         (letter > ' ' && letter < 127 && strchr("!#$%&'*+-.^_`|~", letter));
}

/* Where the line at `from` ends (at its CR), or 0: not yet, or -1: it holds
** what no line does.
*/
static long line_end(const unsigned char *bytes, size_t from, size_t size)
{
  size_t i;

  for (i = from; i < size; i++) {
    if (bytes[i] == '\r')
      return i + 1 == size ? 0 : bytes[i + 1] == '\n' ? (long)i : -1;
    if ((bytes[i] < ' ' && bytes[i] != '\t') || bytes[i] == 127)
      return -1;
  }
  return 0;
}

/* "METHOD target HTTP/1.x", one space between. */
static int read_line(struct cell_head *head, const char *line, size_t length)
{
  const char *first = memchr(line, ' ', length), *second;
  size_t rest;

  if (first == NULL || first == line)
    return -1;
  head->method = line;
  head->method_length = (size_t)(first - line);
  head->target = first + 1;
  rest = length - head->method_length - 1;
  second = rest > 0 ? memchr(head->target, ' ', rest) : NULL;
  if (second == NULL || second == head->target)
    return -1;
  head->target_length = (size_t)(second - head->target);
  rest -= head->target_length + 1;
  return rest == 8 && memcmp(second + 1, "HTTP/1.", 7) == 0 &&
             (second[8] == '0' || second[8] == '1')
           ? 0
           : -1;
}

int cell_head_field(const struct cell_head *head, const unsigned char *bytes,
                    size_t *at, const char **name, size_t *name_length,
                    const char **value, size_t *value_length)
{
  const char *line = (const char *)bytes + *at;
  const char *colon, *from, *to;
  long end;

  if (*at >= head->length - 2)
    return 0;
  end = line_end(bytes, *at, head->length);
  colon = end > 0 ? memchr(line, ':', (size_t)end - *at) : NULL;
  if (colon == NULL)
    return 0;
  *name = line;
  *name_length = (size_t)(colon - line);
  from = colon + 1;
  to = (const char *)bytes + end;
  while (from < to && (*from == ' ' || *from == '\t'))
    from++;
  while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
    to--;
  *value = from;
  *value_length = (size_t)(to - from);
  *at = (size_t)end + 2;
  return 1;
}

/* Every line is a field. The end of the head, 0: not there yet, -1. */
static long check_lines(const unsigned char *bytes, size_t from, size_t size)
{
  for (;;) {
    long end = line_end(bytes, from, size);
    size_t i = from;

    if (end <= 0)
      return end;
    if ((size_t)end == from)
      return end + 2;
    while (is_token(bytes[i]))
      i++;
    if (i == from || bytes[i] != ':')
      return -1;
    from = (size_t)end + 2;
  }
}

static int is_number(const char *text, size_t length)
{
  size_t i;

  for (i = 0; i < length; i++)
    if (text[i] < '0' || text[i] > '9')
      return 0;
  return length > 0 && length < 20;
}

static int holds(const char *text, size_t length, const char *wanted)
{
  size_t size = strlen(wanted);

  for (; length >= size; text++, length--)
    if (cell_head_is(text, size, wanted))
      return 1;
  return 0;
}

/* What decides where a request ends and whom it is for is there once. */
static int check_fields(struct cell_head *head, const unsigned char *bytes)
{
  const char *name, *value;
  size_t at = head->line, name_length, value_length;
  int hosts = 0, lengths = 0, wrong = 0;

  while (cell_head_field(head, bytes, &at, &name, &name_length, &value,
                         &value_length)) {
    if (cell_head_is(name, name_length, "host")) {
      hosts++;
      head->host = value;
      head->host_length = value_length;
    } else if (cell_head_is(name, name_length, "content-length")) {
      lengths++;
      wrong |= !is_number(value, value_length);
    } else if (cell_head_is(name, name_length, "transfer-encoding")) {
      lengths++;
      wrong |= !cell_head_is(value, value_length, "chunked");
    } else if (cell_head_is(name, name_length, "upgrade")) {
      /* Then no request could be looked at. */
      wrong |= holds(value, value_length, "h2c");
      head->upgrades = cell_head_is(value, value_length, "websocket");
    }
  }
  return hosts > 1 || lengths > 1 || wrong ? -1 : 0;
}

int cell_head_read(struct cell_head *head, const unsigned char *bytes,
                   size_t size)
{
  long end, length;

  memset(head, 0, sizeof *head);
  if (!cell_head_begins(bytes, size))
    return -1;
  end = line_end(bytes, 0, size);
  if (end <= 0)
    return end < 0 || size >= CELL_HEAD_MAX ? -1 : 0;
  if (read_line(head, (const char *)bytes, (size_t)end) < 0)
    return -1;
  head->line = (size_t)end + 2;
  length = check_lines(bytes, head->line, size);
  if (length <= 0)
    return length < 0 || size >= CELL_HEAD_MAX ? -1 : 0;
  head->length = (size_t)length;
  return check_fields(head, bytes) < 0 ? -1 : 1;
}
