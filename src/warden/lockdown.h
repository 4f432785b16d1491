/* lockdown.h -- giving up, for good, what could hurt the machine. */
#ifndef CELL_LOCKDOWN_H
#define CELL_LOCKDOWN_H

#include "failure.h"
#include "root/mounts.h"

#include <stdint.h>

/* Bounds of this sandbox on what is counted for all of a user: namespaces none,
** watches few. proc: a descriptor of a proc mount. Needs the capabilities.
*/
void lockdown_counters(int proc);
/* No new privileges, no capability in any set and none ever, not dumpable. */
int lockdown_capabilities(struct failure *failure);
/* The system call filter. Last. */
int lockdown_filter(struct failure *failure);
/* The same but for setns, which a zygote enters sandboxes by. */
int lockdown_filter_zygote(struct failure *failure);

/* Landlock's ABI, 0 without it. */
unsigned lockdown_landlock_abi(void);
/* The rules for a command; each call of landlock_restrict_self on it is a
** domain of its own. -1 where Landlock does not serve.
*/
int lockdown_landlock_rules(unsigned abi, const struct mounts *mounts);

#endif
