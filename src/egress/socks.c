/* socks.c -- see socks.h. */
#include "socks.h"

#include <string.h>

#define METHOD_NONE 0
#define CONNECT 1
#define ADDRESS_FOUR 1
#define ADDRESS_NAME 3
#define ADDRESS_SIX 4

long cell_socks_methods(const unsigned char *bytes, size_t size)
{
  size_t count;

  if (size < 2)
    return 0;
  count = bytes[1];
  if (bytes[0] != CELL_SOCKS_VERSION)
    return -1;
  if (size < 2 + count)
    return 0;
  return count > 0 && memchr(bytes + 2, METHOD_NONE, count) != NULL
           ? (long)(2 + count)
           : -1;
}

static int read_host(struct cell_target *target, unsigned sort,
                     const unsigned char *host, size_t length)
{
  static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                           0, 0, 0, 0, 0xff, 0xff};

  if (sort == ADDRESS_NAME) {
    if (cell_address_parse(&target->address, (const char *)host, length) == 0)
      return 0;
    return cell_name_read(target->name, (const char *)host, length);
  }
  if (sort == ADDRESS_FOUR)
    memcpy(target->address.bytes, mapped, sizeof mapped);
  memcpy(target->address.bytes + 16 - length, host, length);
  return 0;
}

long cell_socks_request(const unsigned char *bytes, size_t size,
                        struct cell_target *target,
                        enum cell_socks_reply *reply)
{
  size_t at = 4, length;

  memset(target, 0, sizeof *target);
  *reply = CELL_SOCKS_FAILED;
  if (size < 5)
    return 0;
  if (bytes[0] != CELL_SOCKS_VERSION || bytes[2] != 0)
    return -1;
  if (bytes[1] != CONNECT) {
    *reply = CELL_SOCKS_NO_COMMAND;
    return -1;
  }
  switch (bytes[3]) {
  case ADDRESS_FOUR:
    length = 4;
    break;
  case ADDRESS_SIX:
    length = 16;
    break;
  case ADDRESS_NAME:
    length = bytes[4];
    at = 5;
    break;
  default:
    *reply = CELL_SOCKS_NO_ADDRESS;
    return -1;
  }
  if (size < at + length + 2)
    return 0;
  target->port =
    (uint16_t)((unsigned)bytes[at + length] << 8 | bytes[at + length + 1]);
  *reply = CELL_SOCKS_NOT_ALLOWED;
  if (target->port == 0 || read_host(target, bytes[3], bytes + at, length) < 0)
    return -1;
  return (long)(at + length + 2);
}
