/* frame.h -- the unit of every conversation: host, stem, warden, kernel.
**
** 16 bytes, little-endian: u32 length of the payload, u32 type, u64 request;
** then the payload. On a SOCK_SEQPACKET channel (stem, warden) one message is
** exactly one frame; on a kernel's pipes frames follow one another.
** This is the only parser. It holds no memory and never reads past `size`.
*/
#ifndef CELL_FRAME_H
#define CELL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define CELL_FRAME_HEADER 16u
/* Payload of one message to or from the stem or a warden. */
#define CELL_MESSAGE_MAX 98304u /* 96 KiB */
/* Payload of one frame to or from a kernel. */
#define CELL_KERNEL_FRAME_MAX 67108864u /* 64 MiB */

struct cell_frame {
  uint32_t length; /* of the payload */
  uint32_t type;
  uint64_t request;
  const unsigned char *payload; /* inside the parsed buffer */
};

/* Write the header of a frame whose payload has `length` bytes. */
void cell_frame_header(unsigned char header[CELL_FRAME_HEADER], uint32_t length,
                       uint32_t type, uint64_t request);

/* Look at the first frame in bytes[0..size).
** Returns its whole size (header and payload) when it is complete, 0 when
** bytes are missing (frame->length is valid once 16 bytes are there), and -1
** when its length exceeds `payload_max`: the stream is lost.
*/
long cell_frame_parse(const void *bytes, size_t size, uint32_t payload_max,
                      struct cell_frame *frame);

#endif
