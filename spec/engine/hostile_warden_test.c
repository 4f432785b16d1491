/* hostile_warden_test.c -- a warden that has been taken over, against the host:
** frames, sequences and values that no warden sends. #S048 #S051 #S054
**
** Each time the sandbox ends at once and nothing more is read from it.
*/
#include "hostile.h"

#include <sys/wait.h>

/* ---- frames ---- */

static void say_bytes(struct fake *fake, const void *bytes, size_t size)
{
  if (send(fake->end, bytes, size, MSG_NOSIGNAL) < 0 && errno != EPIPE)
    abort();
}

/* One message whose header says `length` above a payload of `size` bytes. */
static enum cell_kind verdict_on(uint32_t length, size_t size, size_t cut)
{
  static unsigned char bytes[CELL_FRAME_HEADER + 2 * CELL_MESSAGE_MAX];
  struct fake fake;
  enum cell_kind kind;

  open_fake(&fake, NOTHING);
  cell_frame_header(bytes, length, CELL_DONE, 1);
  say_bytes(&fake, bytes, CELL_FRAME_HEADER + size - cut);
  step(&fake);
  kind = cell_sandbox_error(fake.sandbox)->kind;
  close_fake(&fake);
  return kind;
}

static void broken_frames(void)
{
  static const uint32_t lengths[] = {0x7fffffffu,          0x80000000u,
                                     0xffffffffu,          0xfffffff0u,
                                     CELL_MESSAGE_MAX + 1, 5};
  size_t i;
  int right = 1;

  for (i = 1; i < CELL_FRAME_HEADER; i++)
    right = right && verdict_on(0, 0, i) == CELL_PROTOCOL;
  check(right, "a message of part of a header breaks the protocol #S051");
  for (i = 0, right = 1; i < sizeof lengths / sizeof *lengths; i++)
    right = right && verdict_on(lengths[i], 4, 0) == CELL_PROTOCOL;
  check(right, "so does a length that is not the message's #S048");
  check(verdict_on(0, 4, 0) == CELL_PROTOCOL, "also one that is too small");
  check(verdict_on(CELL_MESSAGE_MAX + 1, CELL_MESSAGE_MAX + 1, 0) ==
          CELL_PROTOCOL,
        "and a message beyond the bound, whole as it is #S048");
}

static void wrong_sequences(void)
{
  struct fake fake;

  open_silent(&fake);
  SAY(&fake, CELL_DONE, 1, "4", 0u);
  expect(&fake, CELL_PROTOCOL, "an answer before hello #S051");
  open_silent(&fake);
  SAY(&fake, CELL_HELLO, 7, "4444444", 3u, 3u, 0u, 5u, 3u, 6u, 0u);
  expect(&fake, CELL_PROTOCOL, "a hello with a request");
  WRONG("a second hello #S051", NOTHING, CELL_HELLO, 0, "4444444", 3u, 3u, 0u,
        5u, 3u, 6u, 0u);
  WRONG("a failure after hello", NOTHING, CELL_FAILED, 0, "4s", 1u, "proc");
  WRONG("an unknown type #S051", NOTHING, 77, 0, "");
  WRONG("a type of the host's", CELL_METRICS, CELL_METRICS, ASKED, "");
  WRONG("an answer to nothing #S051", NOTHING, CELL_DONE, 1, "4", 0u);
  WRONG("an answer to another", CELL_DEADLINE, CELL_DONE, ASKED + 4096, "4",
        0u);
  WRONG("another answer than was asked", CELL_METRICS, CELL_DONE, ASKED, "4",
        0u);
  WRONG("an end of what did not start #S051", CELL_SPAWN, CELL_EXITED, ASKED,
        "4488", 0u, 0u, (uint64_t)0, (uint64_t)0);
  open_fake(&fake, CELL_DEADLINE);
  SAY(&fake, CELL_DONE, fake.request, "4", 0u);
  SAY(&fake, CELL_DONE, fake.request, "4", 0u);
  expect(&fake, CELL_PROTOCOL, "two answers to one question #S051");
  open_fake(&fake, CELL_SPAWN);
  SAY(&fake, CELL_SPAWNED, fake.request, "4s4", 0u, STAGE, 2u);
  SAY(&fake, CELL_SPAWNED, fake.request, "4s4", 0u, STAGE, 2u);
  expect(&fake, CELL_PROTOCOL, "a process that starts twice");
  open_fake(&fake, CELL_SPAWN);
  SAY(&fake, CELL_SPAWNED, fake.request, "4s4", 0u, STAGE, 2u);
  SAY(&fake, CELL_EXITED, fake.request, "4488", 0u, 0u, (uint64_t)0,
      (uint64_t)0);
  SAY(&fake, CELL_EXITED, fake.request, "4488", 0u, 0u, (uint64_t)0,
      (uint64_t)0);
  expect(&fake, CELL_PROTOCOL, "and one that ends twice #S051");
}

