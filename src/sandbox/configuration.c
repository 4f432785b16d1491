/* configuration.c -- what a warden is told first (sandbox_private.h). */
#include "../descriptor.h"
#include "../wire/frame.h"
#include "sandbox_private.h"

#include <errno.h>

static void pack_gateway(struct cell_packer *packer,
                         const struct cell_gateway *gateway)
{
  size_t i;

  if (gateway == NULL) {
    cell_pack_u32(packer, CELL_NETWORK_NONE);
    return;
  }
  cell_pack_u32(packer, gateway->network);
  cell_pack_u32(packer, (uint32_t)gateway->port_count);
  for (i = 0; i < gateway->port_count; i++)
    cell_pack_u32(packer, gateway->ports[i]);
  cell_pack_u32(packer, (uint32_t)gateway->range_count);
  for (i = 0; i < gateway->range_count; i++) {
    cell_pack_bytes(packer, gateway->ranges[i].address, 16);
    cell_pack_u32(packer, gateway->ranges[i].bits);
  }
}

int cell_sandbox_configure(const struct cell_sandbox_options *options,
                           int channel, struct cell_error *error)
{
  unsigned char header[CELL_FRAME_HEADER];
  unsigned char
    bytes[64 + 4 * CELL_GATEWAY_PORTS_MAX + 24 * CELL_GATEWAY_RANGES_MAX];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u64(&packer, (uint64_t)options->timeout_ms);
  cell_pack_u32(&packer, options->root_view ? 0 : CELL_INSIDE_UID);
  cell_pack_u64(&packer, options->memory);
  cell_pack_u64(&packer, options->disk);
  cell_pack_u32(&packer, options->processes);
  cell_pack_u32(&packer, options->files);
  cell_pack_u32(&packer, options->read_only != 0);
  pack_gateway(&packer, options->gateway);
  cell_frame_header(header, (uint32_t)packer.used, CELL_CONFIGURE, 0);
  if (cell_fd_send(channel, header, sizeof header, bytes, packer.used, NULL,
                   0) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "configure a sandbox");
  return 0;
}
