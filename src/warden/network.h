/* network.h -- network namespaces, made ahead because they are the dearest
** part of a sandbox.
*/
#ifndef CELL_NETWORK_H
#define CELL_NETWORK_H

/* Make a namespace with its loopback up, and return to `home`. process: a
** descriptor of the caller's /proc/PID. Returns a descriptor of it, or -1.
*/
int network_make(int process, int home);

#endif
