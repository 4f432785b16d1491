/* terminal.h -- the terminal of a program, as long as it wants each key.
**
** For programs alone, as program.h. Functions return 0, or -1 with *error
** filled in.
*/
#ifndef CELL_TERMINAL_H
#define CELL_TERMINAL_H

#include "../reactor/reactor.h"

#include <termios.h>

/* A terminal that gives each key as it is pressed, echoes nothing and raises no
** signals. A process of its own waits for the end of this program, however that
** comes, and makes the terminal what it was.
*/
struct cell_terminal {
  struct cell_reactor *reactor; /* kept; NULL: closed */
  struct cell_source source;
  struct termios before;
  int fd;         /* owned: a copy of the one that was named */
  int guard;      /* owned: its end is the end of this program */
  int resized;    /* owned: SIGWINCH comes here */
  uint32_t token; /* posted when the size has changed */
  int is_foreign; /* what is written to it comes from code */
};

#define CELL_TERMINAL_CLOSED                                                   \
  {                                                                            \
    NULL, {-1, 0, NULL, 0}, {0}, -1, -1, -1, 0, 0                              \
  }

/* keeps_lines: "\n" that is written still begins a line at its left; without,
** what is written is taken for that of code, which may leave the terminal in
** any state, and have asked it what it would answer to whoever reads next.
** On failure *terminal is closed, and the terminal as it was. It must stay
** where it is.
*/
int cell_terminal_open(struct cell_terminal *terminal,
                       struct cell_reactor *reactor, int fd, int keeps_lines,
                       struct cell_error *error);
/* The terminal is as it was. Safe to call twice. */
void cell_terminal_close(struct cell_terminal *terminal);

#endif
