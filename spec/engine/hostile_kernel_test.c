/* hostile_kernel_test.c -- a kernel's wire in the hand of the code it runs.
**
** Code shares its kernel's memory, so it can say anything on this stream; it
** must not break the host. #S048 #S049 #S050 #S057
*/
#include "check.h"
#include "descriptor.h"
#include "wire/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 5

struct kernel {
  struct cell_reactor *reactor;
  struct cell_wire wire;
  struct cell_error error;
  int end;    /* the kernel's, where it writes */
  int reader; /* where it reads */
};

static void news(struct cell_wire *wire)
{
  ++*(int *)wire->owner;
}

static void open_kernel(struct kernel *kernel)
{
  static int count;
  int ends[2], to_kernel[2];

  memset(kernel, 0, sizeof *kernel);
  if (cell_fd_pipe(ends) < 0 || cell_fd_pipe(to_kernel) < 0 ||
      cell_fd_nonblocking(ends[1]) < 0)
    abort();
  kernel->end = ends[1];
  kernel->reader = to_kernel[0];
  kernel->reactor = cell_reactor_new(NULL);
  kernel->wire.news = news;
  kernel->wire.owner = &count;
  if (kernel->reactor == NULL ||
      cell_wire_open(&kernel->wire, kernel->reactor, ends[0], to_kernel[1],
                     NULL) < 0)
    abort();
}

static void close_kernel(struct kernel *kernel)
{
  cell_fd_close(&kernel->end);
  cell_fd_close(&kernel->reader);
  cell_wire_close(&kernel->wire);
  cell_reactor_release(kernel->reactor);
}

/* Returns how much the wire took. */
static size_t say(struct kernel *kernel, const void *bytes, size_t size)
{
  size_t sent = 0;

  while (sent < size) {
    long count =
      cell_fd_write(kernel->end, (const char *)bytes + sent, size - sent);

    if (count < 0)
      break; /* full, or the host has closed it */
    sent += (size_t)count;
  }
  return sent;
}

static int receive(struct kernel *kernel, struct cell_frame *frame)
{
  cell_reactor_step(kernel->reactor, 0, NULL);
  return cell_wire_receive(&kernel->wire, frame, &kernel->error);
}

/* Frames with payloads of 0, 1, 2, ... bytes. */
static size_t record(unsigned char *bytes)
{
  size_t used = 0;
  uint32_t i;

  for (i = 0; i < FRAMES; i++) {
    cell_frame_header(bytes + used, i, 17, i);
    memset(bytes + used + CELL_FRAME_HEADER, (int)('a' + i), i);
    used += CELL_FRAME_HEADER + i;
  }
  return used;
}

/* How many right frames come of the first `size` bytes; what follows is -1. */
static int frames_of(struct kernel *kernel, const unsigned char *bytes,
                     size_t size, int *after)
{
  struct cell_frame frame;
  uint32_t count = 0;

  say(kernel, bytes, size);
  while ((*after = receive(kernel, &frame)) == 1) {
    if (frame.length != count || frame.request != count ||
        (count > 0 && frame.payload[count - 1] != 'a' + count))
      return -1;
    count++;
  }
  return (int)count;
}

static void cut_anywhere(void)
{
  unsigned char bytes[256];
  size_t whole = record(bytes), size;
  int waits = 1, ends = 1, frames = 0;

  for (size = 0; size <= whole; size++) {
    struct kernel kernel;
    int after, now;

    open_kernel(&kernel);
    now = frames_of(&kernel, bytes, size, &after);
    waits = waits && after == 0 && (now == frames || now == frames + 1);
    frames = now;
    cell_fd_close(&kernel.end);
    ends = ends && frames_of(&kernel, NULL, 0, &after) == 0 && after == -1 &&
           kernel.error.kind == CELL_UNAVAILABLE;
    close_kernel(&kernel);
  }
  check(waits && frames == FRAMES,
        "half a frame and then silence is nothing yet #S049");
  check(ends, "half a frame and then the end is the end #S050");
}

static void byte_by_byte(void)
{
  unsigned char bytes[256];
  size_t whole = record(bytes), i;
  struct kernel kernel;
  struct cell_frame frame;
  int frames = 0;

  open_kernel(&kernel);
  for (i = 0; i < whole; i++) {
    say(&kernel, bytes + i, 1);
    while (receive(&kernel, &frame) == 1)
      frames++;
  }
  close_kernel(&kernel);
  check(frames == FRAMES, "frames that come byte by byte are whole #S052");
}

