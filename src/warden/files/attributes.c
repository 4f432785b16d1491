/* attributes.c -- see attributes.h. */
#include "attributes.h"

#include "../../wire/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PREFIX "user.e2b."
#define PREFIX_LENGTH (sizeof PREFIX - 1)
#define NAMES_MAX 65536 /* the kernel's own bound of a list */

static char names[NAMES_MAX];

static ssize_t list_names(int fd, const char *name)
{
  return name[0] == '\0' ? flistxattr(fd, names, sizeof names)
                         : llistxattr(name, names, sizeof names);
}

static int is_printable(const unsigned char *bytes, size_t count)
{
  size_t i;

  for (i = 0; i < count; i++)
    if (bytes[i] < ' ' || bytes[i] > '~')
      return 0;
  return 1;
}

/* One pair to bytes; 0 where it does not fit, or is no text. */
static size_t read_pair(int fd, const char *file, const char *name,
                        unsigned char *bytes, size_t size)
{
  size_t length = strlen(name + PREFIX_LENGTH);
  unsigned char *value = bytes + length + 1;
  ssize_t count;

  if (length == 0 || length + 2 > size)
    return 0;
  memcpy(bytes, name + PREFIX_LENGTH, length + 1);
  count = file[0] == '\0' ? fgetxattr(fd, name, value, size - length - 2)
                          : lgetxattr(file, name, value, size - length - 2);
  /* A room of 0 bytes asks how many there are. */
  if (count < 0 || (size_t)count > size - length - 2 ||
      !is_printable(bytes, length) || !is_printable(value, (size_t)count))
    return 0;
  value[count] = '\0';
  return length + 1 + (size_t)count + 1;
}

size_t attributes_read(int directory, const char *name, unsigned char *bytes,
                       size_t size)
{
  size_t used = 0;
  ssize_t length, at;

  if (name[0] != '\0' && fchdir(directory) < 0)
    return 0;
  length = list_names(directory, name);
  for (at = 0; at < length; at += (ssize_t)strlen(names + at) + 1)
    if (strncmp(names + at, PREFIX, PREFIX_LENGTH) == 0)
      used += read_pair(directory, name, names + at, bytes + used, size - used);
  return used;
}

static int remove_all(int fd)
{
  ssize_t length = list_names(fd, ""), at;

  for (at = 0; at < length; at += (ssize_t)strlen(names + at) + 1)
    if (strncmp(names + at, PREFIX, PREFIX_LENGTH) == 0 &&
        fremovexattr(fd, names + at) < 0 && errno != ENODATA)
      return errno;
  return 0;
}

int attributes_replace(int fd, const unsigned char *bytes, size_t count)
{
  char name[PREFIX_LENGTH + CELL_METADATA_MAX + 1];
  int number = remove_all(fd);
  const char *key, *value;
  size_t at = 0;

  if (number != 0 || count == 0)
    return number;
  if (count > CELL_METADATA_MAX || bytes[count - 1] != '\0')
    return EINVAL;
  while (at < count) {
    key = (const char *)bytes + at;
    at += strlen(key) + 1;
    if (at == count)
      return EINVAL;
    value = (const char *)bytes + at;
    at += strlen(value) + 1;
    snprintf(name, sizeof name, PREFIX "%s", key);
    if (fsetxattr(fd, name, value, strlen(value), 0) < 0)
      return errno;
  }
  return 0;
}
