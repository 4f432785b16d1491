/* asked.c -- questions for names that the code of a sandbox asks (see
** egress_private.h).
**
** A name is decided before anything is resolved: no question for one that is
** not allowed leaves the host. One that is allowed is resolved first, so that a
** client hears of a name that does not exist in the way it knows.
*/
#include "egress_private.h"

#include "../container.h"
#include "query.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ASKED_MAX 64 /* that wait for a name server */
#define TURN 32      /* datagrams in one turn of the reactor */

/* Where a question came from: a caller, or for a datagram its sender and the
** address that it was sent to.
*/
struct way {
  struct cell_caller *caller;
  int fd; /* borrowed: the door's */
  struct sockaddr_storage peer;
  socklen_t size;
  int has_local;
  struct in6_pktinfo local;
};

struct cell_asked {
  struct cell_asked *next;
  struct cell_egress *egress;
  struct cell_lookup lookup;
  struct cell_resident *resident;
  struct way way;
  struct cell_query query;
  size_t size;
  unsigned char bytes[CELL_QUERY_MAX];
};

union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static ssize_t receive(int fd, unsigned char *bytes, size_t size,
                       struct way *way)
{
  union control control;
  struct iovec vector = {bytes, size};
  struct msghdr header;
  struct cmsghdr *part;
  ssize_t length;

  memset(&header, 0, sizeof header);
  memset(way, 0, sizeof *way);
  header.msg_name = &way->peer;
  header.msg_namelen = sizeof way->peer;
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;
  length = recvmsg(fd, &header, MSG_DONTWAIT | MSG_TRUNC);
  way->fd = fd;
  way->size = header.msg_namelen;
  if (length < 0)
    return -1;
  for (part = CMSG_FIRSTHDR(&header); part != NULL;
       part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != IPPROTO_IPV6 || part->cmsg_type != IPV6_PKTINFO)
      continue;
    memcpy(&way->local, CMSG_DATA(part), sizeof way->local);
    way->local.ipi6_ifindex = 0;
    way->has_local = 1;
  }
  return length;
}

