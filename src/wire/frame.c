/* frame.c -- see frame.h. */
#include "frame.h"

static void put32(unsigned char *to, uint32_t value)
{
  to[0] = (unsigned char)value;
  to[1] = (unsigned char)(value >> 8);
  to[2] = (unsigned char)(value >> 16);
  to[3] = (unsigned char)(value >> 24);
}

static uint32_t get32(const unsigned char *from)
{
  return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
         (uint32_t)from[3] << 24;
}

void cell_frame_header(unsigned char header[CELL_FRAME_HEADER], uint32_t length,
                       uint32_t type, uint64_t request)
{
  put32(header, length);
  put32(header + 4, type);
  put32(header + 8, (uint32_t)request);
  put32(header + 12, (uint32_t)(request >> 32));
}

long cell_frame_parse(const void *bytes, size_t size, uint32_t payload_max,
                      struct cell_frame *frame)
{
  const unsigned char *from = bytes;

  if (size < CELL_FRAME_HEADER)
    return 0;
  frame->length = get32(from);
  frame->type = get32(from + 4);
  frame->request = (uint64_t)get32(from + 8) | (uint64_t)get32(from + 12) << 32;
  frame->payload = from + CELL_FRAME_HEADER;
  if (frame->length > payload_max)
    return -1;
  if (size - CELL_FRAME_HEADER < frame->length)
    return 0;
  return (long)CELL_FRAME_HEADER + (long)frame->length;
}
