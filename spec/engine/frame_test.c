/* frame_test.c -- the frame parser and the pack reader on every bad input.
**
** Inputs stand right before a page that nobody may touch, so that reading one
** byte too many ends the test, with or without a sanitizer.
*/
#include "check.h"
#include "edge.h"
#include "wire/frame.h"
#include "wire/pack.h"
#include "wire/protocol.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a warden says in a short life: hello, a process, a listing, its end. */
static size_t record_session(unsigned char *bytes, size_t most)
{
  static const uint32_t types[] = {CELL_HELLO,  CELL_SPAWNED,
                                   CELL_EXITED, CELL_ENTRIES,
                                   CELL_DONE,   CELL_METRICS_ARE};
  size_t used = 0, i;

  for (i = 0; i < sizeof types / sizeof *types; i++) {
    unsigned char payload[256];
    struct cell_packer packer;

    cell_pack_start(&packer, payload, sizeof payload);
    cell_pack_u32(&packer, (uint32_t)i);
    if (i % 2 == 1)
      cell_pack_string(&packer, "program/\xc3\xa4");
    cell_pack_u64(&packer, UINT64_MAX - i);
    if (used + CELL_FRAME_HEADER + packer.used > most)
      abort();
    cell_frame_header(bytes + used, (uint32_t)packer.used, types[i], i + 7);
    memcpy(bytes + used + CELL_FRAME_HEADER, payload, packer.used);
    used += CELL_FRAME_HEADER + packer.used;
  }
  return used;
}

/* Parses to the end or to the first bad frame. Returns the number of frames,
** -1 if one of them was not inside the bytes.
*/
static int walk(const unsigned char *bytes, size_t size, uint32_t payload_max)
{
  size_t used = 0;
  int frames = 0;

  for (;;) {
    struct cell_frame frame;
    long whole =
      cell_frame_parse(bytes + used, size - used, payload_max, &frame);

    if (whole <= 0)
      return frames;
    if ((size_t)whole != CELL_FRAME_HEADER + frame.length ||
        (size_t)whole > size - used || frame.length > payload_max ||
        frame.payload != bytes + used + CELL_FRAME_HEADER)
      return -1;
    used += (size_t)whole;
    frames++;
  }
}

/* ---- frames ---- */

static void header_round_trip(void)
{
  static const uint64_t requests[] = {0, 1, UINT64_C(1) << 32, UINT64_MAX};
  uint32_t length;
  int right = 1;

  for (length = 0; length <= 300; length++) {
    unsigned char bytes[CELL_FRAME_HEADER + 300] = {0};
    struct cell_frame frame;
    uint64_t request = requests[length % 4];
    unsigned char *at;

    cell_frame_header(bytes, length, 0xfffffff0u + length % 16, request);
    at = at_the_edge(bytes, CELL_FRAME_HEADER + length);
    right = right &&
            cell_frame_parse(at, CELL_FRAME_HEADER + length, 300, &frame) ==
              (long)(CELL_FRAME_HEADER + length) &&
            frame.length == length && frame.type == 0xfffffff0u + length % 16 &&
            frame.request == request;
  }
  check(right, "a frame of every length is read as it was written");
}

static void header_is_little_endian(void)
{
  static const unsigned char expected[CELL_FRAME_HEADER] = {
    4, 3, 2, 1, 8, 7, 6, 5, 0x10, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 9};
  unsigned char header[CELL_FRAME_HEADER];

  cell_frame_header(header, 0x01020304u, 0x05060708u,
                    UINT64_C(0x090a0b0c0d0e0f10));
  check(memcmp(header, expected, sizeof header) == 0,
        "numbers are little-endian on every machine");
}

static void truncated_session(void)
{
  unsigned char session[2048];
  size_t whole = record_session(session, sizeof session), size;
  int frames = 0, right = 1;

  for (size = 0; size <= whole; size++) {
    int now = walk(at_the_edge(session, size), size, CELL_MESSAGE_MAX);

    right = right && (now == frames || now == frames + 1);
    frames = now;
  }
  check(right && frames == 6,
        "a session cut at any byte is its complete frames, then a wait #S050");
}

