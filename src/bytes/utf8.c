/* utf8.c -- see utf8.h. */
#include "utf8.h"

#include <string.h>

static const unsigned char replacement[] = {0xef, 0xbf, 0xbd}; /* U+FFFD */

static int continues(unsigned char byte)
{
  return (byte & 0xc0) == 0x80;
}

/* Bytes of the character that `first` starts; 1 for what starts none. */
static size_t character_length(unsigned char first)
{
  if (first >= 0xf0 && first <= 0xf4)
    return 4;
  if (first >= 0xe0 && first < 0xf0)
    return 3;
  if (first >= 0xc2 && first < 0xe0)
    return 2;
  return 1;
}

size_t cell_utf8_prefix(const unsigned char *bytes, size_t length)
{
  size_t back = 0;

  while (back < 3 && back < length && continues(bytes[length - 1 - back]))
    back++;
  if (back == length)
    return length; /* continuation bytes alone are no character */
  if (character_length(bytes[length - 1 - back]) > back + 1)
    return length - 1 - back;
  return length;
}

size_t cell_utf8_suffix(const unsigned char *bytes, size_t length)
{
  size_t count = 0;

  while (count < 3 && count < length && continues(bytes[count]))
    count++;
  return count;
}

size_t cell_utf8_character(const unsigned char *bytes, size_t length)
{
  size_t size, i;

  if (length == 0)
    return 0;
  size = character_length(bytes[0]);
  if (size == 1)
    return bytes[0] < 0x80;
  if (size > length)
    return 0;
  for (i = 1; i < size; i++)
    if (!continues(bytes[i]))
      return 0;
  /* Longer than it need be, half of a pair of UTF-16, or past U+10FFFF. */
  if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) ||
      (bytes[0] == 0xed && bytes[1] >= 0xa0) ||
      (bytes[0] == 0xf0 && bytes[1] < 0x90) ||
      (bytes[0] == 0xf4 && bytes[1] >= 0x90))
    return 0;
  return size;
}

size_t cell_utf8_repair(const unsigned char *bytes, size_t length,
                        unsigned char *to)
{
  size_t at = 0, used = 0, size;

  while (at < length) {
    size = cell_utf8_character(bytes + at, length - at);
    if (to != NULL && size > 0)
      memcpy(to + used, bytes + at, size);
    else if (to != NULL)
      memcpy(to + used, replacement, sizeof replacement);
    used += size > 0 ? size : sizeof replacement;
    at += size > 0 ? size : 1;
  }
  return used;
}
