/* main.c -- the executable inside every sandbox: its role is in argv[0]. */
#include "stem.h"

#include <string.h>

int main(int argc, char **argv)
{
  static const char stem[] = "codecell-stem";

  if (argc < 1 || strncmp(argv[0], stem, sizeof stem - 1) != 0)
    return 127;
  return stem_run(argv[0], strlen(argv[0]));
}
