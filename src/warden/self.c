/* self.c -- see self.h. */
#include "self.h"

#include "calls.h"

#include <stdio.h>
#include <string.h>

void self_name(const struct self_title *title, const char *word, const char *id)
{
  if (title->size == 0)
    return;
  memset(title->text, 0, title->size);
  snprintf(title->text, title->size, "%s%s%s", word, id[0] != '\0' ? " " : "",
           id);
}

void self_keep_only(int *fds, size_t count)
{
  size_t i, j;
  unsigned first = 3;
  int swap;

  for (i = 0; i < count; i++)
    for (j = i + 1; j < count; j++)
      if (fds[j] < fds[i]) {
        swap = fds[i];
        fds[i] = fds[j];
        fds[j] = swap;
      }
  for (i = 0; i < count; i++) {
    if (fds[i] < (int)first)
      continue;
    if ((unsigned)fds[i] > first)
      call_close_range(first, (unsigned)fds[i] - 1);
    first = (unsigned)fds[i] + 1;
  }
  call_close_range(first, ~0u);
}
