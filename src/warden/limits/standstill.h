/* standstill.h -- stopping all of the code so that it stays stopped. */
#ifndef CELL_STANDSTILL_H
#define CELL_STANDSTILL_H

/* For PID 1 of the code's namespace. 0; ESRCH: nothing is there to be stopped;
** EBUSY: the code keeps itself going. Or another errno.
*/
int standstill(void);

#endif