static void lengths_out_of_bounds(void)
{
  static const uint32_t bounds[] = {0, 1, CELL_MESSAGE_MAX,
                                    CELL_KERNEL_FRAME_MAX};
  static const uint32_t lengths[] = {CELL_KERNEL_FRAME_MAX + 1, 0x7fffffffu,
                                     0x80000000u, 0xfffffff0u, 0xffffffffu};
  size_t i, j;
  int refused = 1, waits = 1;

  for (i = 0; i < sizeof bounds / sizeof *bounds; i++) {
    unsigned char header[CELL_FRAME_HEADER];
    struct cell_frame frame;

    for (j = 0; j < sizeof lengths / sizeof *lengths; j++) {
      cell_frame_header(header, lengths[j], 1, 1);
      refused = refused && cell_frame_parse(at_the_edge(header, 16), 16,
                                            bounds[i], &frame) == -1;
    }
    cell_frame_header(header, bounds[i] + 1, 1, 1);
    refused = refused && cell_frame_parse(at_the_edge(header, 16), 16,
                                          bounds[i], &frame) == -1;
    cell_frame_header(header, bounds[i], 1, 1);
    waits = waits &&
            cell_frame_parse(at_the_edge(header, 16), 16, bounds[i], &frame) ==
              (bounds[i] == 0 ? 16 : 0) &&
            frame.length == bounds[i];
  }
  check(refused, "a length above the bound is refused by its header #S048");
  check(waits, "a length at the bound is not");
}

