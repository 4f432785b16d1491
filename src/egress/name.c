/* name.c -- see name.h. */
#include "name.h"

#include <string.h>

#define LABEL_MAX 63

static int is_digit(char letter)
{
  return letter >= '0' && letter <= '9';
}

static int is_letter(char letter)
{
  return (letter >= 'a' && letter <= 'z') || is_digit(letter) ||
         letter == '-' || letter == '_';
}

/* All digits, or 0x and more: what inet_aton takes for a part of an address. */
static int is_numeric(const char *label)
{
  size_t i;

  if (label[0] == '0' && label[1] == 'x')
    return 1;
  for (i = 0; label[i] != '\0'; i++)
    if (!is_digit(label[i]))
      return 0;
  return 1;
}

int cell_name_read(char name[CELL_NAME_SIZE], const char *text, size_t length)
{
  const char *last = name;
  size_t i, label = 0;

  if (length > 0 && text[length - 1] == '.')
    length--;
  if (length == 0 || length >= CELL_NAME_SIZE)
    return -1;
  for (i = 0; i < length; i++) {
    char letter = text[i];

    if (letter >= 'A' && letter <= 'Z')
      letter = (char)(letter - 'A' + 'a');
    name[i] = letter;
    if (letter != '.') {
      if (!is_letter(letter) || ++label > LABEL_MAX)
        return -1;
      continue;
    }
    if (label == 0)
      return -1;
    label = 0;
    last = name + i + 1;
  }
  name[length] = '\0';
  return label == 0 || is_numeric(last) ? -1 : 0;
}

int cell_name_is_below(const char *name, const char *above)
{
  size_t length = strlen(name), tail = strlen(above);

  return length > tail + 1 && name[length - tail - 1] == '.' &&
         memcmp(name + length - tail, above, tail) == 0;
}

int cell_name_is_local(const char *name)
{
  return strcmp(name, "localhost") == 0 ||
         cell_name_is_below(name, "localhost");
}

uint16_t cell_name_port(const char *text, size_t length)
{
  unsigned long port = 0;
  size_t i;

  if (length == 0 || length > 5 || text[0] == '0')
    return 0;
  for (i = 0; i < length; i++) {
    if (!is_digit(text[i]))
      return 0;
    port = port * 10 + (unsigned long)(text[i] - '0');
  }
  return port <= 65535 ? (uint16_t)port : 0;
}
