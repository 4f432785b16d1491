/* descriptor.h -- owning a file descriptor.
**
** "None" is -1. All are close-on-exec from their creation and never below 3,
** so that a host with a closed standard stream keeps it closed.
*/
#ifndef CELL_DESCRIPTOR_H
#define CELL_DESCRIPTOR_H

#include <stddef.h>
#include <sys/types.h>

#define CELL_FDS_MAX 8 /* in a message of ours */

/* Close and forget; -1 is fine. errno is kept. */
void cell_fd_close(int *fd);
/* Give away: returns *fd and leaves -1. */
int cell_fd_take(int *fd);
/* Returns fd, or a copy of it above 2 with fd closed, or -1 (fd closed too). */
int cell_fd_above_stdio(int fd);
/* While a library opens descriptors of its own it gets none of the numbers of
** standard streams that the host has closed: they are held, then let go.
*/
void cell_fd_hold_stdio(int held[3]);
void cell_fd_let_go(int held[3]);
int cell_fd_nonblocking(int fd);
int cell_fd_pipe(int ends[2]); /* [0] to read, [1] to write; blocking */
int cell_fd_pair(int type, int ends[2]); /* AF_UNIX, CLOEXEC, blocking */

/* A file in memory that holds these bytes, to be read from its start; or -1. */
int cell_fd_memory(const char *name, const void *bytes, size_t size);

/* write(2) that raises no SIGPIPE and no SIGXFSZ in the host, whatever fd is.
 */
long cell_fd_write(int fd, const void *bytes, size_t size);

/* One message with up to CELL_FDS_MAX descriptors, without blocking and
** without SIGPIPE. As sendmsg: bytes, or -1.
*/
long cell_fd_send(int socket, const void *header, size_t header_size,
                  const void *payload, size_t payload_size, const int *fds,
                  size_t count);
/* Receives one message, and at most `most` descriptors (close-on-exec, above
** 2). *count is how many came; *lost is 1 if descriptors were cut off. Those
** past `most` are closed. As recvmsg without blocking: bytes (of the whole
** message, which may be more than `size`), 0 at the end, -1 and errno.
*/
long cell_fd_receive(int socket, void *bytes, size_t size, int *fds,
                     size_t most, size_t *count, int *lost);

#endif
