/* setup.c -- see setup.h. */
#include "setup.h"

#include "../wire/frame.h"
#include "../wire/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The payload for these binds, to be freed, or NULL. */
static unsigned char *pack(const struct cell_setup *setup,
                           const char *const *paths, size_t count,
                           size_t *length, struct cell_error *error)
{
  unsigned char *bytes = malloc(CELL_MESSAGE_MAX);
  unsigned char *shorter;
  struct cell_packer packer;
  size_t i;

  if (bytes == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "set binds");
    return NULL;
  }
  cell_pack_start(&packer, bytes, CELL_MESSAGE_MAX);
  cell_pack_u32(&packer, setup->flags);
  cell_pack_string(&packer, setup->root);
  cell_pack_u32(&packer, (uint32_t)count);
  for (i = 0; i < count; i++)
    cell_pack_string(&packer, paths[i]);
  if (packer.failed) {
    cell_fail(error, CELL_LIMIT_EXCEEDED, 0, "the binds are too many");
    free(bytes);
    return NULL;
  }
  *length = packer.used;
  shorter = realloc(bytes, packer.used);
  return shorter != NULL ? shorter : bytes;
}

/* The flags are the first of the payload. */
static void write_flags(uint32_t flags, unsigned char *bytes, size_t length)
{
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, length);
  cell_pack_u32(&packer, flags);
}

/* Takes the bytes. */
static int replace(struct cell_setup *setup, unsigned char *bytes,
                   size_t length)
{
  int changed =
    length != setup->length || memcmp(bytes, setup->bytes, length) != 0;

  free(setup->bytes);
  setup->bytes = bytes;
  setup->length = length;
  return changed;
}

int cell_setup_open(struct cell_setup *setup, const char *root,
                    struct cell_error *error)
{
  *setup = (struct cell_setup){0};
  setup->root = malloc(strlen(root) + 1);
  if (setup->root == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "create a stem");
  memcpy(setup->root, root, strlen(root) + 1);
  setup->bytes = pack(setup, NULL, 0, &setup->length, error);
  if (setup->bytes != NULL)
    return 0;
  cell_setup_close(setup);
  return -1;
}

void cell_setup_close(struct cell_setup *setup)
{
  free(setup->root);
  free(setup->bytes);
  setup->root = NULL;
  setup->bytes = NULL;
}

int cell_setup_bind(struct cell_setup *setup, const char *const *paths,
                    size_t count, struct cell_error *error)
{
  unsigned char *bytes;
  size_t i, length;

  for (i = 0; i < count; i++) {
    if (paths[i][0] != '/' || strlen(paths[i]) >= CELL_PATH_MAX)
      return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                       "a bind must be an absolute path: %s", paths[i]);
  }
  if (count > CELL_BINDS_MAX)
    return cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
                     "%zu binds are too many: at most %d", count,
                     CELL_BINDS_MAX);
  bytes = pack(setup, paths, count, &length, error);
  return bytes != NULL ? replace(setup, bytes, length) : -1;
}

int cell_setup_bind_as(struct cell_setup *setup, const struct cell_setup *other,
                       struct cell_error *error)
{
  unsigned char *bytes = malloc(other->length);

  if (bytes == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "set binds");
  memcpy(bytes, other->bytes, other->length);
  write_flags(setup->flags, bytes, other->length);
  return replace(setup, bytes, other->length);
}

int cell_setup_flag(struct cell_setup *setup, enum cell_setup_flag flag)
{
  if (setup->flags & flag)
    return 0;
  setup->flags |= flag;
  write_flags(setup->flags, setup->bytes, setup->length);
  return 1;
}

int cell_setup_look(struct cell_setup *setup, struct cell_error *error)
{
  struct stat status;
  int changed;

  if (setup->root[0] == '\0')
    return 0;
  if (stat(setup->root, &status) < 0)
    return cell_fail(error, cell_kind_of(errno), errno, "template %s",
                     setup->root);
  changed = status.st_dev != setup->device || status.st_ino != setup->number;
  setup->device = status.st_dev;
  setup->number = status.st_ino;
  return changed;
}