/* ---- values ---- */

static void wrong_processes(void)
{
  struct fake fake;

  RIGHT("a process", CELL_SPAWN, CELL_SPAWNED, ASKED, "4s4", 0u, STAGE, 2u);
  WRONG("pid 0 #S054", CELL_SPAWN, CELL_SPAWNED, ASKED, "4s4", 0u, STAGE, 0u);
  WRONG("a pid that no kernel gives #S054", CELL_SPAWN, CELL_SPAWNED, ASKED,
        "4s4", 0u, STAGE, 0xffffffffu);
  WRONG("a number that is no errno #S054", CELL_SPAWN, CELL_SPAWNED, ASKED,
        "4s4", 4096u, STAGE, 0u);
  WRONG("an escape sequence for a stage", CELL_SPAWN, CELL_SPAWNED, ASKED,
        "4s4", 2u, "\033]0;title\007", 0u);
  WRONG("a stage without an end", CELL_SPAWN, CELL_SPAWNED, ASKED, "4s4", 2u,
        "a stage whose name goes on and on and on", 0u);
  WRONG("a NUL in a stage", CELL_SPAWN, CELL_SPAWNED, ASKED, "4b4", 2u, "a\0b",
        (size_t)3, 0u);
  WRONG("half an answer", CELL_SPAWN, CELL_SPAWNED, ASKED, "4", 0u);
  WRONG("an answer with more behind it", CELL_SPAWN, CELL_SPAWNED, ASKED,
        "4s44", 0u, STAGE, 2u, 0u);
}

/* 1 if an end with these values is refused. */
static enum cell_kind verdict_on_end(uint32_t status, uint32_t for_memory,
                                     uint64_t cpu, uint64_t peak)
{
  struct fake fake;
  enum cell_kind kind;

  open_fake(&fake, CELL_SPAWN);
  SAY(&fake, CELL_SPAWNED, fake.request, "4s4", 0u, STAGE, 2u);
  SAY(&fake, CELL_EXITED, fake.request, "4488", status, for_memory, cpu, peak);
  step(&fake);
  kind = cell_sandbox_error(fake.sandbox)->kind;
  close_fake(&fake);
  return kind;
}

static void wrong_ends(void)
{
  check(verdict_on_end(W_EXITCODE(3, 0), 0, 1, 1) == CELL_OK &&
          verdict_on_end(W_EXITCODE(0, 9), 1, 1, 1) == CELL_OK,
        "an exit and a signal are ends");
  check(verdict_on_end(0x10000, 0, 0, 0) == CELL_PROTOCOL &&
          verdict_on_end(0xffffffffu, 0, 0, 0) == CELL_PROTOCOL,
        "an exit status beyond 255 is none #S054");
  check(verdict_on_end(W_STOPCODE(19), 0, 0, 0) == CELL_PROTOCOL &&
          verdict_on_end(0xffff, 0, 0, 0) == CELL_PROTOCOL,
        "nor is being stopped or continued #S054");
  check(verdict_on_end(0, 2, 0, 0) == CELL_PROTOCOL,
        "killed for memory is yes or no");
  check(verdict_on_end(0, 0, HUGE_COUNT, 0) == CELL_PROTOCOL &&
          verdict_on_end(0, 0, 0, HUGE_COUNT) == CELL_PROTOCOL,
        "2^63 is no time and no size #S054");
}