static void lengths(void)
{
  static const uint32_t wrong[] = {CELL_KERNEL_FRAME_MAX + 1, 0x7fffffffu,
                                   0x80000000u, 0xffffffffu};
  unsigned char header[CELL_FRAME_HEADER];
  struct cell_frame frame;
  struct kernel kernel;
  int refused = 1, after;
  size_t i;

  for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    open_kernel(&kernel);
    cell_frame_header(header, wrong[i], 17, 1);
    say(&kernel, header, sizeof header);
    after = receive(&kernel, &frame);
    refused = refused && after == -1 && kernel.error.kind == CELL_PROTOCOL &&
              kernel.wire.reader < 0;
    close_kernel(&kernel);
  }
  check(refused, "a length above the bound closes the wire #S048");
  open_kernel(&kernel);
  cell_frame_header(header, CELL_KERNEL_FRAME_MAX, 17, 1);
  say(&kernel, header, sizeof header);
  after = receive(&kernel, &frame);
  check(after == 0 && kernel.wire.in.size <= 65536,
        "one at the bound takes no memory before its bytes come #S048");
  close_kernel(&kernel);
}

/* A frame that waits is enough: the rest stays in the kernel's wire. */
static void flood(void)
{
  static unsigned char bytes[CELL_FRAME_HEADER + 1000];
  struct kernel kernel;
  struct cell_frame frame;
  size_t said = 0, now;
  int frames = 0;

  open_kernel(&kernel);
  cell_frame_header(bytes, 1000, 17, 1);
  do {
    now = say(&kernel, bytes, sizeof bytes);
    said += now;
    cell_reactor_step(kernel.reactor, 0, NULL);
  } while (now == sizeof bytes && said < (64u << 20));
  check(now < sizeof bytes && kernel.wire.in.size <= 256 * 1024,
        "a kernel that floods waits; the host keeps %zu bytes #S052",
        kernel.wire.in.size);
  while (receive(&kernel, &frame) == 1)
    frames++;
  check((size_t)frames == said / sizeof bytes, "and none of %d frames is lost",
        frames);
  close_kernel(&kernel);
}

static void flipped(void)
{
  unsigned char bytes[256];
  size_t whole = record(bytes), bit;
  int right = 1;

  for (bit = 0; bit < 8 * whole; bit++) {
    struct kernel kernel;
    struct cell_frame frame;
    int count = 0;

    open_kernel(&kernel);
    bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    say(&kernel, bytes, whole);
    bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    while (receive(&kernel, &frame) == 1) {
      right = right && frame.length <= whole;
      count++;
    }
    right = right && count <= FRAMES;
    close_kernel(&kernel);
  }
  check(right, "a flipped bit is a wrong frame, a wait or the end #S057");
}

/* The kernel does not read: the host queues so much and no more. */
static void deaf(void)
{
  static unsigned char payload[1 << 20];
  struct kernel kernel;
  int i, result = 0;

  open_kernel(&kernel);
  for (i = 0; i < 200 && result == 0; i++)
    result = cell_wire_send(&kernel.wire, 2, 1, payload, sizeof payload,
                            &kernel.error);
  check(result < 0 && kernel.error.kind == CELL_LIMIT_EXCEEDED && i < 80,
        "a kernel that does not read takes a bounded queue: %d MiB #S053", i);
  close_kernel(&kernel);
}

/* Gone is only the end that it reads from: it may say something still. */
static void half_closed(void)
{
  unsigned char bytes[256];
  size_t whole = record(bytes);
  struct kernel kernel;
  int after, steps;

  open_kernel(&kernel);
  cell_fd_close(&kernel.reader);
  check(cell_wire_send(&kernel.wire, 2, 1, "x", 1, &kernel.error) < 0 &&
          kernel.error.kind == CELL_UNAVAILABLE,
        "what a kernel does not read any more fails, without SIGPIPE #S053");
  check(frames_of(&kernel, bytes, whole, &after) == FRAMES && after == 0,
        "what it says is heard all the same");
  steps = cell_reactor_step(kernel.reactor, 0, NULL);
  check(steps == 0, "and nothing wakes the host in vain");
  close_kernel(&kernel);
}

/* It closes what it reads from while a long frame waits for it. */
static void closed_while_queued(void)
{
  static unsigned char payload[1 << 20];
  struct kernel kernel;
  struct cell_frame frame;
  int i, steps = 1;

  open_kernel(&kernel);
  check(cell_wire_send(&kernel.wire, 2, 1, payload, sizeof payload, NULL) == 0,
        "a frame longer than the pipe is queued");
  cell_fd_close(&kernel.reader);
  for (i = 0; i < 10 && steps > 0; i++)
    steps = cell_reactor_step(kernel.reactor, 0, NULL);
  check(steps == 0 && kernel.wire.out.used == 0,
        "one that nobody will read is dropped, once #S053");
  check(receive(&kernel, &frame) == 0 &&
          cell_wire_send(&kernel.wire, 2, 1, "x", 1, &kernel.error) < 0,
        "and the next one fails");
  close_kernel(&kernel);
}

int main(void)
{
  signal(SIGPIPE, SIG_DFL); /* the engine must not raise it */
  cut_anywhere();
  byte_by_byte();
  lengths();
  flood();
  flipped();
  deaf();
  half_closed();
  closed_while_queued();
  return check_status();
}
