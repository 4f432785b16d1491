/* address.c -- see address.h. */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                         0, 0, 0, 0, 0xff, 0xff};

int cell_address_parse(struct cell_address *address, const char *text,
                       size_t length)
{
  char copy[CELL_ADDRESS_TEXT];

  if (length == 0 || length >= sizeof copy || memchr(text, 0, length) != NULL)
    return -1;
  memcpy(copy, text, length);
  copy[length] = '\0';
  if (inet_pton(AF_INET, copy, address->bytes + 12) == 1) {
    memcpy(address->bytes, mapped, sizeof mapped);
    return 0;
  }
  return inet_pton(AF_INET6, copy, address->bytes) == 1 ? 0 : -1;
}

int cell_address_is_four(const struct cell_address *address)
{
  return memcmp(address->bytes, mapped, sizeof mapped) == 0;
}

void cell_address_text(const struct cell_address *address,
                       char text[CELL_ADDRESS_TEXT])
{
  if (cell_address_is_four(address))
    inet_ntop(AF_INET, address->bytes + 12, text, CELL_ADDRESS_TEXT);
  else
    inet_ntop(AF_INET6, address->bytes, text, CELL_ADDRESS_TEXT);
}

int cell_address_within(const struct cell_address *address,
                        const struct cell_address *range, unsigned bits)
{
  unsigned whole = bits / 8, rest = bits % 8;

  if (memcmp(address->bytes, range->bytes, whole) != 0)
    return 0;
  return rest == 0 ||
         (address->bytes[whole] ^ range->bytes[whole]) >> (8 - rest) == 0;
}

void cell_address_mask(struct cell_address *address, unsigned bits)
{
  unsigned i;

  for (i = 0; i < 16; i++) {
    unsigned keep = bits > 8 * i ? bits - 8 * i : 0;

    if (keep < 8)
      address->bytes[i] &= (unsigned char)(0xff00u >> keep);
  }
}

/* ---- those that nobody may be led to ---- */

static const struct {
  unsigned char first[4];
  unsigned bits;
  const char *why;
} reserved_four[] = {
  {{0, 0, 0, 0}, 8, "this network"},
  {{10, 0, 0, 0}, 8, "private"},
  {{100, 100, 100, 200}, 32, "metadata"},
  {{100, 64, 0, 0}, 10, "shared by a carrier"},
  {{127, 0, 0, 0}, 8, "loopback"},
  {{168, 63, 129, 16}, 32, "metadata"},
  {{169, 254, 169, 254}, 32, "metadata"},
  {{169, 254, 0, 0}, 16, "link-local"},
  {{172, 16, 0, 0}, 12, "private"},
  {{192, 0, 0, 0}, 24, "reserved"},
  {{192, 0, 2, 0}, 24, "reserved for examples"},
  {{192, 88, 99, 0}, 24, "reserved"},
  {{192, 168, 0, 0}, 16, "private"},
  {{198, 18, 0, 0}, 15, "reserved for measurements"},
  {{198, 51, 100, 0}, 24, "reserved for examples"},
  {{203, 0, 113, 0}, 24, "reserved for examples"},
  {{224, 0, 0, 0}, 4, "multicast"},
  {{240, 0, 0, 0}, 4, "reserved"},
};

static const struct {
  unsigned char first[8];
  unsigned bits;
  const char *why;
} reserved_six[] = {
  {{0, 0, 0, 0, 0, 0, 0, 0}, 8, "loopback or reserved"},
  {{0, 0x64, 0xff, 0x9b, 0, 1, 0, 0}, 48, "private by translation"},
  {{1, 0, 0, 0, 0, 0, 0, 0}, 64, "discarded"},
  {{0x20, 1, 0, 0, 0, 0, 0, 0}, 23, "reserved"},
  {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0}, 32, "reserved for examples"},
  {{0x3f, 0xff, 0, 0, 0, 0, 0, 0}, 20, "reserved for examples"},
  {{0x5f, 0, 0, 0, 0, 0, 0, 0}, 16, "reserved"},
  {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0}, 32, "metadata"},
  {{0xfc, 0, 0, 0, 0, 0, 0, 0}, 7, "private"},
  {{0xfe, 0x80, 0, 0, 0, 0, 0, 0}, 10, "link-local"},
  {{0xfe, 0xc0, 0, 0, 0, 0, 0, 0}, 10, "private"},
  {{0xff, 0, 0, 0, 0, 0, 0, 0}, 8, "multicast"},
};

