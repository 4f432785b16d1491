/* small_sandbox.h -- what a sandbox of the engine's tests is given. */
#ifndef CELL_SMALL_SANDBOX_H
#define CELL_SMALL_SANDBOX_H

/* Of struct cell_sandbox_options. */
#define SMALL_SANDBOX                                                          \
  {                                                                            \
    .id = "i0123456789abcdefghij", .timeout_ms = 60000, .memory = 1u << 28,    \
    .disk = 1u << 24, .processes = 64, .files = 256                            \
  }

#endif
