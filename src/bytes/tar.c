/* tar.c -- see tar.h. */
#include "tar.h"

#include <string.h>

/* Where the fields of a ustar header are, and how long. */
enum field {
  NAME_AT = 0,
  NAME_SIZE = 100,
  MODE_AT = 100,
  NUMBER_SIZE = 8,
  SIZE_AT = 124,
  TIME_AT = 136,
  LONG_SIZE = 12,
  SUM_AT = 148,
  TYPE_AT = 156,
  TARGET_AT = 157,
  MAGIC_AT = 257,
  PREFIX_AT = 345,
  PREFIX_SIZE = 155
};

/* Octal digits, with spaces or NUL around them; or, where those do not suffice,
** GNU's bytes after one of 128.
*/
static int read_number(const unsigned char *at, size_t size, uint64_t *value)
{
  size_t i = 0;

  *value = 0;
  if (at[0] == 128) {
    for (i = 1; i < size; i++) {
      if (*value > (UINT64_MAX >> 8))
        return -1;
      *value = *value << 8 | at[i];
    }
    return 0;
  }
  while (i < size && at[i] == ' ')
    i++;
  if (i == size || at[i] < '0' || at[i] > '7')
    return -1;
  for (; i < size && at[i] >= '0' && at[i] <= '7'; i++)
    *value = *value * 8 + (uint64_t)(at[i] - '0');
  for (; i < size; i++)
    if (at[i] != ' ' && at[i] != '\0')
      return -1;
  return 0;
}

static int is_zero(const unsigned char *block)
{
  size_t i;

  for (i = 0; i < CELL_TAR_BLOCK; i++)
    if (block[i] != 0)
      return 0;
  return 1;
}

static int has_sum(const unsigned char *block)
{
  uint64_t said, sum = 0;
  size_t i;

  for (i = 0; i < CELL_TAR_BLOCK; i++)
    sum += i >= SUM_AT && i < SUM_AT + NUMBER_SIZE ? ' ' : block[i];
  return read_number(block + SUM_AT, NUMBER_SIZE, &said) == 0 && said == sum;
}

/* Leaves out what means nothing: "./a//b/" is "a/b". 0 when it leads out. */
static int leads_down(char *path)
{
  char *from = path, *to = path;

  if (path[0] == '/')
    return 0;
  while (*from != '\0') {
    size_t length = strcspn(from, "/");

    if (length == 2 && from[0] == '.' && from[1] == '.')
      return 0;
    if (length > 0 && !(length == 1 && from[0] == '.')) {
      if (to > path)
        *to++ = '/';
      memmove(to, from, length);
      to += length;
    }
    from += length + (from[length] == '/');
  }
  *to = '\0';
  return 1;
}

static int fail(struct cell_tar *tar, const char *why)
{
  tar->wrong = why;
  return -1;
}

static void take_text(char *to, const unsigned char *from, size_t size)
{
  size_t length = 0;

  while (length < size && from[length] != '\0')
    length++;
  memcpy(to, from, length);
  to[length] = '\0';
}

static void take_path(struct cell_tar *tar, const unsigned char *block)
{
  char *to = tar->path;

  if (tar->next_path[0] != '\0') {
    memcpy(tar->path, tar->next_path, sizeof tar->path);
    return;
  }
  to[0] = '\0';
  if (block[MAGIC_AT + 5] == '\0') /* GNU has other things there */
    take_text(to, block + PREFIX_AT, PREFIX_SIZE);
  if (to[0] != '\0') {
    to += strlen(to);
    *to++ = '/';
  }
  take_text(to, block + NAME_AT, NAME_SIZE);
}

static int take_type(struct cell_tar *tar, unsigned char letter)
{
  switch (letter) {
  case '0':
  case '\0':
    tar->type = CELL_TAR_FILE;
    return 0;
  case '1':
    tar->type = CELL_TAR_HARD_LINK;
    return 0;
  case '2':
    tar->type = CELL_TAR_LINK;
    return 0;
  case '5':
    tar->type = CELL_TAR_DIRECTORY;
    return 0;
  default:
    return fail(tar, "only files, directories and links are taken");
  }
}

static void take_target(struct cell_tar *tar, const unsigned char *block)
{
  if (tar->next_target[0] != '\0')
    memcpy(tar->target, tar->next_target, sizeof tar->target);
  else
    take_text(tar->target, block + TARGET_AT, NAME_SIZE);
}

/* What only the fields together say. */
static int check_member(struct cell_tar *tar)
{
  int is_link = tar->type == CELL_TAR_LINK || tar->type == CELL_TAR_HARD_LINK;

  if (!leads_down(tar->path))
    return fail(tar, "a name that leads out of it");
  if (tar->path[0] == '\0' && tar->type != CELL_TAR_DIRECTORY)
    return fail(tar, "a member without a name");
  if (tar->size > INT64_MAX - CELL_TAR_BLOCK ||
      (tar->type != CELL_TAR_FILE && tar->size != 0))
    return fail(tar, "a broken size");
  if (tar->type == CELL_TAR_HARD_LINK && !leads_down(tar->target))
    return fail(tar, "a link that leads out of it");
  if (is_link && tar->target[0] == '\0')
    return fail(tar, "a broken link");
  return 0;
}

