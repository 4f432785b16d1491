/* relay.h -- rings a socket of a host that cannot poll the reactor itself. */
#ifndef CELL_WARDEN_RELAY_H
#define CELL_WARDEN_RELAY_H

/* Writes a byte when the reactor's descriptor has news, and once a second;
** then waits for a byte back. Ends with the socket. Returns the exit status.
*/
int relay_run(void);

#endif
