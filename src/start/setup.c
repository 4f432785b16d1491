/* setup.c -- see setup.h. */
#include "setup.h"

#include "../wire/frame.h"
#include "../wire/pack.h"

#include <errno.h>
#include <stdlib.h>

unsigned char *cell_setup_pack(uint32_t flags, const char *root,
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
  cell_pack_u32(&packer, flags);
  cell_pack_string(&packer, root);
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
