/* process_fault_test.c -- each allocation and each system call of a process's
** life made to fail in turn, in a sandbox that goes on. #S129
*/
#include "check.h"
#include "fault.h"
#include "process/process.h"
#include "reactor/clock.h"
#include "small_sandbox.h"

#include <string.h>

#define PATIENCE 20000 /* milliseconds for anything to happen */
#define FAULTS_MAX 300 /* more than a process has calls */

enum outcome { WORKED, FAILED, HUNG };

struct attempt {
  enum outcome outcome;
  struct cell_error error;
  char output[256];
  size_t output_length;
  int output_failed; /* said that memory for it was missing */
};

struct world {
  struct cell_reactor *reactor;
  struct cell_stem *stem;
  struct cell_sandbox *sandbox;
};

static const char *const command[] = {"/bin/sh", "-c", "read x; echo got $x",
                                      NULL};
static const char *const environment[] = {"PATH=/usr/bin:/bin", "LANG=C", NULL};

static int open_world(struct world *world, struct cell_error *error)
{
  struct cell_sandbox_options options = SMALL_SANDBOX;
  const struct cell_clock *clock;
  int64_t deadline;

  options.timeout_ms = 120000;
  memset(world, 0, sizeof *world);
  world->reactor = cell_reactor_new(error);
  if (world->reactor != NULL)
    world->stem = cell_stem_new(world->reactor, "", error);
  if (world->stem != NULL)
    world->sandbox = cell_sandbox_create(world->stem, &options, error);
  if (world->sandbox == NULL)
    return -1;
  clock = cell_reactor_clock(world->reactor);
  deadline = cell_clock_after(clock, PATIENCE);
  while (cell_sandbox_state(world->sandbox) == CELL_SANDBOX_STARTING &&
         cell_clock_now(clock) < deadline)
    cell_reactor_step(world->reactor, 100, NULL);
  *error = *cell_sandbox_error(world->sandbox);
  return cell_sandbox_state(world->sandbox) == CELL_SANDBOX_RUNNING ? 0 : -1;
}

static void close_world(struct world *world)
{
  cell_sandbox_release(world->sandbox);
  cell_stem_free(world->stem);
  cell_reactor_release(world->reactor);
}

static void read_output(struct cell_process *process, struct attempt *attempt)
{
  struct cell_stream *stream = cell_process_stream(process, 0);
  uint64_t skipped;
  size_t count;
  int end;

  do {
    count = cell_stream_read(
      stream, attempt->output + attempt->output_length,
      sizeof attempt->output - 1 - attempt->output_length, 0, &end, &skipped);
    attempt->output_length += count;
    attempt->output_failed |= skipped > 0 || stream->failed;
  } while (count > 0);
}

/* Writes its line once it can, then waits for its end. */
static void run_to_end(struct world *world, struct cell_process *process,
                       struct attempt *attempt)
{
  const struct cell_clock *clock = cell_reactor_clock(world->reactor);
  int64_t deadline = cell_clock_after(clock, PATIENCE);
  long written = 0;

  attempt->outcome = HUNG;
  while (!cell_process_finished(process) && cell_clock_now(clock) < deadline) {
    if (written == 0)
      written = cell_process_write(process, "hello\n", 6, &attempt->error);
    if (written < 0)
      break; /* free kills it */
    cell_reactor_step(world->reactor, 100, NULL);
    read_output(process, attempt);
  }
  if (written < 0 || cell_process_state(process) == CELL_PROCESS_FAILED)
    attempt->outcome = FAILED;
  else if (cell_process_finished(process))
    attempt->outcome = WORKED;
  if (cell_process_error(process)->kind != CELL_OK) {
    attempt->outcome = FAILED;
    attempt->error = *cell_process_error(process);
  }
}

static void live(struct world *world, enum cell_spawn_kind kind,
                 struct attempt *attempt)
{
  struct cell_process_options options = {kind, command, environment, "", 1,
                                         24,   80,      65536,       0};
  struct cell_process *process;

  memset(attempt, 0, sizeof *attempt);
  attempt->outcome = FAILED;
  process = cell_process_spawn(world->sandbox, &options, &attempt->error);
  if (process == NULL)
    return;
  run_to_end(world, process, attempt);
  cell_process_free(process);
}

static int is_clean(const struct attempt *attempt)
{
  if (attempt->outcome == WORKED)
    return strstr(attempt->output, "got hello") != NULL ||
           attempt->output_failed;
  return attempt->outcome == FAILED && attempt->error.kind > CELL_OK &&
         attempt->error.message[0] != '\0';
}

/* Answers to what was forgotten come before anything is counted. */
static void settle(struct world *world)
{
  struct attempt attempt;

  live(world, CELL_COMMAND, &attempt);
}

static void fail_each(struct world *world, enum cell_spawn_kind kind,
                      const char *what)
{
  struct attempt attempt;
  int unclean = 0, leaks = 0, lost = 0, descriptors;
  long number, memory;

  live(world, kind, &attempt);
  if (!check(attempt.outcome == WORKED && is_clean(&attempt), "%s lives: %s",
             what, attempt.error.message))
    return;
  settle(world);
  memory = fault_memory();
  descriptors = fault_descriptors();
  for (number = 1; number < FAULTS_MAX; number++) {
    const char *name;

    fault_start(number);
    live(world, kind, &attempt);
    fault_stop(&name);
    if (name == NULL)
      break;
    if (!is_clean(&attempt)) {
      printf("# call %ld (%s): outcome %d: %s [%s]\n", number, name,
             attempt.outcome, attempt.error.message, attempt.output);
      unclean++;
    }
    settle(world);
    if (fault_memory() != memory || fault_descriptors() != descriptors) {
      printf("# call %ld (%s): %ld allocations, %d descriptors left\n", number,
             name, fault_memory() - memory, fault_descriptors() - descriptors);
      leaks += fault_memory() != memory;
      lost += fault_descriptors() != descriptors;
      memory = fault_memory();
      descriptors = fault_descriptors();
    }
  }
  check(number > 5 && number < FAULTS_MAX, "%ld calls of %s can fail",
        number - 1, what);
  check(unclean == 0, "%s: an error says so, or it works", what);
  check(leaks == 0 && lost == 0, "%s: nothing is lost", what);
  check(cell_sandbox_state(world->sandbox) == CELL_SANDBOX_RUNNING,
        "%s: the sandbox goes on: %s", what,
        cell_sandbox_error(world->sandbox)->message);
}

int main(void)
{
  struct world world;
  struct cell_error error = {CELL_OK, 0, "", "", ""};
  long memory = fault_memory();
  int descriptors = fault_descriptors();

  if (open_world(&world, &error) == 0) {
    fail_each(&world, CELL_COMMAND, "a command");
    fail_each(&world, CELL_KERNEL, "a kernel");
    fail_each(&world, CELL_TERMINAL, "a terminal");
  } else if (error.kind == CELL_UNSUPPORTED) {
    check_skip("a process lives", error.message);
  } else {
    check(0, "a sandbox starts: %s", error.message);
  }
  close_world(&world);
  check(fault_memory() == memory && fault_descriptors() == descriptors,
        "in the end nothing is left");
  return check_status();
}
