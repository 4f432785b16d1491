/* priority.h -- what a process gets before others, and how little of it. */
#ifndef CELL_PRIORITY_H
#define CELL_PRIORITY_H

/* Gives up what a host may have and code must not inherit: real time, negative
** niceness, the front of the queue at a disk, being spared when memory runs
** out. What holds a host back (idle scheduling, niceness) is left as it is.
** To be called while root is still root, and by a process that makes others.
*/
void priority_give_up(void);

/* Not to be preferred when woken; and the opposite of that. */
void priority_batch(void);
void priority_normal(void);

#endif
