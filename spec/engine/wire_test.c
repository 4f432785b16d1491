/* wire_test.c -- kernels in a sandbox: two pipes, which they can open by their
** path, how each of them ends, and a forked host. #S048 #S049 #S053
*/
#include "engine_host.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct host host;
static struct cell_sandbox *sandbox;

/* Everything that it has printed so far. */
static const char *printed(struct cell_process *process)
{
  static char text[4096];
  const unsigned char *head, *tail;
  size_t head_length, tail_length;
  uint64_t total;

  cell_stream_kept(cell_process_stream(process, 0), &head, &head_length, &tail,
                   &tail_length, &total);
  if (head_length > sizeof text - 1)
    head_length = sizeof text - 1;
  memcpy(text, head, head_length);
  text[head_length] = '\0';
  return text;
}

static int finish(struct cell_process *process)
{
  int finished = 0;

  STEP_UNTIL(&host, finished, cell_process_finished(process));
  return finished;
}

static int await(struct cell_process *process, const char *text)
{
  int there = 0;

  STEP_UNTIL(&host, there, strcmp(printed(process), text) == 0);
  return there;
}

/* The next frame, or -1 and what has happened. */
static int receive(struct cell_process *process, struct cell_frame *frame,
                   struct cell_error *error)
{
  int received, result = 0;

  STEP_UNTIL(&host, received,
             (result = cell_process_receive(process, frame, error)) != 0);
  return result;
}

/* As the host's own root, or as another user: the code opens both by path. */
static void test_paths(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_KERNEL, "exec cat </dev/fd/3 >/dev/fd/4");
  const size_t length = 3000000;
  unsigned char *payload = malloc(length);
  struct cell_frame frame;
  size_t i;

  for (i = 0; i < length; i++)
    payload[i] = (unsigned char)(i * 7 + i / 1000);
  check(cell_process_send(process, 1, 7, "small", 5, NULL) == 0 &&
          cell_process_send(process, 2, UINT64_MAX, payload, length, NULL) == 0,
        "frames are sent into a pipe, whatever their size");
  check(receive(process, &frame, NULL) == 1 && frame.type == 1 &&
          frame.request == 7 && frame.length == 5 &&
          memcmp(frame.payload, "small", 5) == 0,
        "and come out of the other one");
  check(receive(process, &frame, NULL) == 1 && frame.type == 2 &&
          frame.request == UINT64_MAX && frame.length == length &&
          memcmp(frame.payload, payload, length) == 0,
        "the large one whole");
  free(payload);
  cell_process_free(process);
}

static void test_census(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_KERNEL,
          "echo /proc/self/fd/*; test -p /dev/fd/3 && "
          "test -p /dev/fd/4 && echo pipes");
  int descriptors;

  /* The shell has the folder that it lists open, as the next free one. */
  check(finish(process) &&
          strcmp(printed(process),
                 "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
                 "/proc/self/fd/3 /proc/self/fd/4 /proc/self/fd/5\npipes\n") ==
            0,
        "a kernel has 0 to 4 and nothing else");
  cell_process_free(process);
  descriptors = count_descriptors();
  process = shell(sandbox, CELL_KERNEL, "sleep 100");
  check(count_descriptors() == descriptors + 5,
        "the host keeps input, output, errors, and two ends of the wire");
  cell_process_free(process);
  check(count_descriptors() == descriptors, "and gives all of them back");
}

/* ---- ends ---- */

static void test_deaf(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_KERNEL, "exec 3<&-; echo closed; sleep 100");
  struct cell_error error = {0};
  struct cell_frame frame;

  check(await(process, "closed\n") &&
          cell_process_send(process, 1, 1, "x", 1, &error) < 0 &&
          error.kind == CELL_UNAVAILABLE,
        "a kernel that has closed what it reads from takes nothing");
  check(cell_process_receive(process, &frame, &error) == 0,
        "but may still say something");
  cell_process_free(process);
}

static void test_mute(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_KERNEL, "exec 4>&-; echo closed; exec cat <&3");
  struct cell_error error = {0};
  struct cell_frame frame;

  check(receive(process, &frame, &error) == -1 &&
          error.kind == CELL_UNAVAILABLE,
        "one that has closed what it writes to has ended for the host");
  check(cell_process_send(process, 1, 1, "x", 1, &error) < 0 &&
          error.kind == CELL_UNAVAILABLE,
        "nor is anything sent to it any more");
  cell_process_free(process);
}

static void test_sleeper(void)
{
  static unsigned char payload[1 << 20];
  struct cell_process *process =
    shell(sandbox, CELL_KERNEL, "echo up; while :; do sleep 100; done");
  struct cell_error error = {0};
  int i, result = 0, steps;

  check(await(process, "up\n"), "a kernel that does not read lives");
  for (i = 0; i < 200 && result == 0; i++)
    result = cell_process_send(process, 2, 1, payload, sizeof payload, &error);
  check(result < 0 && error.kind == CELL_LIMIT_EXCEEDED && i < 80,
        "and takes a bounded queue: %d MiB", i);
  cell_reactor_step(host.reactor, 0, NULL);
  steps = cell_reactor_step(host.reactor, 0, NULL);
  check(steps == 0, "the host is not woken for what a full pipe cannot take");
  cell_process_free(process);
}

static void test_flood(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_KERNEL, "echo up; exec cat /dev/zero >&4");
  struct cell_frame frame;
  int i, frames = 0;

  check(await(process, "up\n"), "a kernel that floods lives");
  for (i = 0; i < 2000 && receive(process, &frame, NULL) == 1; i++)
    frames += frame.length == 0;
  check(frames == 2000, "its frames come one by one");
  cell_process_free(process);
}

/* ---- a copy of the host ---- */

static void test_forked(void)
{
  struct cell_process *process =
    shell(sandbox, CELL_KERNEL, "exec cat </dev/fd/3 >/dev/fd/4");
  struct cell_error error = {0};
  struct cell_frame frame;
  int status = -1;
  pid_t pid;

  cell_process_send(process, 1, 1, "x", 1, NULL);
  check(receive(process, &frame, NULL) == 1, "a kernel answers");
  pid = fork();
  if (pid == 0) {
    int refused = cell_process_send(process, 1, 2, "y", 1, &error) < 0 &&
                  error.kind == CELL_CANCELLED;

    cell_process_free(process);
    _exit(refused ? 0 : 1);
  }
  waitpid(pid, &status, 0);
  check(status == 0, "a forked copy of the host cannot speak to it");
  check(cell_process_send(process, 1, 3, "z", 1, NULL) == 0 &&
          receive(process, &frame, NULL) == 1 && frame.request == 3,
        "and closing there leaves it to the original");
  cell_process_free(process);
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
  test_paths();
  test_census();
  test_deaf();
  test_mute();
  test_sleeper();
  test_flood();
  test_forked();
  check(end(&host, sandbox), "the sandbox ends when closed");
  host_close(&host);
  check(count_descriptors() == before, "no descriptor is left");
  return check_status();
}
