/* channel.h -- the host's end of a SOCK_SEQPACKET channel.
**
** One message is one frame. Messages are sent at once when they can be, else
** queued as copies, up to a bound. Receiving is bounded per event, so that a
** flood does not starve what else the reactor watches. Nothing here blocks.
*/
#ifndef CELL_CHANNEL_H
#define CELL_CHANNEL_H

#include "../descriptor.h"
#include "../reactor/reactor.h"
#include "frame.h"

#include <stddef.h>

/* A message in hand: valid inside `heard`, which takes the descriptors that it
** wants (cell_fd_take); the rest is closed after it.
*/
struct cell_delivery {
  struct cell_frame frame;
  int fds[CELL_FDS_MAX];
  size_t fd_count;
  int fds_lost; /* descriptors were cut off: too many, or none free here */
};

enum cell_channel_end {
  CELL_CHANNEL_CLOSED, /* end of file, or the peer is gone */
  CELL_CHANNEL_BROKEN  /* a message that is not one frame */
};

struct cell_outgoing;

struct cell_channel {
  struct cell_reactor *reactor; /* borrowed */
  struct cell_source source;
  int fd;   /* owned; -1 when closed */
  int held; /* nothing is sent, all is queued */
  struct cell_outgoing *first, *last;
  size_t queued; /* messages */
  size_t bytes;  /* in them */
  /* May close the channel, but not free its memory. */
  void (*heard)(struct cell_channel *channel, struct cell_delivery *delivery);
  /* Once, after the last heard; the channel is silent from then on. May free.
   */
  void (*ended)(struct cell_channel *channel, enum cell_channel_end why);
};

/* Takes fd. Set heard and ended before. On failure fd is closed. */
int cell_channel_open(struct cell_channel *channel,
                      struct cell_reactor *reactor, int fd,
                      struct cell_error *error);
/* The same channel, and what is queued in it, over another descriptor. */
int cell_channel_reopen(struct cell_channel *channel, int fd,
                        struct cell_error *error);
/* Receive what is there already, as a step would. */
void cell_channel_drain(struct cell_channel *channel);
/* Drops what is queued. Idempotent; may be called inside heard and ended. */
void cell_channel_close(struct cell_channel *channel);
/* Queue everything until it is called with 0, which sends. */
void cell_channel_hold(struct cell_channel *channel, int held);
/* 1 if another ordinary message may be sent (the bound of the queue). */
int cell_channel_has_room(const struct cell_channel *channel);
/* Copies. A peer that is gone is no error: `ended` will say it. */
int cell_channel_send(struct cell_channel *channel, uint32_t type,
                      uint64_t request, const void *payload, size_t length,
                      const int *fds, size_t count, struct cell_error *error);

#endif
