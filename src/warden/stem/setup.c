/* setup.c -- see setup.h. */
#include "setup.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The next string, which keeps lying in the message: moved over its own length,
** which makes room for the NUL.
*/
static const char *take_path(struct cell_unpacker *unpacker)
{
  size_t length;
  unsigned char *path = (unsigned char *)cell_unpack_bytes(unpacker, &length);

  if (unpacker->failed || (length > 0 && path[0] != '/'))
    return NULL;
  memmove(path - 4, path, length);
  path[(ptrdiff_t)length - 4] = '\0';
  return (char *)path - 4;
}

int setup_read(struct setup *setup, int channel, struct failure *failure)
{
  struct cell_unpacker unpacker;
  uint32_t count;

  if (wire_receive(channel, &setup->message, 1) != 1 ||
      setup->message.frame.type != CELL_STEM_SETUP)
    return -1;
  cell_unpack_start(&unpacker, setup->message.frame.payload,
                    setup->message.frame.length);
  setup->flags = cell_unpack_u32(&unpacker);
  setup->source = (struct skeleton_bind){take_path(&unpacker), -1};
  count = cell_unpack_u32(&unpacker);
  while (setup->bind_count < count && setup->bind_count < CELL_BINDS_MAX) {
    const char *path = take_path(&unpacker);

    if (path == NULL || path[0] == '\0')
      break;
    setup->binds[setup->bind_count++] = (struct skeleton_bind){path, -1};
  }
  if (setup->source.path == NULL || setup->bind_count != count ||
      !cell_unpack_done(&unpacker)) {
    errno = EINVAL;
    return fail(failure, "setup");
  }
  return 0;
}
