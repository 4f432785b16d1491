/* engine_host.h -- a host for tests of the engine with real sandboxes. */
#ifndef CELL_ENGINE_HOST_H
#define CELL_ENGINE_HOST_H

#include "check.h"
#include "process/process.h"
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 60000 /* for anything to happen */
#define UNUSED __attribute__((unused))

struct host {
  struct cell_reactor *reactor;
  struct cell_stem *stem;
};

/* Step until `condition` holds; `holds` says whether it did in time. */
#define STEP_UNTIL(host, holds, condition)                                     \
  do {                                                                         \
    const struct cell_clock *step_clock = cell_reactor_clock((host)->reactor); \
    int64_t step_end = cell_clock_after(step_clock, PATIENCE_MS);              \
    while (!(holds = (condition)) && cell_clock_now(step_clock) < step_end &&  \
           cell_reactor_step((host)->reactor, 100, NULL) >= 0)                 \
      ;                                                                        \
  } while (0)

UNUSED static int count_descriptors(void)
{
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;

  while (readdir(directory) != NULL)
    count++;
  closedir(directory);
  return count;
}

UNUSED static int host_open(struct host *host)
{
  struct cell_error error;

  host->reactor = cell_reactor_new(&error);
  host->stem = cell_stem_new(host->reactor, "", &error);
  return host->stem != NULL;
}

UNUSED static void host_close(struct host *host)
{
  cell_stem_free(host->stem);
  cell_reactor_release(host->reactor);
}

UNUSED static struct cell_sandbox *create(struct host *host, int64_t timeout_ms)
{
  struct cell_sandbox_options options = {
    "itest", 0, 256u << 20, 64u << 20, 64, 256, 0, 0, 0, 0, NULL, 0};
  struct cell_error error;
  struct cell_sandbox *sandbox;

  options.timeout_ms = timeout_ms;
  sandbox = cell_sandbox_create(host->stem, &options, &error);
  if (sandbox == NULL)
    printf("# %s\n", error.message);
  return sandbox;
}

/* Created, and it runs; NULL and a line that says why not. */
UNUSED static struct cell_sandbox *create_running(struct host *host)
{
  struct cell_sandbox *sandbox = create(host, 900000);
  int started = 0;

  if (sandbox != NULL)
    STEP_UNTIL(host, started,
               cell_sandbox_state(sandbox) != CELL_SANDBOX_STARTING);
  if (!started || cell_sandbox_state(sandbox) != CELL_SANDBOX_RUNNING) {
    printf("# %s\n", sandbox != NULL ? cell_sandbox_error(sandbox)->message
                                     : "nothing was created");
    cell_sandbox_release(sandbox);
    return NULL;
  }
  return sandbox;
}

/* Close and wait until nothing of it is left. */
UNUSED static int end(struct host *host, struct cell_sandbox *sandbox)
{
  int ended;

  cell_sandbox_close(sandbox);
  STEP_UNTIL(host, ended, cell_sandbox_state(sandbox) == CELL_SANDBOX_ENDED);
  cell_sandbox_release(sandbox);
  return ended;
}

static const char *const usual_envs[] = {"PATH=/usr/bin:/bin", NULL};

UNUSED static struct cell_process *shell(struct cell_sandbox *sandbox,
                                         enum cell_spawn_kind kind,
                                         const char *script)
{
  const char *const argv[] = {"sh", "-c", script, NULL};
  const struct cell_process_options options = {kind, argv, usual_envs, "", 1,
                                               24,   80,   1u << 20,   0};
  struct cell_error error;
  struct cell_process *process = cell_process_spawn(sandbox, &options, &error);

  if (process == NULL)
    printf("# %s\n", error.message);
  return process;
}

#endif
