/* descriptor.h -- owning a file descriptor.
**
** "None" is -1. All are close-on-exec from their creation and never below 3,
** so that a host with a closed standard stream keeps it closed.
*/
#ifndef CELL_DESCRIPTOR_H
#define CELL_DESCRIPTOR_H

#include <stddef.h>
#include <sys/types.h>

/* Close and forget; -1 is fine. errno is kept. */
void cell_fd_close(int *fd);
/* Give away: returns *fd and leaves -1. */
int cell_fd_take(int *fd);
/* Returns fd, or a copy of it above 2 with fd closed, or -1 (fd closed too). */
int cell_fd_above_stdio(int fd);
int cell_fd_nonblocking(int fd);
int cell_fd_pipe(int ends[2]); /* [0] non-blocking on demand of the caller */
int cell_fd_pair(int type, int ends[2]); /* AF_UNIX, CLOEXEC */

/* One message with up to `count` descriptors. As sendmsg: bytes, or -1. */
long cell_fd_send(int socket, const void *header, size_t header_size,
                  const void *payload, size_t payload_size, const int *fds,
                  size_t count);
/* Receives one message, and at most `most` descriptors (close-on-exec, above
** 2). *count is how many came; *lost is 1 if descriptors were cut off. Those
** past `most` are closed. As recvmsg: bytes, 0 at the end, -1 and errno.
*/
long cell_fd_receive(int socket, void *bytes, size_t size, int *fds,
                     size_t most, size_t *count, int *lost);

#endif
