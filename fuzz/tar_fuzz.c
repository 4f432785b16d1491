/* tar_fuzz.c -- hostile bytes as the headers and extensions of a tar stream.
**
** What the warden's helper does with a stream, but for the files: each member
** that is taken has a name that leads down, and a size that ends.
*/
#include "tar.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void demand(int holds)
{
  if (!holds)
    abort();
}

static void check_member(const struct cell_tar *tar)
{
  const char *part = tar->path;

  demand(tar->path[0] != '/' && strlen(tar->path) < sizeof tar->path);
  demand((tar->mode & ~0777u) == 0);
  demand(tar->type == CELL_TAR_FILE || tar->size == 0);
  demand(tar->type != CELL_TAR_LINK || tar->target[0] != '\0');
  while (*part != '\0') {
    size_t length = strcspn(part, "/");

    demand(length > 0 && !(length == 1 && part[0] == '.') &&
           !(length == 2 && part[0] == '.' && part[1] == '.'));
    part += length;
    if (*part == '/') {
      part++;
      demand(*part != '\0');
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static struct cell_tar tar; /* large: paths */
  size_t at = 0, rounded;

  memset(&tar, 0, sizeof tar);
  while (size - at >= CELL_TAR_BLOCK) {
    enum cell_tar_step step = cell_tar_header(&tar, bytes + at);

    at += CELL_TAR_BLOCK;
    if (step == CELL_TAR_END || step == CELL_TAR_WRONG)
      break;
    if (step == CELL_TAR_MEMBER)
      check_member(&tar);
    if (tar.size > size - at)
      break;
    if (step == CELL_TAR_EXTENSION &&
        cell_tar_extend(&tar, bytes + at, (size_t)tar.size) < 0)
      break;
    rounded = (size_t)(tar.size + CELL_TAR_BLOCK - 1) & ~(CELL_TAR_BLOCK - 1);
    if (rounded > size - at)
      break;
    at += rounded;
  }
  return 0;
}
