/* process_test.c -- programs in a sandbox: pipes, terminals, kernel wires.
** #S048 #S049 #S053 #S082 #S084 #S085 #S133
*/
#include "engine_host.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static struct host host;
static struct cell_sandbox *sandbox;

static int finish(struct cell_process *process)
{
  int finished = 0;

  STEP_UNTIL(&host, finished, cell_process_finished(process));
  return finished;
}

/* Everything that is kept of a stream, as a string. */
static const char *kept(struct cell_process *process, int which)
{
  static char text[4096];
  const unsigned char *head, *tail;
  size_t head_length, tail_length;
  uint64_t total;

  cell_stream_kept(cell_process_stream(process, which), &head, &head_length,
                   &tail, &tail_length, &total);
  if (head_length > sizeof text - 1)
    head_length = sizeof text - 1;
  memcpy(text, head, head_length);
  text[head_length] = '\0';
  return text;
}

static void test_command(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_COMMAND, "echo out; echo err >&2; exit 3");

  check(cell_process_state(process) == CELL_PROCESS_STARTING,
        "a spawn does not wait");
  check(finish(process) && cell_process_exit(process)->code == 3 &&
          cell_process_exit(process)->signal == 0,
        "the exit status comes");
  check(strcmp(kept(process, 0), "out\n") == 0 &&
          strcmp(kept(process, 1), "err\n") == 0,
        "so do both streams");
  check(cell_process_pid(process) > 1, "and the pid that it had inside");
  check(cell_process_signal(process, SIGTERM, CELL_SCOPE_GROUP, NULL) == 0,
        "what has ended cannot be signalled");
  cell_process_free(process);
}

static void check_failure(const char *const *argv, const char *cwd,
                          enum cell_kind kind, const char *what)
{
  const struct cell_process_options options = {
    CELL_COMMAND, argv, usual_envs, cwd, 0, 0, 0, 1000, 0};
  struct cell_process *process = cell_process_spawn(sandbox, &options, NULL);

  check(finish(process) && cell_process_state(process) == CELL_PROCESS_FAILED &&
          cell_process_error(process)->kind == kind,
        "%s: %s", what, cell_process_error(process)->message);
  cell_process_free(process);
}

static void test_failures(void)
{
  static const char *const missing[] = {"no-such-program", NULL};
  static const char *const directory[] = {"/usr", NULL};
  static const char *const fine[] = {"true", NULL};

  check_failure(missing, "", CELL_NOT_FOUND, "a missing program is told");
  check_failure(directory, "", CELL_PERMISSION_DENIED,
                "so is one that is none");
  check_failure(fine, "/no/such", CELL_NOT_FOUND, "and a missing directory");
}

static void test_input(void)
{
  static char block[100000];
  struct cell_process *process =
    shell(sandbox, CELL_COMMAND, "sleep 0.2; wc -c");
  const size_t wanted = 3000000;
  struct cell_error error;
  size_t sent = 0;
  long taken = 1;
  int full = 0;

  memset(block, 'x', sizeof block);
  while (sent < wanted && taken >= 0) {
    size_t part = wanted - sent < sizeof block ? wanted - sent : sizeof block;

    taken = cell_process_write(process, block, part, &error);
    sent += taken > 0 ? (size_t)taken : 0;
    full |= taken == 0;
    if (taken == 0)
      cell_reactor_step(host.reactor, 100, NULL);
  }
  cell_process_close_input(process);
  check(full, "a program that does not read takes at most its pipe and 64 KiB");
  check(finish(process) && strtol(kept(process, 0), NULL, 10) == (long)wanted,
        "all input arrives, then its end");
  check(cell_process_write(process, block, 1, &error) == -1,
        "after the end nothing can be written");
  cell_process_free(process);
}

static void test_unread_input(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_COMMAND, "exec <&-; echo closed; sleep 100");
  struct cell_error error = {0};
  int closed = 0;
  long taken = 0;
  int i;

  STEP_UNTIL(&host, closed, strcmp(kept(process, 0), "closed\n") == 0);
  for (i = 0; i < 100 && taken >= 0; i++) {
    taken = cell_process_write(process, "x", 1, &error);
    cell_reactor_step(host.reactor, 1, NULL);
  }
  check(taken == -1 && error.number == EPIPE,
        "input that nobody reads is an error, and no SIGPIPE");
  cell_process_free(process);
}

