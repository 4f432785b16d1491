/* wire.h -- frames and descriptors over a SOCK_SEQPACKET channel. */
#ifndef CELL_WIRE_H
#define CELL_WIRE_H

#include "../wire/frame.h"
#include "../wire/pack.h"

#define WIRE_FDS_MAX 8

struct wire_message {
  struct cell_frame frame; /* its payload points into bytes */
  int fds[WIRE_FDS_MAX];   /* owned by the message: take, or clear */
  size_t count;
  int lost; /* 1: descriptors were cut off (no more were free) */
  unsigned char bytes[CELL_FRAME_HEADER + CELL_MESSAGE_MAX + 1];
};

/* A pidfd of who has made the socket's other end, or -1. */
int wire_peer(int socket);
/* 1: a message; 0: end of file; -1: errno (EAGAIN without one; EPROTO for what
** is no frame). Waits with wait = 1.
*/
int wire_receive(int socket, struct wire_message *message, int wait);
/* Descriptor `index` of the message, owned by the caller now; -1: none. */
int wire_take(struct wire_message *message, size_t index);
void wire_clear(struct wire_message *message);

/* Waits until there is room; fails with EPIPE once the other end is closed.
** payload may be NULL, fd -1.
*/
int wire_send(int socket, uint32_t type, uint64_t request,
              const struct cell_packer *payload, int fd);
/* The same with `count` descriptors, at most WIRE_FDS_MAX. */
int wire_send_all(int socket, uint32_t type, uint64_t request,
                  const struct cell_packer *payload, const int *fds,
                  size_t count);
/* u32 errno and nothing else. */
int wire_send_number(int socket, uint32_t type, uint64_t request, int number);
/* u32 errno, string stage. */
int wire_send_failure(int socket, uint32_t type, uint64_t request, int number,
                      const char *stage);

#endif
