/* request.c -- what the stem is asked for: one sandbox (sandbox_private.h). */
#include "sandbox_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cell_sandbox_copy_mounts(struct cell_sandbox *sandbox,
                             const struct cell_sandbox_options *options)
{
  if (options->mounts == NULL)
    return 0;
  sandbox->mounts = malloc(options->mounts_length);
  if (sandbox->mounts == NULL)
    return -1;
  memcpy(sandbox->mounts, options->mounts, options->mounts_length);
  sandbox->options.mounts = sandbox->mounts;
  return 0;
}

int cell_sandbox_request(struct cell_sandbox *sandbox, struct cell_stem *stem,
                         int warden_end, struct cell_error *error)
{
  static const unsigned char no_mounts[4] = {0, 0, 0, 0};
  const struct cell_sandbox_options *options = &sandbox->options;
  size_t length = options->mounts != NULL ? options->mounts_length : 4;
  unsigned char *bytes = malloc(64 + length);
  struct cell_packer packer;
  int result;

  if (bytes == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "create a sandbox");
  if (options->mounts != NULL)
    cell_stem_want_mounts(stem);
  cell_pack_start(&packer, bytes, 64);
  cell_pack_string(&packer, options->id);
  cell_pack_u64(&packer, options->memory);
  cell_pack_u32(&packer, options->processes);
  cell_pack_u32(&packer, options->cpu_milli);
  memcpy(bytes + packer.used,
         options->mounts != NULL ? options->mounts : no_mounts, length);
  result = cell_birth_start(stem, &sandbox->birth, bytes, packer.used + length,
                            warden_end, error);
  free(bytes);
  return result;
}