static void test_signals(void)
{
  struct cell_process *process = shell(sandbox, CELL_COMMAND, "sleep 100");
  uint64_t request;
  int running = 0;

  STEP_UNTIL(&host, running,
             cell_process_state(process) == CELL_PROCESS_RUNNING);
  request = cell_process_signal(process, SIGTERM, CELL_SCOPE_GROUP, NULL);
  cell_sandbox_forget(sandbox, request);
  check(finish(process) && cell_process_exit(process)->signal == SIGTERM,
        "a signal ends it, and is its status");
  cell_process_free(process);
}

/* How many programs there are inside, as they see it. */
static long count_programs(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_COMMAND, "set -- /proc/[0-9]*; echo $#");
  long count = finish(process) ? strtol(kept(process, 0), NULL, 10) : -1;

  cell_process_free(process);
  return count;
}

static void test_freeing(void)
{
  struct cell_process *process;
  long before = count_programs();
  long after = -1;
  int i;

  for (i = 0; i < 20; i++) { /* what earlier tests ended may still be dying */
    after = count_programs();
    before = after < before ? after : before;
  }
  after = -1;
  process = shell(sandbox, CELL_COMMAND, "sleep 100");
  cell_process_free(process);
  for (i = 0; i < 100 && after != before; i++)
    after = count_programs();
  check(after == before, "a process that is freed while it starts is killed");
  process = shell(sandbox, CELL_COMMAND, "sleep 10; exit 0");
  cell_process_release(process);
  check(count_programs() > before, "one that is released runs on");
}

static void test_left_behind(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_COMMAND, "sleep 100 & echo started");
  const struct cell_clock *clock = cell_reactor_clock(host.reactor);
  int64_t before = cell_clock_now(clock);

  check(finish(process) && strcmp(kept(process, 0), "started\n") == 0 &&
          cell_clock_now(clock) - before < (int64_t)10 * 1000000000,
        "a child that holds the output open does not hold the call");
  cell_process_free(process);
}

static void test_terminal(void)
{
  struct cell_process *process = shell(
    sandbox, CELL_TERMINAL, "tty; stty size; read line; echo got $line; cat");
  int answered = 0;
  int prompted = 0;

  check(cell_process_write(process, "x", 1, NULL) == 0,
        "a terminal that has not started takes no input yet");
  STEP_UNTIL(&host, prompted, strstr(kept(process, 0), "24 80") != NULL);
  check(prompted && strstr(kept(process, 0), "/dev/pts/") != NULL,
        "a terminal is one, and has its size");
  check(cell_process_write(process, "word\n", 5, NULL) == 5,
        "it is typed into");
  STEP_UNTIL(&host, answered, strstr(kept(process, 0), "got word") != NULL);
  check(answered, "and read from");
  cell_process_close_input(process);
  check(finish(process) && cell_process_exit(process)->code == 0 &&
          cell_stream_ended(cell_process_stream(process, 0)),
        "its input can be ended, and then so does its output");
  check(cell_process_stream(process, 1) == NULL, "it has one stream");
  cell_process_free(process);
}

/* ---- kernel wires ---- */

static void test_wire(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_KERNEL, "exec cat <&3 >&4");
  const size_t length = 10000000;
  unsigned char *payload = malloc(length);
  struct cell_frame frame;
  struct cell_error error;
  int received = 0;
  size_t i;

  for (i = 0; i < length; i++)
    payload[i] = (unsigned char)(i * 7 + i / 1000);
  check(cell_process_send(process, 1, 7, "small", 5, NULL) == 0 &&
          cell_process_send(process, 2, UINT64_MAX, payload, length, NULL) ==
            0 &&
          cell_process_send(process, 3, 9, NULL, 0, NULL) == 0,
        "frames are sent, whatever their size");
  STEP_UNTIL(&host, received, cell_process_receive(process, &frame, NULL) != 0);
  check(frame.type == 1 && frame.request == 7 && frame.length == 5 &&
          memcmp(frame.payload, "small", 5) == 0,
        "the first comes whole");
  STEP_UNTIL(&host, received, cell_process_receive(process, &frame, NULL) != 0);
  check(frame.type == 2 && frame.request == UINT64_MAX &&
          frame.length == length && memcmp(frame.payload, payload, length) == 0,
        "so does the large one");
  STEP_UNTIL(&host, received, cell_process_receive(process, &frame, NULL) != 0);
  check(frame.type == 3 && frame.length == 0, "and the empty one");
  check(cell_process_receive(process, &frame, NULL) == 0, "then none");
  check(cell_process_send(process, 1, 1, payload,
                          (size_t)CELL_KERNEL_FRAME_MAX + 1, &error) == -1 &&
          error.kind == CELL_LIMIT_EXCEEDED,
        "one that is too long is refused");
  free(payload);
  cell_process_free(process);
}

