/* digest.c -- see digest.h.
**
** FIPS 180-4. SHA-256 is SHA-512 with words of half the size: its constants are
** the upper halves of the other's.
*/
#include "digest.h"

#include <string.h>

/* The fractions of the cube roots of the first 80 primes. */
static const uint64_t rounds[80] = {
  0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu,
  0xe9b5dba58189dbbcu, 0x3956c25bf348b538u, 0x59f111f1b605d019u,
  0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u, 0xd807aa98a3030242u,
  0x12835b0145706fbeu, 0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u,
  0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u,
  0xc19bf174cf692694u, 0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u,
  0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u, 0x2de92c6f592b0275u,
  0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u,
  0x983e5152ee66dfabu, 0xa831c66d2db43210u, 0xb00327c898fb213fu,
  0xbf597fc7beef0ee4u, 0xc6e00bf33da88fc2u, 0xd5a79147930aa725u,
  0x06ca6351e003826fu, 0x142929670a0e6e70u, 0x27b70a8546d22ffcu,
  0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu, 0x53380d139d95b3dfu,
  0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u,
  0x92722c851482353bu, 0xa2bfe8a14cf10364u, 0xa81a664bbc423001u,
  0xc24b8b70d0f89791u, 0xc76c51a30654be30u, 0xd192e819d6ef5218u,
  0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u,
  0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u, 0x2748774cdf8eeb99u,
  0x34b0bcb5e19b48a8u, 0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu,
  0x5b9cca4f7763e373u, 0x682e6ff3d6b2b8a3u, 0x748f82ee5defb2fcu,
  0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
  0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u,
  0xc67178f2e372532bu, 0xca273eceea26619cu, 0xd186b8c721c0c207u,
  0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u, 0x06f067aa72176fbau,
  0x0a637dc5a2c898a6u, 0x113f9804bef90daeu, 0x1b710b35131c471bu,
  0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu,
  0x431d67c49c100d4cu, 0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au,
  0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u};

/* The fractions of the square roots of the first eight. */
static const uint64_t beginning[8] = {0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu,
                                      0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
                                      0x510e527fade682d1u, 0x9b05688c2b3e6c1fu,
                                      0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u};

static size_t block_size(const struct cell_digest *digest)
{
  return digest->kind == CELL_SHA512 ? 128 : 64;
}

static uint32_t left32(uint32_t value, unsigned count)
{
  return value << count | value >> (32 - count);
}

static uint32_t right32(uint32_t value, unsigned count)
{
  return value >> count | value << (32 - count);
}

static uint64_t right64(uint64_t value, unsigned count)
{
  return value >> count | value << (64 - count);
}

static uint32_t read32(const unsigned char *at)
{
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
         at[3];
}

static uint64_t read64(const unsigned char *at)
{
  return (uint64_t)read32(at) << 32 | read32(at + 4);
}

static uint32_t choose1(int round, uint32_t b, uint32_t c, uint32_t d)
{
  switch (round / 20) {
  case 0:
    return ((b & c) | (~b & d)) + 0x5a827999u;
  case 1:
    return (b ^ c ^ d) + 0x6ed9eba1u;
  case 2:
    return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
  default:
    return (b ^ c ^ d) + 0xca62c1d6u;
  }
}