static void say_entry(struct fake *fake, const char *path, size_t length,
                      uint32_t type, uint32_t mode, uint64_t size)
{
  SAY(fake, CELL_ENTRY, fake->request, "4b448844ss", 0u, path, length, type,
      mode, size, (uint64_t)1, 0u, 0u, "", "");
}

static void wrong_metadata(void)
{
  static char bytes[CELL_METADATA_MAX + 1];
  static const struct {
    const char *bytes;
    size_t length;
    enum cell_kind kind;
    const char *what;
  } cases[] = {
    {"a\0b\0c\0\0", 7, CELL_OK, "two names, one without a value"},
    {"a\0b", 3, CELL_PROTOCOL, "a value without an end #S060"},
    {"a\0", 2, CELL_PROTOCOL, "a name without a value #S060"},
    {"a\0\n\0", 4, CELL_PROTOCOL, "a value that is no text #S060"},
    {bytes, sizeof bytes, CELL_PROTOCOL, "more than there may be #S060"},
  };
  struct fake fake;
  size_t i;

  for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    open_fake(&fake, CELL_FILE_STAT);
    SAY(&fake, CELL_ENTRY, fake.request, "4s448844sb", 0u, "f", CELL_ENTRY_FILE,
        0644u, (uint64_t)1, (uint64_t)1, 0u, 0u, "", cases[i].bytes,
        cases[i].length);
    expect(&fake, cases[i].kind, cases[i].what);
  }
}

static void wrong_files(void)
{
  static char path[CELL_PATH_MAX + 1];
  struct fake fake;

  open_fake(&fake, CELL_FILE_STAT);
  say_entry(&fake, "a\nb\xff", 4, CELL_ENTRY_FILE, 0644, 1);
  expect(&fake, CELL_OK, "a file with bytes for a name");
  open_fake(&fake, CELL_FILE_STAT);
  say_entry(&fake, "a\0b", 3, CELL_ENTRY_FILE, 0644, 1);
  expect(&fake, CELL_PROTOCOL, "a name with a NUL #S060");
  memset(path, 'a', sizeof path);
  open_fake(&fake, CELL_FILE_STAT);
  say_entry(&fake, path, CELL_PATH_MAX, CELL_ENTRY_FILE, 0644, 1);
  expect(&fake, CELL_PROTOCOL, "a name that no system call takes");
  open_fake(&fake, CELL_FILE_STAT);
  say_entry(&fake, "a", 1, 4, 0644, 1);
  expect(&fake, CELL_PROTOCOL, "a type of file that there is not #S054");
  open_fake(&fake, CELL_FILE_STAT);
  say_entry(&fake, "a", 1, CELL_ENTRY_FILE, 0200644, 1);
  expect(&fake, CELL_PROTOCOL, "permissions beyond permissions");
  open_fake(&fake, CELL_FILE_STAT);
  say_entry(&fake, "a", 1, CELL_ENTRY_FILE, 0644, HUGE_COUNT);
  expect(&fake, CELL_PROTOCOL, "a file of 2^63 bytes #S054");
  WRONG("a listing of more than it holds #S048", CELL_FILE_LIST, CELL_ENTRIES,
        ASKED, "4", 0xffffffffu);
  WRONG("content of 2^63 bytes", CELL_FILE_READ, CELL_CONTENT, ASKED, "484s",
        0u, HUGE_COUNT, 0u, "");
  WRONG("content in a descriptor that did not come", CELL_FILE_READ,
        CELL_CONTENT, ASKED, "484s", 0u, (uint64_t)1, 1u, "");
  WRONG("a memory of 2^63 bytes #S054", CELL_METRICS, CELL_METRICS_ARE, ASKED,
        "8448888", (uint64_t)1, 1u, 1u, HUGE_COUNT, (uint64_t)1, (uint64_t)1,
        (uint64_t)1);
}

int main(void)
{
  int descriptors = count_descriptors();

  broken_frames();
  wrong_sequences();
  wrong_processes();
  wrong_ends();
  wrong_files();
  wrong_metadata();
  check(count_descriptors() == descriptors, "no descriptor is left");
  return check_status();
}
