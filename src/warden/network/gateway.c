/* gateway.c -- see gateway.h. */
#include "gateway.h"

#include "../warden.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define LOOPBACK 1 /* its index in every network namespace */
#define BATCH_SIZE 16384
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                         0, 0, 0, 0, 0xff, 0xff};

void gateway_read(struct gateway *gateway, struct cell_unpacker *unpacker)
{
  const unsigned char *address;
  uint32_t i;
  size_t length;

  gateway->network = cell_unpack_u32(unpacker);
  gateway->port_count = gateway->range_count = 0;
  if (gateway->network == CELL_NETWORK_NONE)
    return;
  gateway->port_count = cell_unpack_u32(unpacker);
  if (gateway->network > CELL_NETWORK_OPEN ||
      gateway->port_count > CELL_GATEWAY_PORTS_MAX)
    unpacker->failed = 1;
  for (i = 0; i < gateway->port_count && !unpacker->failed; i++)
    gateway->ports[i] = (uint16_t)cell_unpack_u32(unpacker);
  gateway->range_count = cell_unpack_u32(unpacker);
  if (gateway->range_count > CELL_GATEWAY_RANGES_MAX)
    unpacker->failed = 1;
  for (i = 0; i < gateway->range_count && !unpacker->failed; i++) {
    address = cell_unpack_bytes(unpacker, &length);
    gateway->ranges[i].bits = cell_unpack_u32(unpacker);
    if (length != 16 || gateway->ranges[i].bits > 128)
      unpacker->failed = 1;
    else
      memcpy(gateway->ranges[i].address, address, 16);
  }
}

/* ---- addresses ---- */

struct batch {
  unsigned char bytes[BATCH_SIZE];
  size_t used;
  uint32_t count;
  int failed;
};

static void *append(struct batch *batch, size_t size)
{
  void *at = batch->bytes + batch->used;

  if (size > sizeof batch->bytes - batch->used - NLMSG_ALIGNTO) {
    batch->failed = 1;
    return NULL;
  }
  memset(at, 0, NLMSG_ALIGN(size));
  batch->used += NLMSG_ALIGN(size);
  return at;
}

/* A header and its fixed part; attributes follow. Returns where it begins. */
static size_t begin(struct batch *batch, uint16_t type, uint16_t flags,
                    const void *fixed, size_t size)
{
  size_t at = batch->used;
  struct nlmsghdr *header = append(batch, NLMSG_LENGTH(size));

  if (header != NULL) {
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    header->nlmsg_seq = ++batch->count;
    memcpy(NLMSG_DATA(header), fixed, size);
  }
  return at;
}

static void attribute(struct batch *batch, uint16_t type, const void *value,
                      size_t size)
{
  struct rtattr *part = append(batch, RTA_LENGTH(size));

  if (part != NULL) {
    part->rta_type = type;
    part->rta_len = (uint16_t)RTA_LENGTH(size);
    memcpy(RTA_DATA(part), value, size);
  }
}

static void end(struct batch *batch, size_t at)
{
  struct nlmsghdr *header = (struct nlmsghdr *)(void *)(batch->bytes + at);

  if (!batch->failed)
    header->nlmsg_len = (uint32_t)(batch->used - at);
}

static void add_link(struct batch *batch)
{
  struct ifinfomsg link = {0};

  link.ifi_index = LOOPBACK;
  link.ifi_flags = link.ifi_change = IFF_UP;
  end(batch, begin(batch, RTM_NEWLINK, 0, &link, sizeof link));
}

static void add_address(struct batch *batch, const unsigned char *four)
{
  struct ifaddrmsg address = {0};
  size_t at;

  address.ifa_family = AF_INET;
  address.ifa_prefixlen = 32;
  address.ifa_index = LOOPBACK;
  at = begin(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address,
             sizeof address);
  attribute(batch, IFA_LOCAL, four, 4);
  end(batch, at);
}

/* All addresses of a range are the sandbox's own. Of two ranges that begin
** alike the second changes nothing.
*/
static void add_range(struct batch *batch, const unsigned char *address,
                      uint32_t bits)
{
  struct rtmsg route = {0};
  int is_four = bits >= 96 && memcmp(address, mapped, sizeof mapped) == 0;
  uint32_t loopback = LOOPBACK;
  size_t at;

  route.rtm_family = is_four ? AF_INET : AF_INET6;
  route.rtm_dst_len = (unsigned char)(is_four ? bits - 96 : bits);
  route.rtm_table = RT_TABLE_LOCAL;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = is_four ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_LOCAL;
  at = begin(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route,
             sizeof route);
  if (route.rtm_dst_len > 0)
    attribute(batch, RTA_DST, is_four ? address + 12 : address,
              is_four ? 4 : 16);
  attribute(batch, RTA_OIF, &loopback, sizeof loopback);
  end(batch, at);
}