static const char *reserved_of_four(const unsigned char *four)
{
  struct cell_address address, range;
  size_t i;

  memcpy(address.bytes, mapped, sizeof mapped);
  memcpy(range.bytes, mapped, sizeof mapped);
  memcpy(address.bytes + 12, four, 4);
  for (i = 0; i < sizeof reserved_four / sizeof reserved_four[0]; i++) {
    memcpy(range.bytes + 12, reserved_four[i].first, 4);
    if (cell_address_within(&address, &range, 96 + reserved_four[i].bits))
      return reserved_four[i].why;
  }
  return NULL;
}

const char *cell_address_reserved(const struct cell_address *address)
{
  static const unsigned char translated[12] = {0, 0x64, 0xff, 0x9b};
  static const unsigned char tunnelled[2] = {0x20, 2};
  const char *why;
  size_t i;

  if (cell_address_is_four(address))
    return reserved_of_four(address->bytes + 12);
  if (memcmp(address->bytes, translated, 12) == 0)
    return reserved_of_four(address->bytes + 12);
  if (memcmp(address->bytes, tunnelled, 2) == 0) {
    why = reserved_of_four(address->bytes + 2);
    return why;
  }
  for (i = 0; i < sizeof reserved_six / sizeof reserved_six[0]; i++) {
    struct cell_address range = {{0}};

    memcpy(range.bytes, reserved_six[i].first, 8);
    if (cell_address_within(address, &range, reserved_six[i].bits))
      return reserved_six[i].why;
  }
  return NULL;
}

int cell_address_is_own(const struct cell_address *address)
{
  struct sockaddr_storage there, here;
  struct cell_address from;
  socklen_t size = cell_address_to_socket(address, 9, &there);
  socklen_t here_size = sizeof here;
  uint16_t port;
  int fd = socket(there.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int own = fd < 0; /* nobody knows: then it is refused */

  memset(&here, 0, sizeof here);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&there, size) == 0)
    own = getsockname(fd, (struct sockaddr *)&here, &here_size) < 0 ||
          cell_address_from_socket(&from, &port, &here) < 0 ||
          memcmp(from.bytes, address->bytes, 16) == 0;
  if (fd >= 0)
    close(fd);
  return own;
}

/* ---- to and from the kernel ---- */

socklen_t cell_address_to_socket(const struct cell_address *address,
                                 uint16_t port,
                                 struct sockaddr_storage *socket_address)
{
  struct sockaddr_in *four = (struct sockaddr_in *)(void *)socket_address;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)socket_address;

  memset(socket_address, 0, sizeof *socket_address);
  if (cell_address_is_four(address)) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    memcpy(&four->sin_addr, address->bytes + 12, 4);
    return sizeof *four;
  }
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(port);
  memcpy(&six->sin6_addr, address->bytes, 16);
  return sizeof *six;
}

int cell_address_from_socket(struct cell_address *address, uint16_t *port,
                             const struct sockaddr_storage *socket_address)
{
  const struct sockaddr_in *four =
    (const struct sockaddr_in *)(const void *)socket_address;
  const struct sockaddr_in6 *six =
    (const struct sockaddr_in6 *)(const void *)socket_address;

  if (socket_address->ss_family == AF_INET) {
    memcpy(address->bytes, mapped, sizeof mapped);
    memcpy(address->bytes + 12, &four->sin_addr, 4);
    *port = ntohs(four->sin_port);
    return 0;
  }
  if (socket_address->ss_family != AF_INET6)
    return -1;
  memcpy(address->bytes, &six->sin6_addr, 16);
  *port = ntohs(six->sin6_port);
  return 0;
}