static enum cell_tar_step
take_member(struct cell_tar *tar, const unsigned char *block, uint64_t modified)
{
  take_path(tar, block);
  if (take_type(tar, block[TYPE_AT]) < 0)
    return CELL_TAR_WRONG;
  take_target(tar, block);
  if (tar->has_size)
    tar->size = tar->next_size;
  tar->modified = tar->has_modified ? tar->next_modified : (int64_t)modified;
  tar->next_path[0] = tar->next_target[0] = '\0';
  tar->has_size = tar->has_modified = 0;
  return check_member(tar) == 0 ? CELL_TAR_MEMBER : CELL_TAR_WRONG;
}

enum cell_tar_step cell_tar_header(struct cell_tar *tar,
                                   const unsigned char block[CELL_TAR_BLOCK])
{
  uint64_t mode, modified;

  if (is_zero(block))
    return CELL_TAR_END;
  tar->wrong = "what comes is no header: it is broken, or compressed";
  if (!has_sum(block) || memcmp(block + MAGIC_AT, "ustar", 5) != 0)
    return CELL_TAR_WRONG;
  tar->wrong = "a broken size";
  if (read_number(block + SIZE_AT, LONG_SIZE, &tar->size) < 0)
    return CELL_TAR_WRONG;
  tar->wrong = "a broken header";
  if (read_number(block + MODE_AT, NUMBER_SIZE, &mode) < 0 ||
      read_number(block + TIME_AT, LONG_SIZE, &modified) < 0)
    return CELL_TAR_WRONG;
  tar->mode = (uint32_t)(mode & 0777);
  tar->extension = block[TYPE_AT];
  if (strchr("xgLK", tar->extension) == NULL || tar->extension == '\0')
    return take_member(tar, block, modified);
  tar->wrong = "a header that is too long";
  return tar->size <= CELL_TAR_EXTENSION_MAX ? CELL_TAR_EXTENSION
                                             : CELL_TAR_WRONG;
}

/* ---- extensions ---- */

static int is_key(const unsigned char *key, size_t length, const char *name)
{
  return length == strlen(name) && memcmp(key, name, length) == 0;
}

static int take_value(char *to, const unsigned char *value, size_t length)
{
  if (length == 0 || length >= CELL_PATH_MAX || memchr(value, 0, length))
    return -1;
  memcpy(to, value, length);
  to[length] = '\0';
  return 0;
}

/* Whole seconds or bytes; what stands behind a point is left out. */
static int take_number(const unsigned char *value, size_t length,
                       int64_t *number)
{
  size_t i = 0;
  int is_negative = length > 0 && value[0] == '-';

  *number = 0;
  for (i = (size_t)is_negative; i < length && value[i] != '.'; i++) {
    if (value[i] < '0' || value[i] > '9' || *number > INT64_MAX / 16)
      return -1;
    *number = *number * 10 + (value[i] - '0');
  }
  if (i == (size_t)is_negative)
    return -1;
  if (is_negative)
    *number = -*number;
  return 0;
}

static int take_record(struct cell_tar *tar, const unsigned char *key,
                       size_t key_length, const unsigned char *value,
                       size_t length)
{
  int is_one = tar->extension == 'x'; /* for the next member */
  int64_t number;

  if (is_key(key, key_length, "path"))
    return is_one ? take_value(tar->next_path, value, length) : -1;
  if (is_key(key, key_length, "linkpath"))
    return is_one ? take_value(tar->next_target, value, length) : -1;
  if (is_key(key, key_length, "mtime") && is_one) {
    tar->has_modified = 1;
    return take_number(value, length, &tar->next_modified);
  }
  if (is_key(key, key_length, "size")) {
    if (!is_one || take_number(value, length, &number) < 0 || number < 0)
      return -1;
    tar->has_size = 1;
    tar->next_size = (uint64_t)number;
  }
  return 0;
}

/* "LENGTH key=value\n", where the length counts itself. Of those that are for
** all members (g) none decides anything here.
*/
static int take_records(struct cell_tar *tar, const unsigned char *bytes,
                        size_t size)
{
  while (size > 0) {
    size_t length = 0, digits = 0, end;
    const unsigned char *equals;

    while (digits < size && digits < 6 && bytes[digits] >= '0' &&
           bytes[digits] <= '9')
      length = length * 10 + (size_t)(bytes[digits++] - '0');
    if (digits == 0 || digits >= size || bytes[digits] != ' ' ||
        length > size || length < digits + 3 || bytes[length - 1] != '\n')
      return -1;
    end = length - 1;
    equals = memchr(bytes + digits + 1, '=', end - digits - 1);
    if (equals == NULL ||
        take_record(tar, bytes + digits + 1,
                    (size_t)(equals - bytes) - digits - 1, equals + 1,
                    (size_t)(bytes + end - equals) - 1) < 0)
      return -1;
    bytes += length;
    size -= length;
  }
  return 0;
}

/* GNU's long names end in a NUL. */
static int take_long(char *to, const unsigned char *bytes, size_t size)
{
  const unsigned char *end = memchr(bytes, 0, size);

  return take_value(to, bytes, end != NULL ? (size_t)(end - bytes) : size);
}

int cell_tar_extend(struct cell_tar *tar, const unsigned char *bytes,
                    size_t size)
{
  int result;

  if (tar->extension == 'L')
    result = take_long(tar->next_path, bytes, size);
  else if (tar->extension == 'K')
    result = take_long(tar->next_target, bytes, size);
  else
    result = take_records(tar, bytes, size);
  return result == 0 ? 0 : fail(tar, "a broken header of pax or GNU");
}
