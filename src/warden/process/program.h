/* program.h -- the child between fork and exec. */
#ifndef CELL_PROGRAM_H
#define CELL_PROGRAM_H

#include "../../wire/protocol.h"

#include <stddef.h>
#include <stdint.h>

#define PROGRAM_FDS 5

struct warden;

struct program {
  enum cell_spawn_kind kind;
  char cwd[CELL_PATH_MAX];
  char **argv;
  char **envs;
  /* 0, 1, 2, a kernel's wire (3, 4); a terminal's slave is fds[0] */
  int fds[PROGRAM_FDS];
  uint32_t rows, columns;
  int is_session; /* a fork of the zygote: nothing is executed */
};

enum program_stage {
  PROGRAM_SESSION,
  PROGRAM_LIMITS,
  PROGRAM_LANDLOCK,
  PROGRAM_DESCRIPTORS,
  PROGRAM_CWD,
  PROGRAM_EXECUTE
};

/* What the child writes to its report pipe after its pid when it fails. */
struct program_failure {
  int number;
  int stage; /* enum program_stage */
};

/* Where it starts: "" and "~" are the home. 0, or -1 and ENAMETOOLONG. */
int program_folder(const char *cwd, char *path, size_t size);
/* The name that goes into SPAWNED. */
const char *program_stage(int stage);
/* In the child: execute it, or write to `report` why not. Never returns. */
void program_run(struct warden *warden, struct program *program, int report);

#endif
