/* inspect.c -- the first bytes of a connection must be for the name that it was
** decided by (see visit.h).
**
** They are looked at before the server sees any. What cannot be understood is
** refused on the ports of HTTP and TLS, and passes on others, where a policy
** has named the port. A request of HTTP is the only one of its connection.
*/
#include "visit.h"

#include "../container.h"
#include "head.h"
#include "hello.h"
#include "request.h"

#include <stdio.h>
#include <string.h>

#define HANDSHAKE 0x16

int cell_visit_speaks_first(const struct cell_visit *visit)
{
  return visit->target.port == 80 || visit->target.port == 443;
}

static enum cell_bridge_gate
refuse(struct cell_visit *visit, enum cell_refusal_why why, const char *detail)
{
  unsigned char *early = visit->bridge.sides[0].kept;

  /* What has come is kept: it says how to answer. */
  visit->early = early;
  visit->early_size = visit->bridge.sides[0].kept_size;
  visit->bridge.sides[0].kept = NULL;
  visit->fd = cell_bridge_take(&visit->bridge, 0);
  cell_egress_refuse(visit->egress, &visit->target, why, detail);
  cell_visit_refuse(visit, why, detail);
  return CELL_GATE_CLOSED;
}

static enum cell_bridge_gate foreign(struct cell_visit *visit, const char *name)
{
  return refuse(visit, CELL_REFUSED_SERVER_NAME, name);
}

static enum cell_bridge_gate open_gate(struct cell_visit *visit)
{
  cell_timer_disarm(visit->egress->reactor, &visit->timer);
  return CELL_GATE_OPEN;
}

/* A connection to an address may be for any name but a denied one. */
static enum cell_bridge_gate compare(struct cell_visit *visit,
                                     struct cell_target *said)
{
  said->port = visit->target.port;
  if (visit->target.name[0] != '\0')
    return strcmp(said->name, visit->target.name) == 0
             ? open_gate(visit)
             : foreign(visit,
                       said->name[0] != '\0' ? said->name : "an address");
  if (said->name[0] != '\0' &&
      cell_policy_decide(visit->egress->policy, said) == CELL_DENIED)
    return foreign(visit, said->name);
  return open_gate(visit);
}

static enum cell_bridge_gate
look_at_tls(struct cell_visit *visit, const unsigned char *bytes, size_t size)
{
  struct cell_target said = {0};

  switch (cell_hello_read(bytes, size, said.name)) {
  case CELL_HELLO_MORE:
    return CELL_GATE_WAIT;
  case CELL_HELLO_NAMED:
    return compare(visit, &said);
  case CELL_HELLO_NAMELESS:
    if (visit->target.port == 443 && visit->target.name[0] != '\0')
      return refuse(visit, CELL_REFUSED_PROTOCOL, "TLS without a server name");
    return open_gate(visit);
  default:
    return refuse(visit, CELL_REFUSED_PROTOCOL, "not a TLS client's hello");
  }
}

/* How the answer begins to a wish to go on with a web socket. */
static void heard(struct cell_bridge *bridge, const unsigned char *bytes,
                  size_t size)
{
  struct cell_visit *visit = CELL_CONTAINER(bridge, struct cell_visit, bridge);
  size_t room = sizeof visit->answer - visit->answer_size;

  if (size > room)
    size = room;
  memcpy(visit->answer + visit->answer_size, bytes, size);
  visit->answer_size += size;
}

/* The gate after such a wish: what follows is no request, if it was granted. */
static enum cell_bridge_gate upgraded(struct cell_bridge *bridge,
                                      const unsigned char *bytes, size_t size,
                                      int ended)
{
  struct cell_visit *visit = CELL_CONTAINER(bridge, struct cell_visit, bridge);

  (void)bytes;
  if (visit->answer_size == sizeof visit->answer &&
      memcmp(visit->answer, "HTTP/1.", 7) == 0 &&
      memcmp(visit->answer + 8, " 101", 4) == 0)
    return CELL_GATE_OPEN;
  if (size == 0)
    return ended ? CELL_GATE_OPEN : CELL_GATE_WAIT;
  return refuse(visit, CELL_REFUSED_PROTOCOL, "a second request");
}

