/* sandbox_test.c -- asking a warden, and hearing what it says. #S048 #S057 */
#include "warden_double.h"

#include <signal.h>

static uint64_t ask(struct warden_double *warden, uint32_t type)
{
  uint64_t request =
    cell_sandbox_ask(warden->sandbox, type, NO_PAYLOAD, NULL, 0, NULL);

  check(request != 0 && double_hear(warden) == type &&
          warden->frame.request == request,
        "question %u is asked", type);
  return request;
}

/* ---- ordinary life ---- */

static void test_life(void)
{
  struct cell_answer answer;
  struct packed packed;
  struct warden_double warden;
  uint64_t request;

  double_run(&warden);
  check(cell_sandbox_hello(warden.sandbox)->landlock_abi == 4 &&
          cell_sandbox_hello(warden.sandbox)->disk_by == CELL_BY_TMPFS,
        "hello says what keeps the limits");
  check(cell_token_take(warden.reactor) == cell_sandbox_token(warden.sandbox),
        "and posts the token");
  request = ask(&warden, CELL_FILE_STAT);
  check(cell_sandbox_answer(warden.sandbox, request, &answer, NULL) == 0,
        "there is no answer yet");
  double_say(&warden, CELL_ENTRY, request,
             pack(&packed, "4s448844ss", 0, "a", CELL_ENTRY_FILE, 0644,
                  (uint64_t)5, (uint64_t)1, 1000, 1000, "", ""));
  double_turn(&warden);
  check(cell_token_take(warden.reactor) == cell_sandbox_token(warden.sandbox),
        "an answer posts the token");
  check(cell_sandbox_answer(warden.sandbox, request, &answer, NULL) == 1 &&
          answer.type == CELL_ENTRY && answer.messages == 1 && answer.fd == -1,
        "the answer can be taken");
  cell_answer_clear(&answer);
  check(cell_sandbox_answer(warden.sandbox, request, &answer, NULL) == -1,
        "once");
  cell_sandbox_close(warden.sandbox);
  cell_sandbox_close(warden.sandbox);
  check(double_hear(&warden) == CELL_GOODBYE && double_hear(&warden) == 0,
        "close says goodbye, once");
  check(double_verdict(&warden) == CELL_CANCELLED &&
          cell_sandbox_state(warden.sandbox) == CELL_SANDBOX_ENDED,
        "and it is cancelled");
  check(cell_sandbox_ask(warden.sandbox, CELL_METRICS, NO_PAYLOAD, NULL, 0,
                         NULL) == 0,
        "after it nothing can be asked");
  double_close(&warden);
}

static void test_list(void)
{
  struct cell_answer answer;
  struct packed packed;
  struct warden_double warden;
  uint64_t request;

  double_run(&warden);
  request = ask(&warden, CELL_FILE_LIST);
  double_say(&warden, CELL_ENTRIES, request, pack(&packed, "4", 0));
  double_say(&warden, CELL_ENTRIES, request,
             pack(&packed, "4s448844ss", 1, "a", CELL_ENTRY_LINK, 0777,
                  (uint64_t)1, (uint64_t)1, 0, 0, "b", ""));
  double_turn(&warden);
  check(cell_sandbox_answer(warden.sandbox, request, &answer, NULL) == 0,
        "entries are not yet the answer");
  double_say(&warden, CELL_DONE, request, pack(&packed, "4", 0));
  double_turn(&warden);
  check(cell_sandbox_answer(warden.sandbox, request, &answer, NULL) == 1 &&
          answer.messages == 3 && answer.type == CELL_DONE,
        "an answer has all its messages");
  cell_answer_clear(&answer);
  double_close(&warden);
}

static void test_forget(void)
{
  struct packed packed;
  struct warden_double warden;
  uint64_t request;

  double_run(&warden);
  request = ask(&warden, CELL_DEADLINE);
  cell_sandbox_forget(warden.sandbox, request);
  double_say(&warden, CELL_DONE, request, pack(&packed, "4", 0));
  check(double_verdict(&warden) == CELL_OK,
        "the answer to a forgotten question is dropped");
  double_say(&warden, CELL_DONE, request, pack(&packed, "4", 0));
  check(double_verdict(&warden) == CELL_PROTOCOL, "a second one is too much");
  double_close(&warden);
}

