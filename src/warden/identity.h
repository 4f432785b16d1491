/* identity.h -- whose processes these are, outside and inside. */
#ifndef CELL_IDENTITY_H
#define CELL_IDENTITY_H

/* 1: uid 0 of the machine; 0: an ordinary user, or uid 0 of a namespace. */
int identity_is_root(void);
/* From the machine's root to the plain uid, for good. */
int identity_drop(void);
/* Supplementary groups that could not be dropped. */
unsigned identity_groups(void);
/* Without this first, gid_map is EPERM; namespaces made below inherit it. */
int identity_deny_groups(int process);
/* Map the single id `inside` of the caller's new user namespace to `outside`,
** its own id in the parent. process: a descriptor of its /proc/PID.
*/
int identity_map(int process, unsigned inside, unsigned outside_uid,
                 unsigned outside_gid);

#endif
