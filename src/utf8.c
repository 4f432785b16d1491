/* utf8.c -- see utf8.h. */
#include "utf8.h"

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