static void test_bounds(void)
{
  struct cell_error error;
  struct warden_double warden;
  uint64_t request;
  unsigned char block[1000] = {0};
  struct cell_packer payload = {block, sizeof block, sizeof block, 0};
  int count = 0;

  double_run(&warden);
  do {
    request =
      cell_sandbox_ask(warden.sandbox, CELL_METRICS, &payload, NULL, 0, &error);
    count++;
  } while (request != 0 && count < 10000);
  check(request == 0 && error.kind == CELL_LIMIT_EXCEEDED && count < 5000,
        "a warden that does not listen bounds what is asked (%d)", count);
  check(cell_sandbox_state(warden.sandbox) == CELL_SANDBOX_RUNNING,
        "and the sandbox goes on");
  while (double_hear(&warden) == CELL_METRICS ||
         warden.frame.type == CELL_METRICS) {
    double_turn(&warden);
    if (--count == 0)
      break;
  }
  check(count <= 1 && cell_sandbox_ask(warden.sandbox, CELL_METRICS, &payload,
                                       NULL, 0, &error) != 0,
        "everything that was asked arrives, and more can be asked");
  double_close(&warden);
}

/* Headers whose length does not agree with the message. */
static void test_lengths(void)
{
  static const uint32_t lengths[] = {0xffffffff, 0x80000000,          0, 27,
                                     29,         CELL_MESSAGE_MAX + 1};
  unsigned char bytes[CELL_FRAME_HEADER + 28] = {0};
  struct warden_double warden;
  size_t i;

  for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    double_open(&warden, -1);
    cell_frame_header(bytes, lengths[i], CELL_HELLO, 0);
    double_send(&warden, bytes, sizeof bytes);
    check(double_verdict(&warden) == CELL_PROTOCOL,
          "28 bytes that say they are %u break the protocol", lengths[i]);
    double_close(&warden);
  }
  for (i = 1; i < CELL_FRAME_HEADER; i++) {
    double_open(&warden, -1);
    double_send(&warden, bytes, i);
    check(double_verdict(&warden) == CELL_PROTOCOL,
          "%zu bytes of a header break the protocol", i);
    double_close(&warden);
  }
}

/* ---- rubbish ---- */

static uint64_t next_random(uint64_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/* A good session with bytes of it changed: some verdict, and nothing worse. */
static void test_mutations(void)
{
  uint64_t state = 88172645463325252u;
  int broken = 0;
  int i;

  for (i = 0; i < 3000; i++) {
    unsigned char bytes[CELL_FRAME_HEADER + 200] = {0};
    struct packed packed;
    struct warden_double warden;
    uint64_t request;
    size_t size, changes;

    double_open(&warden, -1);
    double_hello(&warden);
    request = cell_sandbox_ask(warden.sandbox, CELL_FILE_LIST, NO_PAYLOAD, NULL,
                               0, NULL);
    pack(&packed, "4s448844ss", 1, "name", CELL_ENTRY_FILE, 0644, (uint64_t)5,
         (uint64_t)1, 1000, 1000, "", "");
    size = CELL_FRAME_HEADER + packed.packer.used;
    cell_frame_header(bytes, (uint32_t)packed.packer.used, CELL_ENTRIES,
                      request);
    memcpy(bytes + CELL_FRAME_HEADER, packed.bytes, packed.packer.used);
    for (changes = next_random(&state) % 3 + 1; changes > 0; changes--)
      bytes[next_random(&state) % size] = (unsigned char)next_random(&state);
    double_send(&warden, bytes, size);
    broken += double_verdict(&warden) == CELL_PROTOCOL;
    double_close(&warden);
  }
  check(broken > 1000, "changed bytes are seen (%d of 3000), or do no harm",
        broken);
}

int main(void)
{
  int before = count_descriptors();

  signal(SIGPIPE, SIG_DFL); /* the engine must not raise it */
  test_life();
  test_list();
  test_forget();
  test_bounds();
  test_lengths();
  test_mutations();
  check(count_descriptors() == before, "no descriptor is left");
  return check_status();
}
