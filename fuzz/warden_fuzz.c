/* warden_fuzz.c -- a hostile warden on the other end of a sandbox's channel.
**
** The input is a script: what the host asks, and what the warden says to it.
** Whatever it says, the host keeps its descriptors and its memory, and a
** sandbox that ended says why. Each operation is one byte, then its arguments:
**
**   0-63   the host asks question CELL_SPAWN + byte % QUESTIONS
**   64-79  the host starts a process (a command, a kernel or a terminal)
**   80-95  the host takes answers, reads output and forgets
**   96-255 the warden says a message: type, whom it answers, count of
**          descriptors, length of the payload, the payload
**
** Run as frame_fuzz.c says, linked with the whole engine.
*/
#include "../spec/engine/small_sandbox.h"
#include "descriptor.h"
#include "process/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUESTIONS (CELL_GOODBYE - CELL_SPAWN)
#define MESSAGES (CELL_PAUSED - CELL_HELLO + 1)
#define ASKED_MAX 32
#define PROCESSES_MAX 4

struct play {
  const uint8_t *bytes;
  size_t left;
  struct cell_reactor *reactor;
  struct cell_sandbox *sandbox;
  int end; /* the warden's */
  uint64_t asked[ASKED_MAX];
  unsigned asked_count;
  struct cell_process *processes[PROCESSES_MAX];
  unsigned process_count;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void demand(int holds)
{
  if (!holds)
    abort();
}

static unsigned take(struct play *play)
{
  if (play->left == 0)
    return 0;
  play->left--;
  return *play->bytes++;
}

static void step(struct play *play)
{
  int i;

  for (i = 0; i < 3; i++)
    cell_reactor_step(play->reactor, 0, NULL);
}

static void ask(struct play *play, unsigned which)
{
  unsigned char bytes[8];
  struct cell_packer packer;
  uint64_t request;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, which);
  request = cell_sandbox_ask(play->sandbox, CELL_SPAWN + which % QUESTIONS,
                             &packer, NULL, 0, NULL);
  if (request != 0)
    play->asked[play->asked_count++ % ASKED_MAX] = request;
}

static void start_process(struct play *play, unsigned which)
{
  static const char *const words[] = {"true", NULL};
  struct cell_process_options options = {
    (enum cell_spawn_kind)(which % 3), words, words, "", 1, 24, 80, 4096, 0};

  if (play->process_count == PROCESSES_MAX)
    return;
  play->processes[play->process_count] =
    cell_process_spawn(play->sandbox, &options, NULL);
  play->process_count += play->processes[play->process_count] != NULL;
}

/* Take or forget what was asked; look at every process. */
static void look(struct play *play, unsigned how)
{
  unsigned i;

  for (i = 0; i < ASKED_MAX; i++) {
    struct cell_answer answer;
    struct cell_error error = {CELL_OK, 0, "", "", ""};

    if (play->asked[i] == 0)
      continue;
    if (how % 4 == 3)
      cell_sandbox_forget(play->sandbox, play->asked[i]);
    else if (cell_sandbox_answer(play->sandbox, play->asked[i], &answer,
                                 &error) == 1)
      cell_answer_clear(&answer);
    else if (error.kind == CELL_OK)
      continue;
    play->asked[i] = 0;
  }
  demand(cell_sandbox_home_state(play->sandbox) != CELL_HOME_CHANGED);
  for (i = 0; i < play->process_count; i++) {
    struct cell_process *process = play->processes[i];
    enum cell_process_state state = cell_process_state(process);

    demand(state != CELL_PROCESS_FAILED ||
           cell_process_error(process)->kind != CELL_OK);
    if (state == CELL_PROCESS_RUNNING)
      demand(cell_process_pid(process) != 0);
    cell_process_finished(process);
    cell_process_write(process, "x", 1, NULL);
  }
}

/* What a message may carry; the kernel makes copies. */
static int a_descriptor(unsigned which)
{
  if (which == 249) /* passed alone: 249 % 8 */
    return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  switch (which % 4) {
  case 0:
    return open("/dev/null", O_RDWR | O_CLOEXEC);
  case 1:
    return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  case 2:
    return posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  default:
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  }
}

/* Processes ask by numbers of their own, near those that were given out. */
static uint64_t whom(const struct play *play, unsigned which)
{
  if (which < ASKED_MAX)
    return play->asked[which];
  if (which < 64)
    return 0;
  return ((uint64_t)(which - 63) % 16 + 1) << 12 | which / 16 % 8;
}

static void say(struct play *play, unsigned type)
{
  uint64_t request = whom(play, take(play));
  unsigned passed = take(play);
  size_t length = take(play);
  unsigned char header[CELL_FRAME_HEADER];
  int fds[8];
  size_t count = passed > 200 ? passed % 8 : 0, i;

  if (length > play->left)
    length = play->left;
  for (i = 0; i < count; i++)
    fds[i] = a_descriptor(passed + (unsigned)i);
  /* Sometimes a length that is not the message's. */
  cell_frame_header(header, (uint32_t)length + (passed == 200),
                    CELL_HELLO + (type - 96) % MESSAGES, request);
  cell_fd_send(play->end, header, sizeof header, play->bytes, length, fds,
               count);
  play->bytes += length;
  play->left -= length;
  for (i = 0; i < count; i++)
    cell_fd_close(&fds[i]);
  step(play);
}

static void start(struct play *play)
{
  static const struct cell_sandbox_options options = SMALL_SANDBOX;
  int ends[2];

  demand(cell_fd_pair(SOCK_SEQPACKET, ends) == 0);
  play->end = ends[1];
  play->reactor = cell_reactor_new(NULL);
  demand(play->reactor != NULL);
  play->sandbox =
    cell_sandbox_attach(play->reactor, &options, ends[0], -1, NULL);
  demand(play->sandbox != NULL);
}

static void finish(struct play *play)
{
  enum cell_sandbox_state state = cell_sandbox_state(play->sandbox);
  unsigned i;

  demand(state < CELL_SANDBOX_ENDING ||
         cell_sandbox_error(play->sandbox)->kind != CELL_OK);
  for (i = 0; i < play->process_count; i++)
    cell_process_free(play->processes[i]);
  cell_fd_close(&play->end);
  step(play);
  cell_sandbox_release(play->sandbox);
  cell_reactor_release(play->reactor);
}

/* The lowest free number tells whether one was lost: they are given in order.
 */
static int lowest_free(void)
{
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

  close(fd);
  return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  struct play play = {0};
  int lowest = lowest_free();

  play.bytes = bytes;
  play.left = size;
  start(&play);
  while (play.left > 0) {
    unsigned operation = take(&play);

    if (operation < 64)
      ask(&play, operation);
    else if (operation < 80)
      start_process(&play, operation);
    else if (operation < 96)
      look(&play, operation);
    else
      say(&play, operation);
  }
  look(&play, 0);
  finish(&play);
  demand(lowest_free() == lowest);
  return 0;
}
