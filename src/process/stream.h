/* stream.h -- output of a process, read with bounded memory.
**
** The reactor drains the descriptor into a head and a tail, half of the limit
** each; what lies between is dropped and counted, so the writer never waits for
** a reader that does not come. A reader with a position in the stream gets
** every byte that is still there. Held (a slow callback): the descriptor is
** left alone while 64 KiB are unread, so the writer waits instead. Masked, what
** may begin a secret is not there for anybody until more has come, or until the
** kept bytes are asked for.
*/
#ifndef CELL_STREAM_H
#define CELL_STREAM_H

#include "../bytes/mask.h"
#include "../reactor/reactor.h"

#include <stddef.h>

#define CELL_STREAM_BLOCK 65536u

struct cell_stream {
  struct cell_reactor *reactor; /* borrowed */
  struct cell_source source;
  int fd;              /* owned; -1 at the end of file */
  unsigned char *head; /* the first bytes, at most head_limit of them */
  size_t head_used, head_size, head_limit;
  unsigned char *tail; /* ring of the last bytes; grows up to tail_limit */
  size_t tail_used, tail_size, tail_limit, tail_start;
  uint64_t total;    /* bytes that came, dropped ones included */
  uint64_t position; /* of the reader */
  int held;          /* see cell_stream_hold */
  int awaited;       /* see cell_stream_await */
  int failed;        /* out of memory: less is kept than was asked for */
  struct cell_masking *masking; /* owned; NULL: nothing is masked */
  unsigned char *block; /* owned; what is left after masking, then what came */
  size_t room;          /* of the block, for what is left */
  void (*news)(struct cell_stream *stream); /* bytes or the end have come */
  void *owner;
};

/* Takes fd, makes it non-blocking, watches it. `limit`: bytes kept, head and
** tail together (at least 16). `news` is called inside a step only. On failure
** fd is closed and the stream needs no cleanup.
*/
int cell_stream_open(struct cell_stream *stream, struct cell_reactor *reactor,
                     int fd, size_t limit, struct cell_error *error);
/* Its descriptor comes later (a terminal's): it has not ended until then. */
void cell_stream_await(struct cell_stream *stream);
void cell_stream_close(struct cell_stream *stream);
/* Mask what comes from now on; before or after it is opened. Keeps the mask. */
int cell_stream_mask(struct cell_stream *stream, struct cell_mask *mask,
                     struct cell_error *error);
/* 1: nothing unread is dropped from now on; the writer waits instead. */
void cell_stream_hold(struct cell_stream *stream, int held);
/* Read what is there now, at most `most` bytes. Returns 1 if any came. */
int cell_stream_drain(struct cell_stream *stream, size_t most);
/* Forget everything so far and start counting anew (the next cell). */
void cell_stream_restart(struct cell_stream *stream);
/* About how many bytes the next read could give. */
size_t cell_stream_there(const struct cell_stream *stream);
/* 1 when no byte will come any more; kept ones may still be unread. */
int cell_stream_ended(const struct cell_stream *stream);

/* Unread bytes: copies at most `size` into buffer and moves on. When nothing
** is kept unread, reads from the descriptor straight into buffer. With `text`,
** an incomplete UTF-8 character at the end of what is known is left for the
** next call, until the end of file. Returns the count, 0: nothing now (*end
** says whether for ever). *skipped: bytes that were dropped unread before them.
*/
size_t cell_stream_read(struct cell_stream *stream, void *buffer, size_t size,
                        int text, int *end, uint64_t *skipped);
/* The kept bytes as two pieces; with dropped bytes between them each is cut at
** a UTF-8 boundary. Pointers live until the next drain, read or restart.
*/
void cell_stream_kept(struct cell_stream *stream, const unsigned char **head,
                      size_t *head_length, const unsigned char **tail,
                      size_t *tail_length, uint64_t *total);

#endif
