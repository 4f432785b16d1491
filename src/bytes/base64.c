/* base64.c -- base64 of bytes (see base64.h). */
#include "base64.h"

#include <stdint.h>

static const char letters[] =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t cell_base64_length(size_t size)
{
  return (size / 3 + (size % 3 != 0)) * 4;
}

void cell_base64_encode(const void *bytes, size_t size, char *text)
{
  const unsigned char *from = bytes;

  while (size >= 3) {
    uint32_t group = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
    *text++ = letters[group >> 18];
    *text++ = letters[group >> 12 & 63];
    *text++ = letters[group >> 6 & 63];
    *text++ = letters[group & 63];
    from += 3;
    size -= 3;
  }
  if (size > 0) {
    uint32_t group =
      (uint32_t)from[0] << 16 | (size > 1 ? (uint32_t)from[1] << 8 : 0);
    *text++ = letters[group >> 18];
    *text++ = letters[group >> 12 & 63];
    text[0] = text[1] = '=';
    if (size > 1)
      text[0] = letters[group >> 6 & 63];
  }
}

size_t cell_base64_room(size_t length)
{
  return length / 4 * 3 + 3;
}

/* -1: not a letter. */
static int value_of(unsigned char letter)
{
  if (letter >= 'A' && letter <= 'Z')
    return letter - 'A';
  if (letter >= 'a' && letter <= 'z')
    return letter - 'a' + 26;
  if (letter >= '0' && letter <= '9')
    return letter - '0' + 52;
  return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

static int is_line_end(char letter)
{
  return letter == '\n' || letter == '\r';
}

/* Whether the rest is the padding of a last group that has so many letters. */
static int is_padding(const char *text, size_t length, unsigned count)
{
  size_t i;

  for (i = 0; i < length; i++) {
    if (is_line_end(text[i]))
      continue;
    if (text[i] != '=' || count < 2 || count > 3)
      return 0;
    count++;
  }
  return count == 0 || count == 4;
}

long cell_base64_decode(const char *text, size_t length, void *bytes)
{
  unsigned char *to = bytes;
  uint32_t group = 0;
  unsigned count = 0; /* letters of the group that have come */
  size_t i;

  for (i = 0; i < length; i++) {
    int value = value_of((unsigned char)text[i]);
    if (value < 0 && is_line_end(text[i]))
      continue;
    if (value < 0)
      break;
    group = group << 6 | (uint32_t)value;
    if (++count < 4)
      continue;
    *to++ = (unsigned char)(group >> 16);
    *to++ = (unsigned char)(group >> 8);
    *to++ = (unsigned char)group;
    group = 0;
    count = 0;
  }
  if (count == 1 || (i < length && !is_padding(text + i, length - i, count)))
    return -1;
  if (count >= 2)
    *to++ = (unsigned char)(group >> (count == 2 ? 4 : 10));
  if (count == 3)
    *to++ = (unsigned char)(group >> 2);
  return (long)(to - (unsigned char *)bytes);
}