/* From the address that was asked: a client takes no other answer. */
static void send_back(int fd, struct way *way, const unsigned char *bytes,
                      size_t size)
{
  union control control;
  struct iovec vector = {(void *)bytes, size};
  struct msghdr header;

  memset(&header, 0, sizeof header);
  memset(&control, 0, sizeof control);
  header.msg_name = &way->peer;
  header.msg_namelen = way->size;
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (way->has_local) {
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    control.header.cmsg_level = IPPROTO_IPV6;
    control.header.cmsg_type = IPV6_PKTINFO;
    control.header.cmsg_len = CMSG_LEN(sizeof way->local);
    memcpy(CMSG_DATA(&control.header), &way->local, sizeof way->local);
  }
  sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void reply(struct way *way, const unsigned char *bytes,
                  const struct cell_query *query, int code,
                  const unsigned char *address)
{
  unsigned char answer[CELL_QUERY_REPLY];
  size_t size = cell_query_reply(answer, bytes, query, code, address);

  if (way->caller != NULL)
    cell_caller_answer(way->caller, answer, size);
  else
    send_back(way->fd, way, answer, size);
}

/* Most clients ask for addresses of both families: that is one refusal. */
static int is_told(struct cell_egress *egress, const struct cell_query *query)
{
  int told = !query->wants_address && strcmp(egress->told, query->name) == 0;

  memcpy(egress->told, query->name, sizeof egress->told);
  return told;
}

/* Whether a name leads anywhere that the policy lets it lead to. */
static int answer_code(struct cell_egress *egress,
                       const struct cell_query *query,
                       const struct cell_resolver_answer *answer)
{
  struct cell_target target = {0};
  char detail[CELL_REFUSAL_DETAIL], text[CELL_ADDRESS_TEXT];
  const char *why = NULL;
  size_t i;

  if (answer->status == CELL_NO_SUCH_NAME)
    return CELL_QUERY_NO_NAME;
  if (answer->status != CELL_RESOLVED || answer->count == 0)
    return CELL_QUERY_FAILED;
  for (i = 0; i < answer->count; i++) {
    why = cell_policy_refuses(egress->policy, &answer->addresses[i], 0);
    if (why == NULL)
      return CELL_QUERY_FINE;
  }
  if (is_told(egress, query))
    return CELL_QUERY_NO_NAME;
  memcpy(target.name, query->name, sizeof target.name);
  cell_address_text(&answer->addresses[0], text);
  snprintf(detail, sizeof detail, "%s, %s", text, why);
  cell_egress_refuse(egress, &target, CELL_REFUSED_ADDRESS, detail);
  return CELL_QUERY_NO_NAME;
}

static void finish(struct cell_egress *egress, struct way *way,
                   const unsigned char *bytes, const struct cell_query *query,
                   struct cell_resident *resident,
                   const struct cell_resolver_answer *answer)
{
  struct cell_address address;
  int code = answer_code(egress, query, answer);

  cell_resident_address(resident, &address);
  reply(way, bytes, query, code,
        code == CELL_QUERY_FINE && query->wants_address ? address.bytes + 12
                                                        : NULL);
}

/* It is in the list no more. */
static void asked_end(struct cell_asked *asked)
{
  asked->egress->asked_count--;
  cell_lookup_cancel(&asked->lookup);
  free(asked);
}

static void asked_free(struct cell_asked *asked)
{
  struct cell_asked **at = &asked->egress->asked;

  while (*at != asked)
    at = &(*at)->next;
  *at = asked->next;
  asked_end(asked);
}

static void found(struct cell_lookup *lookup,
                  const struct cell_resolver_answer *answer)
{
  struct cell_asked *asked = CELL_CONTAINER(lookup, struct cell_asked, lookup);

  finish(asked->egress, &asked->way, asked->bytes, &asked->query,
         asked->resident, answer);
  asked_free(asked);
}

void cell_asked_clear(struct cell_egress *egress)
{
  while (egress->asked != NULL) {
    struct cell_asked *asked = egress->asked;

    egress->asked = asked->next;
    asked_end(asked);
  }
}

static void resolve(struct cell_egress *egress, struct way *way,
                    const unsigned char *bytes, size_t size,
                    const struct cell_query *query)
{
  struct cell_resident *resident =
    cell_directory_enter(egress->directory, query->name);
  struct cell_asked *asked = NULL;
  const struct cell_resolver_answer *answer;

  if (resident != NULL && egress->asked_count < ASKED_MAX)
    asked = calloc(1, sizeof *asked);
  if (asked == NULL) {
    reply(way, bytes, query, CELL_QUERY_FAILED, NULL);
    return;
  }
  asked->egress = egress;
  asked->resident = resident;
  asked->way = *way;
  asked->query = *query;
  asked->size = size;
  memcpy(asked->bytes, bytes, size);
  asked->lookup.found = found;
  asked->next = egress->asked;
  egress->asked = asked;
  egress->asked_count++;
  answer = cell_directory_resolve(egress->directory, resident, &asked->lookup);
  if (answer != NULL)
    found(&asked->lookup, answer);
}

static int allows(struct cell_egress *egress, const struct cell_target *target,
                  const struct cell_query *query)
{
  enum cell_decision decision = cell_policy_decide(egress->policy, target);
  enum cell_refusal_why why;

  if (decision == CELL_ALLOWED || decision == CELL_NAMED)
    return 1;
  if (!is_told(egress, query))
    cell_egress_allows(egress, target, &why);
  return 0;
}

/* 0, or -1: it deserves none. */
static int answer_one(struct cell_egress *egress, struct way *way,
                      const unsigned char *bytes, size_t size)
{
  static const unsigned char loopback[4] = {127, 0, 0, 1};
  struct cell_target target = {0};
  struct cell_query query;
  int code = cell_query_read(&query, bytes, size);

  if (code < 0)
    return -1;
  memcpy(target.name, query.name, sizeof target.name);
  if (code != CELL_QUERY_FINE)
    reply(way, bytes, &query, code, NULL);
  else if (cell_name_is_local(query.name))
    reply(way, bytes, &query, code, query.wants_address ? loopback : NULL);
  else if (query.name[0] == '\0' || cell_name_is_below(query.name, "arpa") ||
           !allows(egress, &target, &query))
    reply(way, bytes, &query, CELL_QUERY_NO_NAME, NULL);
  else
    resolve(egress, way, bytes, size, &query);
  return 0;
}

void cell_asked_receive(struct cell_door *door)
{
  unsigned char bytes[CELL_QUERY_MAX];
  struct way way;
  int i;

  for (i = 0; i < TURN; i++) {
    ssize_t size = receive(door->fd, bytes, sizeof bytes, &way);

    if (size < 0)
      return;
    if ((size_t)size <= sizeof bytes)
      answer_one(door->egress, &way, bytes, (size_t)size);
  }
}

int cell_asked_by(struct cell_egress *egress, struct cell_caller *caller,
                  const unsigned char *bytes, size_t size)
{
  struct way way = {0};

  way.caller = caller;
  return answer_one(egress, &way, bytes, size);
}

void cell_asked_forget(struct cell_egress *egress,
                       const struct cell_caller *caller)
{
  struct cell_asked *asked = egress->asked;

  while (asked != NULL && asked->way.caller != caller)
    asked = asked->next;
  if (asked != NULL)
    asked_free(asked);
}
