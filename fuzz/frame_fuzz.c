/* frame_fuzz.c -- hostile bytes as a stream of frames with packed payloads.
**
** What the host does with a kernel's stream and a warden's messages: frames one
** after the other, of each the values that its first bytes tell to read.
**
** `make fuzz` runs it for a minute; without an end, with what it finds kept:
**   make fuzz FUZZ_SECONDS=0
** by hand: clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc \
**            fuzz/frame_fuzz.c src/wire/frame.c src/wire/pack.c
**          ./a.out fuzz/corpus/frame
** An input that fails is written as crash-...; run with its name alone, it
** fails again. Seeds are recorded messages; new ones that matter go to
** fuzz/corpus/frame.
*/
#include "wire/frame.h"
#include "wire/pack.h"
#include "wire/protocol.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void demand(int holds)
{
  if (!holds)
    abort();
}

/* A listing's entries, as protocol.h has them; a count is never believed. */
static void read_entries(struct cell_unpacker *unpacker)
{
  uint32_t count = cell_unpack_u32(unpacker), i;

  for (i = 0; i < count && !unpacker->failed; i++) {
    char path[CELL_PATH_MAX], target[CELL_PATH_MAX];

    cell_unpack_string(unpacker, path, sizeof path);
    cell_unpack_u32(unpacker);
    cell_unpack_u32(unpacker);
    cell_unpack_u64(unpacker);
    cell_unpack_u64(unpacker);
    cell_unpack_u32(unpacker);
    cell_unpack_u32(unpacker);
    cell_unpack_string(unpacker, target, sizeof target);
    demand(strlen(path) < sizeof path && strlen(target) < sizeof target);
  }
}

/* Parts, as a kernel sends them: name, value, name, value. */
static void read_parts(struct cell_unpacker *unpacker)
{
  while (!unpacker->failed && unpacker->used < unpacker->size) {
    char name[64];
    size_t length;
    const unsigned char *value;

    cell_unpack_string(unpacker, name, sizeof name);
    value = cell_unpack_bytes(unpacker, &length);
    demand(value != NULL && strlen(name) < sizeof name);
    demand(unpacker->failed ||
           (length <= unpacker->used &&
            value == unpacker->bytes + unpacker->used - length));
  }
}

/* What is read again from what was written is the same. */
static void write_back(const struct cell_frame *frame)
{
  unsigned char copy[512];
  struct cell_packer packer;
  struct cell_unpacker unpacker;
  size_t length;
  const unsigned char *bytes;

  cell_pack_start(&packer, copy, sizeof copy);
  cell_pack_u64(&packer, frame->request);
  cell_pack_bytes(&packer, frame->payload, frame->length);
  demand(packer.failed == (frame->length > sizeof copy - 12));
  if (packer.failed)
    return;
  cell_unpack_start(&unpacker, copy, packer.used);
  demand(cell_unpack_u64(&unpacker) == frame->request);
  bytes = cell_unpack_bytes(&unpacker, &length);
  demand(length == frame->length && memcmp(bytes, frame->payload, length) == 0);
  demand(cell_unpack_done(&unpacker));
}

static void read_payload(const struct cell_frame *frame)
{
  struct cell_unpacker unpacker;

  cell_unpack_start(&unpacker, frame->payload, frame->length);
  if (frame->type == CELL_ENTRIES)
    read_entries(&unpacker);
  else if (frame->type == CELL_KERNEL_RESULT)
    read_parts(&unpacker);
  else
    while (!unpacker.failed && unpacker.used < unpacker.size)
      cell_unpack_u32(&unpacker);
  demand(unpacker.used <= unpacker.size);
  if (unpacker.failed)
    demand(cell_unpack_u64(&unpacker) == 0 && !cell_unpack_done(&unpacker));
  write_back(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  size_t used = 0;

  for (;;) {
    struct cell_frame frame = {0, 0, 0, NULL};
    long whole =
      cell_frame_parse(bytes + used, size - used, CELL_MESSAGE_MAX, &frame);

    if (whole <= 0)
      return 0;
    demand((size_t)whole == CELL_FRAME_HEADER + frame.length &&
           (size_t)whole <= size - used);
    read_payload(&frame);
    used += (size_t)whole;
  }
}
