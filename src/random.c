/* random.c -- see random.h. */
#include "random.h"

#include <errno.h>
#include <sys/random.h>

/* At most 256 bytes: then the kernel gives all or an error. */
static int fill(unsigned char *bytes, size_t size, struct cell_error *error)
{
  long got;

  do
    got = getrandom(bytes, size, 0);
  while (got < 0 && errno == EINTR);
  if (got != (long)size)
    return cell_fail(error, CELL_SYSTEM, got < 0 ? errno : 0, "getrandom");
  return 0;
}

int cell_random_id(char *id, size_t length, struct cell_error *error)
{
  static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  unsigned char bytes[64];
  size_t next = sizeof bytes;
  size_t used = 0;

  while (used < length) {
    if (next == sizeof bytes) {
      if (fill(bytes, sizeof bytes, error) < 0)
        return -1;
      next = 0;
    }
    if (bytes[next] < 252) /* 7 times 36: every character as likely */
      id[used++] = alphabet[bytes[next] % 36];
    next++;
  }
  id[length] = '\0';
  return 0;
}

int cell_random_number(uint64_t *number, struct cell_error *error)
{
  unsigned char bytes[6];
  int i;

  if (fill(bytes, sizeof bytes, error) < 0)
    return -1;
  *number = 0;
  for (i = 0; i < 6; i++)
    *number = *number << 8 | bytes[i];
  return 0;
}
