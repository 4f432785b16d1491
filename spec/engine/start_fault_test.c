/* start_fault_test.c -- each allocation and each system call of the start made
** to fail in turn, and the descriptor limit reached at each step of it.
** #S127 #S129
**
** Whatever fails: nothing leaks, and either all works or an error says why.
*/
#include "check.h"
#include "fault.h"
#include "reactor/clock.h"
#include "sandbox/sandbox.h"
#include "small_sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>

#define PATIENCE 20000 /* milliseconds for anything to happen */
#define FAULTS_MAX 400 /* more than the start has calls */

enum outcome { WORKED, FAILED, HUNG };

struct attempt {
  enum outcome outcome;
  struct cell_error error;
};

struct world {
  struct cell_reactor *reactor;
  struct cell_stem *stem;
  struct cell_sandbox *sandbox;
};

/* Steps until the sandbox has left `state`. Returns 0 when time is up. */
static int step_past(struct world *world, enum cell_sandbox_state state)
{
  const struct cell_clock *clock = cell_reactor_clock(world->reactor);
  int64_t deadline = cell_clock_after(clock, PATIENCE);

  while (cell_sandbox_state(world->sandbox) <= state) {
    if (cell_clock_now(clock) > deadline ||
        cell_reactor_step(world->reactor, 100, NULL) < 0)
      return 0;
  }
  return 1;
}

/* One question and its answer. Returns 1 if it came. */
static int ask_something(struct world *world, struct attempt *attempt)
{
  const struct cell_clock *clock = cell_reactor_clock(world->reactor);
  int64_t deadline = cell_clock_after(clock, PATIENCE);
  unsigned char bytes[64];
  struct cell_packer packer;
  struct cell_answer answer;
  uint64_t request;
  int answered = 0;

  cell_pack_start(&packer, bytes, sizeof bytes);
  request = cell_sandbox_ask(world->sandbox, CELL_METRICS, &packer, NULL, 0,
                             &attempt->error);
  if (request == 0)
    return 0;
  while (answered == 0 && cell_clock_now(clock) < deadline) {
    cell_reactor_step(world->reactor, 100, NULL);
    answered =
      cell_sandbox_answer(world->sandbox, request, &answer, &attempt->error);
  }
  if (answered == 0)
    attempt->outcome = HUNG;
  if (answered == 1)
    cell_answer_clear(&answer);
  return answered == 1;
}

static int make_sandbox(struct world *world, struct cell_error *error)
{
  static const struct cell_sandbox_options options = SMALL_SANDBOX;

  world->reactor = cell_reactor_new(error);
  if (world->reactor == NULL)
    return -1;
  world->stem = cell_stem_new(world->reactor, "", error);
  if (world->stem == NULL)
    return -1;
  world->sandbox = cell_sandbox_create(world->stem, &options, error);
  return world->sandbox == NULL ? -1 : 0;
}

/* A whole life: start, one question, close, gone. */
static void live(struct world *world, struct attempt *attempt)
{
  attempt->outcome = FAILED;
  if (make_sandbox(world, &attempt->error) < 0)
    return;
  if (!step_past(world, CELL_SANDBOX_STARTING)) {
    attempt->outcome = HUNG;
    return;
  }
  if (cell_sandbox_state(world->sandbox) != CELL_SANDBOX_RUNNING) {
    if (!step_past(world, CELL_SANDBOX_ENDING))
      attempt->outcome = HUNG;
    attempt->error = *cell_sandbox_error(world->sandbox);
    return;
  }
  if (!ask_something(world, attempt))
    return;
  cell_sandbox_close(world->sandbox);
  attempt->outcome = step_past(world, CELL_SANDBOX_ENDING) ? WORKED : HUNG;
}

static void try_life(struct attempt *attempt)
{
  struct world world = {NULL, NULL, NULL};

  memset(attempt, 0, sizeof *attempt);
  live(&world, attempt);
  cell_sandbox_release(world.sandbox);
  cell_stem_free(world.stem);
  cell_reactor_release(world.reactor);
}

