/* fault.h -- allocations and system calls that fail when a test says so.
**
** Linked into a test with -Wl,--wrap=NAME for each name in fault.names, so that
** the engine's calls come here first. Counting starts with fault_start; the
** n-th counted call fails as it would without memory, room or descriptors.
*/
#ifndef CELL_FAULT_H
#define CELL_FAULT_H

/* Count from now on and fail the call with this number, counted from 1; with 0
** none fails.
*/
void fault_start(long number);
/* Stop counting. Returns how many calls were counted; *name is the one that was
** made to fail, or NULL.
*/
long fault_stop(const char **name);

/* Allocations that were not freed, since the program started. */
long fault_memory(void);
/* Open descriptors of this process. */
int fault_descriptors(void);

#endif
