/* farewell.c -- saying to a client, in its own language, that it may not or
** cannot go where it wants (see visit.h).
**
** Said after what it sent is read, and what still comes is read for a while: a
** socket that is closed with bytes unread resets the connection, and the client
** never sees the answer.
*/
#include "visit.h"

#include "../descriptor.h"
#include "head.h"
#include "socks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define FIRST_MS 10000
#define LEAVE_MS 2000
#define READ_MAX 16384u
#define HANDSHAKE 0x16

static int say(struct cell_visit *visit, const void *bytes, size_t size)
{
  return send(visit->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) ==
             (ssize_t)size
           ? 0
           : -1;
}

static void wait_for_client(struct cell_visit *visit)
{
  shutdown(visit->fd, SHUT_WR);
  visit->state = CELL_VISIT_LEAVING;
  cell_visit_wait(visit, EPOLLIN, LEAVE_MS);
}

static void leave(struct cell_visit *visit, const void *bytes, size_t size)
{
  if (say(visit, bytes, size) < 0)
    cell_visit_reset(visit);
  else
    wait_for_client(visit);
}

/* The bridge's socket is the visit's again. */
static int take_back(struct cell_visit *visit)
{
  visit->source.fd = visit->fd;
  visit->source.events = 0;
  return cell_source_add(visit->egress->reactor, &visit->source, NULL);
}

void cell_visit_leave(struct cell_visit *visit)
{
  if (take_back(visit) < 0)
    cell_visit_reset(visit);
  else
    wait_for_client(visit);
}

/* The reason is where most programs show it: in the first line; and where the
** others do.
*/
static void leave_by_http(struct cell_visit *visit, const char *status)
{
  char text[1024];
  int length =
    snprintf(text, sizeof text,
             "HTTP/1.1 %s %s\r\n"
             "Content-Type: text/plain\r\n"
             "Content-Length: %zu\r\n"
             "Connection: close\r\n\r\n%s\n",
             status, visit->reason, strlen(visit->reason) + 1, visit->reason);

  leave(visit, text, (size_t)length);
}

static void leave_by_tls(struct cell_visit *visit)
{
  /* A fatal alert: access denied. */
  static const unsigned char alert[] = {21, 3, 1, 0, 2, 2, 49};

  leave(visit, alert, sizeof alert);
}

static void leave_by_socks(struct cell_visit *visit)
{
  unsigned char reply[10] = {CELL_SOCKS_VERSION, CELL_SOCKS_NOT_ALLOWED, 0, 1};

  if (visit->is_failure)
    reply[1] = CELL_SOCKS_FAILED;
  leave(visit, reply, sizeof reply);
}

/* Its first bytes have come, if it will ever send any. */
static void answer(struct cell_visit *visit)
{
  const unsigned char *bytes = visit->early;
  size_t size = visit->early_size;

  if (size > 0 && bytes[0] == HANDSHAKE && !visit->is_failure)
    leave_by_tls(visit);
  else if (size > 0 && cell_head_begins(bytes, size))
    leave_by_http(visit, visit->is_failure ? "502" : "403");
  else
    cell_visit_reset(visit);
}

static void part(struct cell_visit *visit)
{
  visit->state = CELL_VISIT_REFUSING;
  cell_timer_disarm(visit->egress->reactor, &visit->timer);
  switch (visit->kind) {
  case CELL_VISIT_CONNECT:
  case CELL_VISIT_REQUEST:
    leave_by_http(visit, visit->is_failure ? "502" : "403");
    break;
  case CELL_VISIT_SOCKS:
    leave_by_socks(visit);
    break;
  default:
    if (visit->early_size > 0)
      answer(visit);
    else if (cell_visit_speaks_first(visit))
      cell_visit_wait(visit, EPOLLIN, FIRST_MS);
    else
      cell_visit_reset(visit);
  }
}

static void host_text(const struct cell_target *target, char *text, size_t size)
{
  char address[CELL_ADDRESS_TEXT];

  if (target->name[0] != '\0') {
    snprintf(text, size, "%s:%u", target->name, target->port);
    return;
  }
  cell_address_text(&target->address, address);
  snprintf(text, size, strchr(address, ':') != NULL ? "[%s]:%u" : "%s:%u",
           address, target->port);
}

void cell_visit_refuse(struct cell_visit *visit, enum cell_refusal_why why,
                       const char *detail)
{
  char host[CELL_NAME_SIZE + 8];

  host_text(&visit->target, host, sizeof host);
  switch (why) {
  case CELL_REFUSED_PORT:
    snprintf(visit->reason, sizeof visit->reason,
             "%s refused: this port is not in the allow list", host);
    break;
  case CELL_REFUSED_DENIED:
    snprintf(visit->reason, sizeof visit->reason, "%s refused: denied", host);
    break;
  case CELL_REFUSED_ADDRESS:
    snprintf(visit->reason, sizeof visit->reason, "%s refused: it %s %s", host,
             visit->target.name[0] != '\0' ? "leads to" : "is", detail);
    break;
  case CELL_REFUSED_SERVER_NAME:
    snprintf(visit->reason, sizeof visit->reason,
             "%s refused: the request is for %.90s", host, detail);
    break;
  case CELL_REFUSED_LIMIT:
    snprintf(visit->reason, sizeof visit->reason,
             "%s refused: limits.traffic is used up", host);
    break;
  case CELL_REFUSED_PROTOCOL:
    snprintf(visit->reason, sizeof visit->reason, "%s refused: %s", host,
             detail);
    break;
  default:
    snprintf(visit->reason, sizeof visit->reason,
             "%s refused: not in the allow list", host);
    break;
  }
  visit->is_failure = 0;
  /* A tunnel that was opened already has no answer of HTTP any more. */
  if (visit->bridge.reactor != NULL)
    visit->kind = CELL_VISIT_DIRECT;
  if (visit->bridge.reactor != NULL) {
    if (take_back(visit) < 0) {
      cell_visit_reset(visit);
      return;
    }
  }
  part(visit);
}

void cell_visit_fail(struct cell_visit *visit, const char *what)
{
  char host[CELL_NAME_SIZE + 8];

  host_text(&visit->target, host, sizeof host);
  snprintf(visit->reason, sizeof visit->reason, "%s: %s", host, what);
  visit->is_failure = 1;
  part(visit);
}

void cell_visit_reject(struct cell_visit *visit)
{
  static const char text[] = "not a request that a proxy can serve";

  memcpy(visit->reason, text, sizeof text);
  visit->state = CELL_VISIT_REFUSING;
  leave_by_http(visit, "400");
}

void cell_visit_part(struct cell_visit *visit)
{
  long count;

  if (visit->state == CELL_VISIT_LEAVING) {
    free(visit->early);
    visit->early = NULL;
    visit->early_size = 0;
  }
  count = cell_visit_read(visit, READ_MAX);
  if (count < 0)
    cell_visit_reset(visit);
  else if (count > 0 && visit->state == CELL_VISIT_REFUSING)
    answer(visit);
}