static enum cell_bridge_gate let_alone(struct cell_visit *visit,
                                       const struct cell_head *head,
                                       const unsigned char *bytes, size_t size)
{
  unsigned char *text;
  size_t text_size;

  if (head->upgrades && size > head->length)
    return refuse(visit, CELL_REFUSED_PROTOCOL, "a second request");
  if (cell_request_write(head, bytes, size, NULL, 0, &text, &text_size) < 0)
    return refuse(visit, CELL_REFUSED_PROTOCOL, "too much at once");
  cell_bridge_replace(&visit->bridge, 0, text, text_size);
  if (!head->upgrades)
    return CELL_GATE_OPEN;
  visit->bridge.heard = heard;
  visit->bridge.gate = upgraded;
  return CELL_GATE_PASS;
}

static enum cell_bridge_gate
look_at_http(struct cell_visit *visit, const unsigned char *bytes, size_t size)
{
  enum cell_bridge_gate gate;
  struct cell_target said;
  struct cell_head head;
  int read = cell_head_read(&head, bytes, size);

  if (read == 0)
    return CELL_GATE_WAIT;
  if (read < 0)
    return refuse(visit, CELL_REFUSED_PROTOCOL, "malformed HTTP");
  if (head.host == NULL ||
      cell_target_read(&said, head.host, head.host_length, 80) < 0)
    return refuse(visit, CELL_REFUSED_PROTOCOL, "HTTP without a valid Host");
  if (head.target[0] != '/' &&
      !cell_head_is(head.target, head.target_length, "*"))
    return refuse(visit, CELL_REFUSED_PROTOCOL, "HTTP as to a proxy");
  gate = compare(visit, &said);
  return gate == CELL_GATE_OPEN ? let_alone(visit, &head, bytes, size) : gate;
}

/* Whether this may still become, or is, a request of HTTP/1 or 2. Other
** protocols begin with the words of some of its methods, and end their first
** line in another way; and the first line says it, whatever the method.
*/
static int is_http(const unsigned char *bytes, size_t size, int *unsure)
{
  static const char *const words[] = {
    "GET ",      "HEAD ",      "POST ",  "PUT ",    "PATCH ",   "DELETE ",
    "OPTIONS ",  "TRACE ",     "COPY ",  "MOVE ",   "LOCK ",    "UNLOCK ",
    "PROPFIND ", "PROPPATCH ", "MKCOL ", "REPORT ", "CONNECT ", "PRI * HTTP/2"};
  const unsigned char *end = memchr(bytes, '\n', size);
  size_t i, length;

  *unsure = 0;
  if (end != NULL)
    return memmem(bytes, (size_t)(end - bytes), " HTTP/", 6) != NULL;
  for (i = 0; i < sizeof words / sizeof words[0]; i++) {
    length = strlen(words[i]);
    *unsure |= size < CELL_HEAD_MAX &&
               memcmp(bytes, words[i], size < length ? size : length) == 0;
  }
  return 0;
}

static enum cell_bridge_gate look(struct cell_visit *visit,
                                  const unsigned char *bytes, size_t size)
{
  int strict = cell_visit_speaks_first(visit), unsure = 0;

  if (bytes[0] == HANDSHAKE && (strict || size < 2 || bytes[1] == 3))
    return look_at_tls(visit, bytes, size);
  if (visit->target.port == 80 || (!strict && is_http(bytes, size, &unsure)))
    return look_at_http(visit, bytes, size);
  if (strict)
    return refuse(visit, CELL_REFUSED_PROTOCOL, "not TLS, on its port");
  return unsure ? CELL_GATE_WAIT : open_gate(visit);
}

enum cell_bridge_gate cell_visit_inspect(struct cell_bridge *bridge,
                                         const unsigned char *bytes,
                                         size_t size, int ended)
{
  struct cell_visit *visit = CELL_CONTAINER(bridge, struct cell_visit, bridge);
  enum cell_bridge_gate gate;

  if (size == 0) /* an end alone may pass */
    return ended ? open_gate(visit) : CELL_GATE_WAIT;
  gate = look(visit, bytes, size);
  if (gate == CELL_GATE_WAIT && ended)
    return refuse(visit, CELL_REFUSED_PROTOCOL, "it ended too early");
  return gate;
}