static void flipped_session(void)
{
  unsigned char session[2048];
  size_t whole = record_session(session, sizeof session), bit;
  int right = 1;

  for (bit = 0; bit < 8 * whole; bit++) {
    session[bit / 8] ^= (unsigned char)(1u << bit % 8);
    right =
      right && walk(at_the_edge(session, whole), whole, CELL_MESSAGE_MAX) >= 0;
    session[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  check(right, "no flipped bit makes a frame outside of its bytes #S057");
}

static void random_bytes(void)
{
  uint64_t state = 88172645463325252u;
  int round, right = 1;

  for (round = 0; round < 20000; round++) {
    unsigned char bytes[64];
    size_t i;

    for (i = 0; i < sizeof bytes; i++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      /* Small numbers often, or no length would ever fit. */
      bytes[i] =
        (unsigned char)(state >> 40) & ((state & 3) == 0 ? 0xffu : 0x07u);
      if (i % 4 != 0 && (state & 12) != 0)
        bytes[i] = 0;
    }
    right = right && walk(at_the_edge(bytes, sizeof bytes), sizeof bytes,
                          CELL_MESSAGE_MAX) >= 0;
  }
  check(right, "random bytes are frames inside of them, or refused #S057");
}

/* ---- values in a payload ---- */

static void pack_all(struct cell_packer *packer)
{
  cell_pack_u32(packer, 0xfffefdfcu);
  cell_pack_u64(packer, UINT64_MAX);
  cell_pack_bytes(packer, "\0binary\xff", 8);
  cell_pack_bytes(packer, NULL, 0);
  cell_pack_string(packer, "string");
}

#define ALL_SIZE (4u + 8u + 4u + 8u + 4u + 4u + 6u)

/* 1 if every value is what pack_all wrote. */
static int unpack_all(const unsigned char *bytes, size_t size)
{
  struct cell_unpacker unpacker;
  char string[16];
  size_t length, none;
  const unsigned char *binary;
  int right;

  cell_unpack_start(&unpacker, bytes, size);
  right = cell_unpack_u32(&unpacker) == 0xfffefdfcu;
  right = cell_unpack_u64(&unpacker) == UINT64_MAX && right;
  binary = cell_unpack_bytes(&unpacker, &length);
  right = length == 8 && memcmp(binary, "\0binary\xff", 8) == 0 && right;
  right = cell_unpack_bytes(&unpacker, &none) != NULL && none == 0 && right;
  cell_unpack_string(&unpacker, string, sizeof string);
  right = strcmp(string, "string") == 0 && right;
  return right && cell_unpack_done(&unpacker);
}

static void packer_sizes(void)
{
  static const unsigned char empty[ALL_SIZE];
  size_t size;
  int right = 1;

  for (size = 0; size <= ALL_SIZE; size++) {
    unsigned char *at = at_the_edge(empty, size);
    struct cell_packer packer;

    cell_pack_start(&packer, at, size);
    pack_all(&packer);
    right = right && packer.failed == (size < ALL_SIZE) && packer.used <= size;
  }
  check(right, "a writer without room fails once and stays in its room");
}

static void unpacker_sizes(void)
{
  unsigned char bytes[ALL_SIZE + 1] = {0};
  struct cell_packer packer;
  size_t size;
  int right = 1;

  cell_pack_start(&packer, bytes, ALL_SIZE);
  pack_all(&packer);
  for (size = 0; size < ALL_SIZE; size++)
    right = right && !unpack_all(at_the_edge(bytes, size), size);
  check(right, "a payload cut at any byte is not taken for whole #S050");
  check(unpack_all(at_the_edge(bytes, ALL_SIZE), ALL_SIZE),
        "a whole payload gives every value back");
  check(!unpack_all(at_the_edge(bytes, sizeof bytes), sizeof bytes),
        "nor is one with a byte too many #S054");
}

static void unpacker_flips(void)
{
  unsigned char bytes[ALL_SIZE];
  struct cell_packer packer;
  size_t bit;
  int right = 1;

  cell_pack_start(&packer, bytes, sizeof bytes);
  pack_all(&packer);
  for (bit = 0; bit < 8 * sizeof bytes; bit++) {
    bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    right = right && !unpack_all(at_the_edge(bytes, ALL_SIZE), ALL_SIZE);
    bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  check(right, "every flipped bit is seen or changes a value #S057");
}

static void counts_out_of_bounds(void)
{
  static const uint32_t counts[] = {1, 0x7fffffffu, 0x80000000u, 0xfffffffcu,
                                    0xffffffffu};
  size_t i, length;
  int right = 1;

  for (i = 0; i < sizeof counts / sizeof *counts; i++) {
    unsigned char bytes[4];
    char string[8] = "old";
    struct cell_packer packer;
    struct cell_unpacker unpacker;

    cell_pack_start(&packer, bytes, sizeof bytes);
    cell_pack_u32(&packer, counts[i]);
    cell_unpack_start(&unpacker, at_the_edge(bytes, 4), 4);
    right = right && cell_unpack_bytes(&unpacker, &length) != NULL &&
            length == 0 && unpacker.failed;
    cell_unpack_start(&unpacker, at_the_edge(bytes, 4), 4);
    cell_unpack_string(&unpacker, string, sizeof string);
    right = right && unpacker.failed && string[0] == '\0';
  }
  check(right, "a count beyond the end gives nothing #S048");
}

/* 1 if the bytes, as one counted value, are refused as a string. */
static int string_fails(const char *value, size_t length, size_t room_size)
{
  unsigned char bytes[64];
  char buffer[32];
  struct cell_packer packer;
  struct cell_unpacker unpacker;

  memset(buffer, '#', sizeof buffer);
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_bytes(&packer, value, length);
  cell_unpack_start(&unpacker, bytes, packer.used);
  cell_unpack_string(&unpacker, buffer, room_size);
  if (buffer[room_size] != '#') /* written past its room */
    return -1;
  return unpacker.failed;
}

static void strings(void)
{
  check(string_fails("four", 4, 5) == 0, "a string fits with its NUL");
  check(string_fails("four", 4, 4) == 1, "a string without room for it fails");
  check(string_fails("four", 4, 0) == 1, "so does one without any room");
  check(string_fails("a\0b", 3, 8) == 1, "a string with a NUL inside fails");
  check(string_fails("", 0, 1) == 0, "an empty string needs one byte");
}

static void failure_stays(void)
{
  unsigned char bytes[12] = {9, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
  struct cell_unpacker unpacker;
  struct cell_packer packer;
  size_t length;

  cell_unpack_start(&unpacker, bytes, sizeof bytes);
  cell_unpack_bytes(&unpacker, &length);
  check(cell_unpack_u32(&unpacker) == 0 && cell_unpack_u64(&unpacker) == 0 &&
          !cell_unpack_done(&unpacker),
        "a reader that failed gives zeroes for ever");
  cell_pack_start(&packer, bytes, 6);
  cell_pack_u64(&packer, 1);
  cell_pack_u32(&packer, 0xffffffffu);
  check(packer.failed && packer.used == 0 && bytes[0] == 9,
        "a writer that failed writes nothing more");
}

int main(void)
{
  header_round_trip();
  header_is_little_endian();
  truncated_session();
  lengths_out_of_bounds();
  flipped_session();
  random_bytes();
  packer_sizes();
  unpacker_sizes();
  unpacker_flips();
  counts_out_of_bounds();
  strings();
  failure_stays();
  return check_status();
}