static void turn1(uint64_t *state, const unsigned char *block)
{
  uint32_t words[80], part[5], next;
  int i;

  for (i = 0; i < 16; i++)
    words[i] = read32(block + (size_t)i * 4);
  for (; i < 80; i++)
    words[i] =
      left32(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  for (i = 0; i < 5; i++)
    part[i] = (uint32_t)state[i];
  for (i = 0; i < 80; i++) {
    next = left32(part[0], 5) + choose1(i, part[1], part[2], part[3]) +
           part[4] + words[i];
    part[4] = part[3];
    part[3] = part[2];
    part[2] = left32(part[1], 30);
    part[1] = part[0];
    part[0] = next;
  }
  for (i = 0; i < 5; i++)
    state[i] = (uint32_t)(state[i] + part[i]);
}

static void turn256(uint64_t *state, const unsigned char *block)
{
  uint32_t words[64], part[8], one, two;
  int i;

  for (i = 0; i < 16; i++)
    words[i] = read32(block + (size_t)i * 4);
  for (; i < 64; i++) {
    one = words[i - 15];
    two = words[i - 2];
    words[i] = words[i - 16] + words[i - 7] +
               (right32(one, 7) ^ right32(one, 18) ^ one >> 3) +
               (right32(two, 17) ^ right32(two, 19) ^ two >> 10);
  }
  for (i = 0; i < 8; i++)
    part[i] = (uint32_t)state[i];
  for (i = 0; i < 64; i++) {
    one = part[7] +
          (right32(part[4], 6) ^ right32(part[4], 11) ^ right32(part[4], 25)) +
          ((part[4] & part[5]) ^ (~part[4] & part[6])) +
          (uint32_t)(rounds[i] >> 32) + words[i];
    two = (right32(part[0], 2) ^ right32(part[0], 13) ^ right32(part[0], 22)) +
          ((part[0] & part[1]) ^ (part[0] & part[2]) ^ (part[1] & part[2]));
    part[7] = part[6];
    part[6] = part[5];
    part[5] = part[4];
    part[4] = part[3] + one;
    part[3] = part[2];
    part[2] = part[1];
    part[1] = part[0];
    part[0] = one + two;
  }
  for (i = 0; i < 8; i++)
    state[i] = (uint32_t)(state[i] + part[i]);
}

static void turn512(uint64_t *state, const unsigned char *block)
{
  uint64_t words[80], part[8], one, two;
  int i;

  for (i = 0; i < 16; i++)
    words[i] = read64(block + (size_t)i * 8);
  for (; i < 80; i++) {
    one = words[i - 15];
    two = words[i - 2];
    words[i] = words[i - 16] + words[i - 7] +
               (right64(one, 1) ^ right64(one, 8) ^ one >> 7) +
               (right64(two, 19) ^ right64(two, 61) ^ two >> 6);
  }
  memcpy(part, state, sizeof part);
  for (i = 0; i < 80; i++) {
    one = part[7] +
          (right64(part[4], 14) ^ right64(part[4], 18) ^ right64(part[4], 41)) +
          ((part[4] & part[5]) ^ (~part[4] & part[6])) + rounds[i] + words[i];
    two = (right64(part[0], 28) ^ right64(part[0], 34) ^ right64(part[0], 39)) +
          ((part[0] & part[1]) ^ (part[0] & part[2]) ^ (part[1] & part[2]));
    part[7] = part[6];
    part[6] = part[5];
    part[5] = part[4];
    part[4] = part[3] + one;
    part[3] = part[2];
    part[2] = part[1];
    part[1] = part[0];
    part[0] = one + two;
  }
  for (i = 0; i < 8; i++)
    state[i] += part[i];
}

static void turn(struct cell_digest *digest, const unsigned char *block)
{
  if (digest->kind == CELL_SHA512)
    turn512(digest->state, block);
  else if (digest->kind == CELL_SHA256)
    turn256(digest->state, block);
  else
    turn1(digest->state, block);
}

void cell_digest_start(struct cell_digest *digest, enum cell_digest_kind kind)
{
  static const uint32_t beginning1[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu,
                                         0x10325476u, 0xc3d2e1f0u};
  int i;

  memset(digest, 0, sizeof *digest);
  digest->kind = kind;
  for (i = 0; i < (kind == CELL_SHA1 ? 5 : 8); i++)
    digest->state[i] = kind == CELL_SHA1     ? beginning1[i]
                       : kind == CELL_SHA256 ? beginning[i] >> 32
                                             : beginning[i];
}

void cell_digest_update(struct cell_digest *digest, const void *bytes,
                        size_t size)
{
  const unsigned char *at = bytes;
  size_t whole = block_size(digest), used = (size_t)(digest->length % whole);

  digest->length += size;
  if (used + size < whole) {
    memcpy(digest->block + used, at, size);
    return;
  }
  if (used > 0) {
    memcpy(digest->block + used, at, whole - used);
    turn(digest, digest->block);
    at += whole - used;
    size -= whole - used;
  }
  for (; size >= whole; at += whole, size -= whole)
    turn(digest, at);
  memcpy(digest->block, at, size);
}

size_t cell_digest_finish(struct cell_digest *digest,
                          unsigned char result[CELL_DIGEST_MAX])
{
  size_t whole = block_size(digest), used = (size_t)(digest->length % whole);
  size_t word = digest->kind == CELL_SHA512 ? 8 : 4;
  size_t size = digest->kind == CELL_SHA1 ? 20 : word * 8, i;
  uint64_t bits = digest->length * 8;

  digest->block[used++] = 0x80;
  if (used > whole - 2 * word) {
    memset(digest->block + used, 0, whole - used);
    turn(digest, digest->block);
    used = 0;
  }
  memset(digest->block + used, 0, whole - used);
  for (i = 0; i < 8; i++)
    digest->block[whole - 1 - i] = (unsigned char)(bits >> 8 * i);
  turn(digest, digest->block);
  for (i = 0; i < size; i++)
    result[i] =
      (unsigned char)(digest->state[i / word] >> 8 * (word - 1 - i % word));
  return size;
}
