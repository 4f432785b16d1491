/* process_private.h -- a process from within: for process.c (its life) and
** spawn.c (its ends, and the request to start it) alone.
*/
#ifndef CELL_PROCESS_PRIVATE_H
#define CELL_PROCESS_PRIVATE_H

#include "../wire/wire.h"
#include "input.h"
#include "process.h"

struct cell_process {
  struct cell_sandbox *sandbox; /* kept */
  struct cell_reactor *reactor; /* the sandbox's */
  struct cell_listener listener;
  uint64_t request; /* of the SPAWN; 0: nothing is heard any more */
  enum cell_spawn_kind kind;
  enum cell_process_state state;
  struct cell_error error;
  struct cell_exit exit;
  struct cell_timer linger;
  int lingered;
  struct cell_timer truth; /* after the wire's end, for the reason of it */
  uint32_t pid;
  uint32_t token;
  size_t output_limit;
  struct cell_stream streams[2];
  struct cell_input input;
  struct cell_wire wire;
  char program[64]; /* argv[0], and where it was to run: for messages */
  char cwd[64];
};

/* Make the pipes that it needs, watch our ends, send the others in. On failure
** what was opened is the process's still, to be released with it.
*/
int cell_spawn_ask(struct cell_process *process,
                   const struct cell_process_options *options,
                   struct cell_error *error);

#endif
