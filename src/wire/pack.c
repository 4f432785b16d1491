/* pack.c -- see pack.h. */
#include "pack.h"

#include <string.h>

void cell_pack_start(struct cell_packer *packer, void *bytes, size_t size)
{
  packer->bytes = bytes;
  packer->used = 0;
  packer->size = size;
  packer->failed = 0;
}

static unsigned char *reserve(struct cell_packer *packer, size_t length)
{
  unsigned char *at;

  if (packer->failed || packer->size - packer->used < length) {
    packer->failed = 1;
    return NULL;
  }
  at = packer->bytes + packer->used;
  packer->used += length;
  return at;
}

void cell_pack_u32(struct cell_packer *packer, uint32_t value)
{
  unsigned char *at = reserve(packer, 4);
  int i;

  for (i = 0; at != NULL && i < 4; i++)
    at[i] = (unsigned char)(value >> (8 * i));
}

void cell_pack_u64(struct cell_packer *packer, uint64_t value)
{
  unsigned char *at = reserve(packer, 8);
  int i;

  for (i = 0; at != NULL && i < 8; i++)
    at[i] = (unsigned char)(value >> (8 * i));
}

void cell_pack_bytes(struct cell_packer *packer, const void *bytes,
                     size_t length)
{
  unsigned char *at;

  if (length > UINT32_MAX || packer->size - packer->used < 4 ||
      packer->size - packer->used - 4 < length) {
    packer->failed = 1;
    return;
  }
  cell_pack_u32(packer, (uint32_t)length);
  at = reserve(packer, length);
  if (at != NULL && length > 0)
    memcpy(at, bytes, length);
}

void cell_pack_string(struct cell_packer *packer, const char *string)
{
  cell_pack_bytes(packer, string, strlen(string));
}

void cell_unpack_start(struct cell_unpacker *unpacker, const void *bytes,
                       size_t size)
{
  unpacker->bytes = bytes;
  unpacker->used = 0;
  unpacker->size = size;
  unpacker->failed = 0;
}

static const unsigned char *consume(struct cell_unpacker *unpacker,
                                    size_t length)
{
  const unsigned char *at;

  if (unpacker->failed || unpacker->size - unpacker->used < length) {
    unpacker->failed = 1;
    return NULL;
  }
  at = unpacker->bytes + unpacker->used;
  unpacker->used += length;
  return at;
}

uint32_t cell_unpack_u32(struct cell_unpacker *unpacker)
{
  const unsigned char *at = consume(unpacker, 4);
  uint32_t value = 0;
  int i;

  for (i = 0; at != NULL && i < 4; i++)
    value |= (uint32_t)at[i] << (8 * i);
  return value;
}

uint64_t cell_unpack_u64(struct cell_unpacker *unpacker)
{
  const unsigned char *at = consume(unpacker, 8);
  uint64_t value = 0;
  int i;

  for (i = 0; at != NULL && i < 8; i++)
    value |= (uint64_t)at[i] << (8 * i);
  return value;
}

const unsigned char *cell_unpack_bytes(struct cell_unpacker *unpacker,
                                       size_t *length)
{
  uint32_t count = cell_unpack_u32(unpacker);
  const unsigned char *at = consume(unpacker, count);

  *length = at != NULL ? count : 0;
  return at != NULL ? at : (const unsigned char *)"";
}

void cell_unpack_string(struct cell_unpacker *unpacker, char *buffer,
                        size_t size)
{
  size_t length;
  const unsigned char *at = cell_unpack_bytes(unpacker, &length);

  if (size == 0) {
    unpacker->failed = 1;
    return;
  }
  if (length >= size || memchr(at, 0, length) != NULL) {
    unpacker->failed = 1;
    length = 0;
  }
  memcpy(buffer, at, length);
  buffer[length] = '\0';
}

int cell_unpack_done(const struct cell_unpacker *unpacker)
{
  return !unpacker->failed && unpacker->used == unpacker->size;
}