static int is_clean(const struct attempt *attempt)
{
  const struct cell_error *error = &attempt->error;

  return attempt->outcome == WORKED ||
         (attempt->outcome == FAILED && error->kind > CELL_OK &&
          error->kind <= CELL_SYSTEM && error->message[0] != '\0' &&
          strchr(error->message, '\n') == NULL);
}

/* Every counted call in turn. Says which ones went wrong. */
static void fail_each(void)
{
  long memory = fault_memory();
  int descriptors = fault_descriptors();
  int unclean = 0, leaks = 0, lost = 0, refused = 0;
  long number;

  for (number = 1; number < FAULTS_MAX; number++) {
    struct attempt attempt;
    const char *name;

    fault_start(number);
    try_life(&attempt);
    fault_stop(&name);
    if (name == NULL)
      break;
    refused += attempt.outcome == FAILED;
    if (!is_clean(&attempt)) {
      printf("# call %ld (%s): %s: %s\n", number, name,
             attempt.outcome == HUNG ? "hung" : "no proper error",
             attempt.error.message);
      unclean++;
    }
    if (fault_memory() != memory) {
      printf("# call %ld (%s): %ld allocations left\n", number, name,
             fault_memory() - memory);
      memory = fault_memory();
      leaks++;
    }
    if (fault_descriptors() != descriptors) {
      printf("# call %ld (%s): %d descriptors left\n", number, name,
             fault_descriptors() - descriptors);
      descriptors = fault_descriptors();
      lost++;
    }
  }
  check(number > 20 && number < FAULTS_MAX && refused > 10,
        "%ld calls of a start can fail, %d of them end it", number - 1,
        refused);
  check(unclean == 0, "whatever fails, an error says so or all works");
  check(leaks == 0, "whatever fails, no memory is lost");
  check(lost == 0, "whatever fails, no descriptor is lost");
}

/* As few descriptors as `free`, counted up until the start works. */
static void limit_descriptors(int can_work)
{
  struct rlimit before, limit;
  int descriptors = fault_descriptors(), lost = 0, unclean = 0, worked = 0;
  rlim_t spare;

  getrlimit(RLIMIT_NOFILE, &before);
  limit = before;
  for (spare = 0; spare < 24 && !worked; spare++) {
    struct attempt attempt;

    limit.rlim_cur = (rlim_t)descriptors + spare;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
      break;
    try_life(&attempt);
    setrlimit(RLIMIT_NOFILE, &before);
    worked = attempt.outcome == WORKED;
    if (!is_clean(&attempt) || (!worked && can_work &&
                                (attempt.error.kind != CELL_SYSTEM ||
                                 attempt.error.number != EMFILE))) {
      printf("# %d spare: %s: %s\n", (int)spare,
             cell_kind_name(attempt.error.kind), attempt.error.message);
      unclean++;
    }
    lost += fault_descriptors() != descriptors;
  }
  check(unclean == 0, "without a free descriptor the error is EMFILE #S127");
  check(lost == 0, "and none is lost");
  if (can_work)
    check(worked, "%d free descriptors are enough", (int)spare - 1);
}

int main(void)
{
  struct attempt attempt;
  long memory = fault_memory();
  int descriptors = fault_descriptors();

  try_life(&attempt);
  if (attempt.outcome == FAILED && attempt.error.kind == CELL_UNSUPPORTED)
    check_skip("a sandbox lives", attempt.error.message);
  else
    check(attempt.outcome == WORKED, "a sandbox lives: %s",
          attempt.error.message);
  check(fault_memory() == memory, "a life leaves no memory behind");
  check(fault_descriptors() == descriptors, "a life leaves no descriptor");
  fail_each();
  limit_descriptors(attempt.outcome == WORKED);
  return check_status();
}
