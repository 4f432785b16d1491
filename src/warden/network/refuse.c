/* refuse.c -- see refuse.h. */
#include "refuse.h"

#include "../../egress/query.h"
#include "../warden.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN 16 /* questions, then whatever else waits */

void refuse_start(struct warden *warden)
{
  struct refuse *refuse = &warden->refuse;

  refuse->left = CELL_ASKED_MOST;
  if (warden->gateway.network == CELL_NETWORK_NONE)
    return;
  close(refuse->names);
  refuse->names = -1;
}

/* Most clients ask for addresses of both families: that is one refusal. */
static void tell(struct warden *warden, const struct cell_query *query)
{
  struct refuse *refuse = &warden->refuse;
  unsigned char bytes[CELL_NAME_SIZE + 8];
  struct cell_packer packer;

  if (refuse->left == 0 || cell_name_is_below(query->name, "arpa") ||
      (!query->wants_address && strcmp(refuse->told, query->name) == 0))
    return;
  refuse->left--;
  memcpy(refuse->told, query->name, sizeof refuse->told);
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_string(&packer, query->name);
  wire_send(warden->channel, CELL_ASKED, 0, &packer, -1);
}

static void answer(struct warden *warden, const unsigned char *bytes,
                   size_t size, const struct sockaddr_in *peer)
{
  static const unsigned char loopback[4] = {127, 0, 0, 1};
  unsigned char reply[CELL_QUERY_REPLY];
  const unsigned char *address = NULL;
  struct cell_query query;
  int code = cell_query_read(&query, bytes, size);

  if (code < 0)
    return;
  if (code == CELL_QUERY_FINE && cell_name_is_local(query.name)) {
    address = query.wants_address ? loopback : NULL;
  } else if (code == CELL_QUERY_FINE) {
    code = CELL_QUERY_NO_NAME;
    if (query.name[0] != '\0')
      tell(warden, &query);
  }
  size = cell_query_reply(reply, bytes, &query, code, address);
  sendto(warden->refuse.names, reply, size, MSG_DONTWAIT | MSG_NOSIGNAL,
         (const struct sockaddr *)peer, sizeof *peer);
}

void refuse_serve(struct warden *warden)
{
  unsigned char bytes[CELL_QUERY_MAX];
  struct sockaddr_in peer;
  int i;

  for (i = 0; i < TURN; i++) {
    socklen_t size = sizeof peer;
    ssize_t length =
      recvfrom(warden->refuse.names, bytes, sizeof bytes,
               MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&peer, &size);

    if (length < 0 && errno == EAGAIN)
      return;
    if (length >= 0 && (size_t)length <= sizeof bytes && size == sizeof peer)
      answer(warden, bytes, (size_t)length, &peer);
  }
}

void refuse_more(struct warden *warden)
{
  struct cell_unpacker unpacker;
  uint32_t more;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  more = cell_unpack_u32(&unpacker);
  if (cell_unpack_done(&unpacker) &&
      more <= CELL_ASKED_MOST - warden->refuse.left)
    warden->refuse.left += more;
}
