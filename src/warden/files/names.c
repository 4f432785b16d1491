/* names.c -- see names.h. */
#include "names.h"

#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add(struct names *names, const char *name)
{
  size_t length = strlen(name) + 1, size = names->size;
  char *grown;

  while (size - names->used < length)
    size = size > 0 ? 2 * size : 4096;
  if (size != names->size) {
    grown = realloc(names->bytes, size);
    if (grown == NULL)
      return ENOMEM;
    names->bytes = grown;
    names->size = size;
  }
  memcpy(names->bytes + names->used, name, length);
  names->used += length;
  names->count++;
  return 0;
}

int names_read(struct names *names, int fd)
{
  DIR *directory = tree_open(fd);
  struct dirent *entry;
  int number = 0;

  if (directory == NULL)
    return errno;
  while (number == 0 && (entry = readdir(directory)) != NULL)
    if (!tree_is_dots(entry->d_name))
      number = add(names, entry->d_name);
  closedir(directory);
  return number;
}

static int order(const void *one, const void *other)
{
  return strcmp(*(char *const *)one, *(char *const *)other);
}

int names_sort(struct names *names)
{
  size_t i, kept = 0;
  char *at = names->bytes;

  if (names->count == 0)
    return 0;
  names->list = malloc(names->count * sizeof *names->list);
  if (names->list == NULL)
    return ENOMEM;
  for (i = 0; i < names->count; i++) {
    names->list[i] = at;
    at += strlen(at) + 1;
  }
  qsort(names->list, names->count, sizeof *names->list, order);
  for (i = 0; i < names->count; i++)
    if (kept == 0 || strcmp(names->list[kept - 1], names->list[i]) != 0)
      names->list[kept++] = names->list[i];
  names->count = kept;
  return 0;
}

void names_free(struct names *names)
{
  free(names->list);
  free(names->bytes);
  memset(names, 0, sizeof *names);
}