/* One acknowledgement for each message; 0, or the first errno. A kernel without
** IPv6 refuses its ranges, and nothing is lost by that.
*/
static int acknowledged(int fd, uint32_t count)
{
  unsigned char bytes[4096];
  int number = 0;

  while (count > 0) {
    ssize_t length = recv(fd, bytes, sizeof bytes, 0);
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)bytes;

    if (length < 0)
      return errno;
    for (; NLMSG_OK(header, (uint32_t)length);
         header = NLMSG_NEXT(header, length)) {
      struct nlmsgerr *answer = NLMSG_DATA(header);

      if (header->nlmsg_type != NLMSG_ERROR)
        continue;
      count--;
      if (answer->error != 0 && number == 0 && answer->error != -EEXIST &&
          answer->error != -EAFNOSUPPORT && answer->error != -EOPNOTSUPP)
        number = -answer->error;
    }
  }
  return number;
}

static int make_addresses(const struct gateway *gateway)
{
  static const unsigned char own[4] = {198, 18, 0, 1};
  static const unsigned char everything[16];
  static struct batch batch;
  unsigned char synthetic[16] = {0, 0, 0,    0,    0,   0,  0, 0,
                                 0, 0, 0xff, 0xff, 198, 18, 0, 0};
  unsigned char four[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  uint32_t i;
  int fd, number = ENOBUFS;

  add_link(&batch);
  /* Without an address beside 127.0.0.1 glibc asks for no IPv4 address at all
  ** where AI_ADDRCONFIG is given. */
  add_address(&batch, own);
  add_range(&batch, synthetic, 96 + 15);
  for (i = 0; i < gateway->range_count; i++)
    add_range(&batch, gateway->ranges[i].address, gateway->ranges[i].bits);
  if (gateway->network == CELL_NETWORK_OPEN) {
    add_range(&batch, four, 96);
    add_range(&batch, everything, 0);
  }
  fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0)
    return -1;
  if (!batch.failed)
    number = send(fd, batch.bytes, batch.used, 0) < 0
               ? errno
               : acknowledged(fd, batch.count);
  close(fd);
  errno = number;
  return number == 0 ? 0 : -1;
}

/* ---- sockets ---- */

/* Of both families, or of IPv4 where the kernel has nothing else. */
static int bound(int type, int loopback, uint16_t port)
{
  struct sockaddr_in6 six;
  struct sockaddr_in four;
  int off = 0, on = 1;
  int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), result;

  memset(&six, 0, sizeof six);
  memset(&four, 0, sizeof four);
  six.sin6_family = AF_INET6;
  four.sin_family = AF_INET;
  six.sin6_port = four.sin_port = htons(port);
  if (loopback) {
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(six.sin6_addr.s6_addr, mapped, sizeof mapped);
    memcpy(six.sin6_addr.s6_addr + 12, &four.sin_addr, 4);
  }
  if (fd >= 0) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (type == SOCK_DGRAM) {
      setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
      setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
    }
    result = bind(fd, (struct sockaddr *)&six, sizeof six);
  } else {
    fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
      return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    result = bind(fd, (struct sockaddr *)&four, sizeof four);
  }
  if (result == 0 && (type == SOCK_DGRAM || listen(fd, BACKLOG) == 0))
    return fd;
  close(fd);
  return -1;
}

static int pass(int channel, uint32_t kind, int loopback, uint16_t port)
{
  unsigned char bytes[8];
  struct cell_packer packer;
  int fd =
    bound(kind == CELL_SOCKET_NAMES ? SOCK_DGRAM : SOCK_STREAM, loopback, port);
  int result;

  if (fd < 0)
    return -1;
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, kind);
  cell_pack_u32(&packer, port);
  result = wire_send(channel, CELL_SOCKET, 0, &packer, fd);
  close(fd);
  return result;
}

int gateway_open(const struct gateway *gateway, int channel,
                 struct failure *failure)
{
  int loopback = gateway->network != CELL_NETWORK_OPEN;
  uint32_t i;

  if (gateway->network == CELL_NETWORK_NONE)
    return 0;
  /* Those made ahead belong to the stem's user namespace, where we have no
  ** rights. */
  if (unshare(CLONE_NEWNET) < 0 || make_addresses(gateway) < 0 ||
      pass(channel, CELL_SOCKET_NAMES, loopback, 53) < 0 ||
      pass(channel, CELL_SOCKET_NAMES_STREAM, loopback, 53) < 0 ||
      pass(channel, CELL_SOCKET_PROXY, 1, CELL_PROXY_PORT) < 0)
    return fail(failure, "network");
  for (i = 0; i < gateway->port_count; i++)
    if (pass(channel, CELL_SOCKET_PORT, 0, gateway->ports[i]) < 0)
      return fail(failure, "network");
  return 0;
}

void gateway_listen(struct warden *warden)
{
  uint64_t request = warden->message.frame.request;
  struct cell_unpacker unpacker;
  struct cell_packer packer;
  unsigned char bytes[4];
  uint32_t port;
  int fd = -1, number = EINVAL;

  cell_unpack_start(&unpacker, warden->message.frame.payload,
                    warden->message.frame.length);
  port = cell_unpack_u32(&unpacker);
  if (cell_unpack_done(&unpacker) &&
      (port == 0 || (port >= 1024 && port <= 65535 &&
                     warden->gateway.network != CELL_NETWORK_NONE))) {
    fd = bound(SOCK_STREAM, port == 0, (uint16_t)port);
    number = fd < 0 ? errno : 0;
  }
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, (uint32_t)number);
  wire_send(warden->channel, CELL_DONE, request, &packer, fd);
  if (fd >= 0)
    close(fd);
}