/* What a hostile kernel writes, and how its wire ends. */
static void check_wire(const char *script, int expected, enum cell_kind kind,
                       const char *what)
{
  struct cell_process *process = shell(sandbox, CELL_KERNEL, script);
  struct cell_error error = {0};
  struct cell_frame frame;
  int result = 0;
  int written = 0;
  int i;

  STEP_UNTIL(&host, written, strcmp(kept(process, 0), "written\n") == 0);
  for (i = 0; i < 20 && result == 0; i++) {
    result = cell_process_receive(process, &frame, &error);
    if (result == 0)
      cell_reactor_step(host.reactor, 10, NULL);
  }
  check(result == expected && (result >= 0 || error.kind == kind), "%s", what);
  cell_process_free(process);
}

static void test_hostile_wire(void)
{
  check_wire("printf '\\377\\377\\377\\377aaaabbbbcccc' >&4; echo written; "
             "sleep 100",
             -1, CELL_PROTOCOL, "a frame of 4 GiB breaks the wire");
  check_wire("printf '\\001\\000\\000\\004aaaabbbbcccc' >&4; echo written; "
             "sleep 100",
             -1, CELL_PROTOCOL, "so does one byte more than is allowed");
  check_wire("printf '\\377\\377\\377\\003aaaabbbbcccc' >&4; echo written; "
             "sleep 100",
             0, CELL_OK, "a long one that does not come is waited for");
  check_wire("printf 'aaa' >&4; echo written; sleep 100", 0, CELL_OK,
             "so is the rest of a header");
  check_wire("printf 'aaa' >&4; echo written", -1, CELL_UNAVAILABLE,
             "half a header, then the end, is the end");
  check_wire("echo written", -1, CELL_UNAVAILABLE, "and so is nothing");
}

/* ---- the sandbox ends first ---- */

static void test_sandbox_ends(void)
{
  struct cell_sandbox *other = create_running(&host);
  struct cell_process *process =
    shell(other, CELL_COMMAND, "echo up; sleep 100");
  int up = 0;

  /* It may print before its start is known here. */
  STEP_UNTIL(&host, up,
             strcmp(kept(process, 0), "up\n") == 0 &&
               cell_process_state(process) == CELL_PROCESS_RUNNING);
  cell_sandbox_close(other);
  check(finish(process) && cell_process_exit(process)->code == -1 &&
          cell_process_exit(process)->signal == SIGKILL &&
          cell_process_error(process)->kind == CELL_CANCELLED,
        "closing a sandbox ends its processes, and tells them why");
  check(strcmp(kept(process, 0), "up\n") == 0, "what they printed is kept");
  cell_process_free(process);
  cell_sandbox_release(other);
}

/* The wire's end alone would say that the kernel has ended. */
static void test_wire_deadline(void)
{
  struct cell_sandbox *other = create(&host, 500);
  struct cell_process *process = shell(other, CELL_KERNEL, "sleep 100");
  struct cell_error error = {0};
  struct cell_frame frame;
  int ended = 0;

  STEP_UNTIL(&host, ended, cell_process_receive(process, &frame, &error) != 0);
  check(ended && error.kind == CELL_TIMEOUT,
        "a wire that ends at the deadline says so");
  cell_process_free(process);
  cell_sandbox_release(other);
}

static void test_deadline(void)
{
  struct cell_sandbox *other = create(&host, 500);
  struct cell_process *process = shell(other, CELL_COMMAND, "sleep 100");

  check(finish(process) && cell_process_error(process)->kind == CELL_TIMEOUT &&
          cell_sandbox_error(other)->kind == CELL_TIMEOUT,
        "a deadline ends the sandbox, and is what ended it");
  cell_process_free(process);
  cell_sandbox_release(other);
}

int main(void)
{
  int before = count_descriptors();

  signal(SIGPIPE, SIG_DFL); /* the engine must not raise it */
  host_open(&host);
  sandbox = create_running(&host);
  if (sandbox == NULL) {
    check_skip("sandboxes start", "not on this machine");
    return 0;
  }
  test_command();
  test_failures();
  test_input();
  test_unread_input();
  test_signals();
  test_freeing();
  test_left_behind();
  test_terminal();
  test_wire();
  test_hostile_wire();
  test_sandbox_ends();
  test_deadline();
  test_wire_deadline();
  check(end(&host, sandbox), "the sandbox ends when closed");
  host_close(&host);
  check(count_descriptors() == before, "no descriptor is left");
  return check_status();
}
