/* parcel.h -- one message of a fixed size with its descriptors, and who sent
** it. For warden, stem and zygote, which are of one build: a structure is sent
** as it lies in memory.
*/
#ifndef CELL_PARCEL_H
#define CELL_PARCEL_H

#include <stddef.h>
#include <sys/types.h>

#define PARCEL_FDS_MAX 16

struct parcel {
  int fds[PARCEL_FDS_MAX]; /* owned: take by setting to -1, or close */
  size_t count;
  pid_t sender; /* as this process sees it; 0: not told (SO_PASSCRED) */
};

/* Waits for room. 0, or -1 and errno. */
int parcel_send(int socket, const void *bytes, size_t size, const int *fds,
                size_t count);
/* 1: a message; 0: end of file; -1: errno (EAGAIN; EPROTO for one of another
** size or with descriptors cut off, which are closed). Waits with wait = 1.
*/
int parcel_receive(int socket, void *bytes, size_t size, struct parcel *parcel,
                   int wait);
void parcel_close(struct parcel *parcel);

#endif
