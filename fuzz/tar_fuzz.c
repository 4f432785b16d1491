/* tar_fuzz.c -- hostile bytes as the headers and extensions of a tar stream.
**
** What is done with a stream before its files are laid out: each member that is
** taken has a name that leads down, and a size that ends. Sums are mended
** first, so that what is behind them is met.
*/
#include "bytes/tar.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void demand(int holds)
{
  if (!holds)
    abort();
}

static void check_path(const char *part)
{
  demand(*part != '/' && strlen(part) < CELL_PATH_MAX);
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

static void check_member(const struct cell_tar *tar)
{
  int is_link = tar->type == CELL_TAR_LINK || tar->type == CELL_TAR_HARD_LINK;

  check_path(tar->path);
  demand(tar->path[0] != '\0' || tar->type == CELL_TAR_DIRECTORY);
  demand((tar->mode & ~0777u) == 0);
  demand(tar->type == CELL_TAR_FILE || tar->size == 0);
  demand(!is_link || tar->target[0] != '\0');
  if (tar->type == CELL_TAR_HARD_LINK)
    check_path(tar->target);
}

static enum cell_tar_step read_header(struct cell_tar *tar,
                                      const uint8_t *bytes)
{
  unsigned char block[CELL_TAR_BLOCK];
  unsigned sum = 8 * ' ';
  char digits[8] = "";
  size_t i;

  memcpy(block, bytes, sizeof block);
  for (i = 0; i < sizeof block; i++)
    sum += i >= 148 && i < 156 ? 0 : block[i];
  snprintf(digits, sizeof digits, "%06o", sum);
  memcpy(block + 148, digits, sizeof digits);
  return cell_tar_header(tar, block);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static struct cell_tar tar; /* large: paths */
  size_t at = 0, rounded;

  memset(&tar, 0, sizeof tar);
  while (size - at >= CELL_TAR_BLOCK) {
    enum cell_tar_step step = read_header(&tar, bytes + at);

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
