/* boot.h -- the name that the kernel gives to each start of a machine.
**
** A sandbox has one of its own: that of the machine would tell all of its
** sandboxes that they are neighbours. It changes when everything in the sandbox
** has been killed, which is its restart.
*/
#ifndef CELL_BOOT_H
#define CELL_BOOT_H

/* Put it where the kernel's stands, and something read-only over /proc/fs,
** which tells of the machine's file systems. For the reaper, once its /proc is
** there. Returns a descriptor for boot_renew, -1 with errno; ENOENT: a kernel
** without these files, which tells nothing.
*/
int boot_mount(void);
/* The next start. boot: -1 for none. */
void boot_renew(int boot);

#endif
