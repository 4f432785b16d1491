/* network.h -- network namespaces, made ahead because they are the dearest
** part of a sandbox, and by a process of their own, so that the stem can clone
** one warden while the next one's network is made.
*/
#ifndef CELL_NETWORK_H
#define CELL_NETWORK_H

#include "../self.h"
#include "../wire.h"

#include <stddef.h>

#define NETWORKS_MAX 3

struct network {
  int space; /* descriptor of the namespace, loopback up */
  int names; /* its socket for questions for names (refuse.h) */
};

struct network_pool {
  struct network ready[NETWORKS_MAX];
  size_t count;
  size_t asked; /* being made */
  int maker;    /* socket of the process that makes them, or -1 */
  int process;  /* a descriptor of some /proc/PID */
  int home;     /* the namespace to return to */
  struct wire_message message;
};

/* Have the loopback interface of the present namespace up, and its socket for
** questions for names. The descriptor, or -1.
*/
int network_furnish(void);
/* Start the maker, in the user namespace that is to own them all, and ask for
** the first. process and home are borrowed.
*/
int network_start(struct network_pool *pool, int process, int home,
                  const struct self_title *title);
/* Have one more made, if there is room for it. */
void network_ask(struct network_pool *pool);
/* The maker's socket is readable, or its answer is waited for: 0, or -1 and the
** errno of what could not be made.
*/
int network_receive(struct network_pool *pool);
/* One whose descriptors are the caller's now; made at once if none is ready.
** 0, or -1 with both -1.
*/
int network_take(struct network_pool *pool, struct network *network);
/* Close its descriptors. */
void network_release(struct network *network);
/* Have the maker end. */
void network_close(struct network_pool *pool);

#endif
