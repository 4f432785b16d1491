/* hostile.h -- the other end of a sandbox's channel, in a test's hand.
**
** Says what no warden says, and looks at what the host makes of it.
*/
#ifndef CELL_HOSTILE_H
#define CELL_HOSTILE_H

#include "check.h"
#include "descriptor.h"
#include "reactor/clock.h"
#include "sandbox/sandbox.h"
#include "small_sandbox.h"
#include "wire/frame.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NOTHING 0u /* no question is asked */
#define STAGE ""   /* of what went well */
#define HUGE_COUNT (UINT64_C(1) << 63)

struct fake {
  struct cell_reactor *reactor;
  struct cell_sandbox *sandbox;
  uint64_t request; /* of the question, or 1 */
  int end;          /* the warden's */
};

static int count_descriptors(void)
{
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;

  while (directory != NULL && readdir(directory) != NULL)
    count++;
  closedir(directory);
  return count;
}

/* ---- what it says ---- */

/* `format`: 4 and 8 for numbers of so many bytes, s for a string, b for a
** value with its length.
*/
static void pack(struct cell_packer *packer, const char *format, va_list values)
{
  for (; *format != '\0'; format++) {
    if (*format == '4') {
      cell_pack_u32(packer, va_arg(values, unsigned));
    } else if (*format == '8') {
      cell_pack_u64(packer, va_arg(values, uint64_t));
    } else if (*format == 's') {
      cell_pack_string(packer, va_arg(values, const char *));
    } else {
      const char *bytes = va_arg(values, const char *);

      cell_pack_bytes(packer, bytes, va_arg(values, size_t));
    }
  }
  if (packer->failed)
    abort();
}

static void say_with(struct fake *fake, const int *fds, size_t count,
                     uint32_t type, uint64_t request, const char *format, ...)
{
  unsigned char header[CELL_FRAME_HEADER];
  static unsigned char payload[8192];
  struct cell_packer packer;
  va_list values;

  cell_pack_start(&packer, payload, sizeof payload);
  va_start(values, format);
  pack(&packer, format, values);
  va_end(values);
  cell_frame_header(header, (uint32_t)packer.used, type, request);
  cell_fd_send(fake->end, header, sizeof header, payload, packer.used, fds,
               count);
}

#define SAY(fake, ...) say_with(fake, NULL, 0, __VA_ARGS__)

static void say_hello(struct fake *fake)
{
  SAY(fake, CELL_HELLO, 0, "4444444", 3u, 3u, 0u, 5u, 3u, 6u, 0u);
}

/* ---- the host's side ---- */

static void step(struct fake *fake)
{
  int i;

  for (i = 0; i < 20; i++)
    cell_reactor_step(fake->reactor, 0, NULL);
}

static void open_silent(struct fake *fake)
{
  static const struct cell_sandbox_options options = SMALL_SANDBOX;
  struct cell_error error;
  int ends[2];

  if (cell_fd_pair(SOCK_SEQPACKET, ends) < 0)
    abort();
  fake->end = ends[1];
  fake->request = 1;
  fake->reactor = cell_reactor_new(&error);
  fake->sandbox =
    cell_sandbox_attach(fake->reactor, &options, ends[0], -1, &error);
  if (fake->sandbox == NULL)
    abort();
}

/* After a good hello, with one question asked. */
static void open_fake(struct fake *fake, uint32_t question)
{
  struct cell_packer packer;

  open_silent(fake);
  say_hello(fake);
  step(fake);
  if (cell_sandbox_state(fake->sandbox) != CELL_SANDBOX_RUNNING)
    abort();
  cell_pack_start(&packer, NULL, 0);
  if (question != NOTHING)
    fake->request =
      cell_sandbox_ask(fake->sandbox, question, &packer, NULL, 0, NULL);
}

static void close_fake(struct fake *fake)
{
  cell_fd_close(&fake->end);
  cell_sandbox_release(fake->sandbox);
  cell_reactor_release(fake->reactor);
}

/* The host's verdict; then all is closed. */
static void expect(struct fake *fake, enum cell_kind kind, const char *what)
{
  const struct cell_error *error;

  step(fake);
  error = cell_sandbox_error(fake->sandbox);
  check(error->kind == kind &&
          (kind == CELL_OK) ==
            (cell_sandbox_state(fake->sandbox) == CELL_SANDBOX_RUNNING),
        "%s: %s", what, kind == CELL_OK ? "fine" : cell_kind_name(kind));
  if (error->kind != kind)
    printf("# %s: %s\n", cell_kind_name(error->kind), error->message);
  close_fake(fake);
}

/* One question and what is said to it; `fake` is the caller's. */
#define ANSWER(kind, what, question, ...)                                      \
  do {                                                                         \
    open_fake(&fake, question);                                                \
    SAY(&fake, __VA_ARGS__);                                                   \
    expect(&fake, kind, what);                                                 \
  } while (0)
#define WRONG(what, question, ...)                                             \
  ANSWER(CELL_PROTOCOL, what, question, __VA_ARGS__)
#define RIGHT(what, question, ...) ANSWER(CELL_OK, what, question, __VA_ARGS__)
#define ASKED fake.request

#endif
