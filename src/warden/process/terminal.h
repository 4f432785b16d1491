/* terminal.h -- pseudo-terminals of the sandbox's own devpts. */
#ifndef CELL_TERMINAL_H
#define CELL_TERMINAL_H

#include <stdint.h>

/* A new pair, close-on-exec. -1 and errno. */
int terminal_open(int *master, int *slave, uint32_t rows, uint32_t columns);
int terminal_resize(int master, uint32_t rows, uint32_t columns);

#endif
