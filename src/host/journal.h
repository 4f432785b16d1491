/* journal.h -- a file of the host that grows by whole lines.
**
** Several programs may write to one: each has its lock while it adds a line,
** and no longer. Nothing here blocks but the file system itself; no signal is
** raised in the host.
*/
#ifndef CELL_HOST_JOURNAL_H
#define CELL_HOST_JOURNAL_H

#include "../error.h"

#include <stddef.h>
#include <stdint.h>

/* Open the file that `path` names, made for our user alone (0600) if there is
** none, and lock it until it is closed. *size is what it holds. Returns a
** descriptor, or -1: CELL_UNAVAILABLE while another has the lock, or has put
** another file there; CELL_PERMISSION_DENIED: a link, no regular file, or one
** that others may write to.
*/
int cell_journal_open(const char *path, uint64_t *size,
                      struct cell_error *error);
/* Add these bytes by one write at the end, which is at `size`; all of them, or
** none: what was written of them is taken back.
*/
int cell_journal_append(int fd, uint64_t size, const void *bytes, size_t length,
                        struct cell_error *error);
/* Take back what comes after the first `size` bytes. */
int cell_journal_cut(int fd, uint64_t size, struct cell_error *error);
/* Let a small file hold these bytes and nothing else. It is made as a journal
** is, and its writer has the lock of the journal that it belongs to.
*/
int cell_journal_note(const char *path, const void *bytes, size_t length,
                      struct cell_error *error);

#endif
