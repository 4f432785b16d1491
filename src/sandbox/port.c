/* port.c -- see port.h. */
#include "port.h"

#include "../container.h"
#include "../descriptor.h"
#include "../egress/bridge.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define BACKLOG 1024
#define DIALS_MAX 32 /* half of what a warden does at a time */
#define REST_MS 100
#define ACCEPTS 16 /* in one turn of the reactor */

struct visitor {
  struct visitor *next;
  struct cell_port *port;
  struct cell_listener dialled;
  uint64_t request; /* of the DIAL; 0: answered */
  int fd;           /* outside, until the bridge has it */
  struct cell_bridge bridge;
};

struct cell_port {
  struct cell_companion companion;
  struct cell_sandbox *sandbox; /* borrowed: it ends its companions */
  struct cell_source source;
  struct cell_timer rest; /* armed: nobody can be accepted until then */
  int listener;
  uint16_t inside, outside;
  struct visitor *visitors;
  unsigned count, dials;
};

static void look(struct cell_port *port)
{
  int room = port->count < CELL_VISITORS_MAX && port->dials < DIALS_MAX &&
             port->rest.place == 0;

  cell_source_want(cell_sandbox_reactor(port->sandbox), &port->source,
                   room ? EPOLLIN : 0);
}

/* It is in the list no more. */
static void visitor_end(struct visitor *visitor)
{
  struct cell_port *port = visitor->port;

  port->count--;
  if (visitor->request != 0) {
    port->dials--;
    cell_sandbox_forget(port->sandbox, visitor->request);
  }
  cell_bridge_close(&visitor->bridge);
  cell_fd_close(&visitor->fd);
  free(visitor);
}

static void visitor_free(struct visitor *visitor)
{
  struct visitor **at = &visitor->port->visitors;

  while (*at != visitor)
    at = &(*at)->next;
  *at = visitor->next;
  visitor_end(visitor);
}

static void visit_done(struct cell_bridge *bridge)
{
  struct visitor *visitor = CELL_CONTAINER(bridge, struct visitor, bridge);
  struct cell_port *port = visitor->port;

  visitor_free(visitor);
  look(port);
}

/* Nobody listens inside, or nothing can be had: what the visitor sees is a
** connection that was reset.
*/
static void turn_away(struct visitor *visitor)
{
  struct cell_port *port = visitor->port;

  cell_socket_reset(visitor->fd);
  visitor_free(visitor);
  look(port);
}

static void dialled(struct cell_listener *listener, uint32_t type,
                    struct cell_unpacker *payload, int *fd)
{
  struct visitor *visitor = CELL_CONTAINER(listener, struct visitor, dialled);
  struct cell_port *port = visitor->port;
  int fds[2];

  (void)type;
  (void)payload;
  visitor->request = 0;
  port->dials--;
  if (*fd < 0 || cell_fd_nonblocking(*fd) < 0) {
    turn_away(visitor);
    return;
  }
  fds[0] = cell_fd_take(&visitor->fd);
  fds[1] = cell_fd_take(fd);
  if (cell_bridge_open(&visitor->bridge, cell_sandbox_reactor(port->sandbox),
                       fds, NULL) < 0)
    visitor_free(visitor);
  look(port);
}

/* The companion ends all visitors when the sandbox does. */
static void dial_ended(struct cell_listener *listener)
{
  (void)listener;
}

static void welcome(struct cell_port *port, int fd)
{
  struct visitor *visitor = calloc(1, sizeof *visitor);
  unsigned char bytes[4];
  struct cell_packer packer;

  if (visitor == NULL) {
    cell_fd_close(&fd);
    return;
  }
  visitor->port = port;
  visitor->fd = fd;
  visitor->dialled.heard = dialled;
  visitor->dialled.ended = dial_ended;
  visitor->bridge.done = visit_done;
  visitor->next = port->visitors;
  port->visitors = visitor;
  port->count++;
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, port->inside);
  visitor->request = cell_sandbox_ask_socket(port->sandbox, CELL_DIAL,
                                             &visitor->dialled, &packer, NULL);
  if (visitor->request == 0)
    turn_away(visitor);
  else
    port->dials++;
}

static void rested(struct cell_timer *timer)
{
  look(CELL_CONTAINER(timer, struct cell_port, rest));
}

/* The host has no descriptor left: a listener that is watched would have it
** turn in circles.
*/
static void rest(struct cell_port *port)
{
  struct cell_reactor *reactor = cell_sandbox_reactor(port->sandbox);

  cell_timer_arm(reactor, &port->rest,
                 cell_clock_after(cell_reactor_clock(reactor), REST_MS), NULL);
  look(port);
}

static void knocked(struct cell_source *source, uint32_t events)
{
  struct cell_port *port = CELL_CONTAINER(source, struct cell_port, source);
  int i;

  (void)events;
  for (i = 0; i < ACCEPTS && port->source.events != 0; i++) {
    int fd = cell_fd_above_stdio(
      accept4(port->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));

    if (fd < 0) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        rest(port);
      break;
    }
    welcome(port, fd);
    look(port);
  }
}

static void port_ended(struct cell_companion *companion)
{
  struct cell_port *port =
    CELL_CONTAINER(companion, struct cell_port, companion);

  cell_source_remove(cell_sandbox_reactor(port->sandbox), &port->source);
  cell_timer_disarm(cell_sandbox_reactor(port->sandbox), &port->rest);
  cell_fd_close(&port->listener);
  while (port->visitors != NULL) {
    struct visitor *visitor = port->visitors;

    port->visitors = visitor->next;
    visitor_end(visitor);
  }
  free(port);
}

static int listen_outside(struct cell_port *port, struct cell_error *error)
{
  struct sockaddr_in address;
  socklen_t size = sizeof address;

  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  port->listener = cell_fd_above_stdio(
    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (port->listener < 0 ||
      bind(port->listener, (struct sockaddr *)&address, size) < 0 ||
      listen(port->listener, BACKLOG) < 0 ||
      getsockname(port->listener, (struct sockaddr *)&address, &size) < 0)
    return cell_fail(error, CELL_SYSTEM, errno, "listen on 127.0.0.1");
  port->outside = ntohs(address.sin_port);
  port->source = (struct cell_source){port->listener, EPOLLIN, knocked, 0};
  return cell_source_add(cell_sandbox_reactor(port->sandbox), &port->source,
                         error);
}

uint16_t cell_port_open(struct cell_sandbox *sandbox, uint16_t inside,
                        struct cell_error *error)
{
  struct cell_companion *companion = cell_sandbox_companions(sandbox);
  struct cell_port *port;
  unsigned count = 0;

  for (; companion != NULL; companion = companion->next) {
    if (companion->ended != port_ended)
      continue;
    port = CELL_CONTAINER(companion, struct cell_port, companion);
    if (port->inside == inside)
      return port->outside;
    count++;
  }
  if (count >= CELL_PORTS_MAX) {
    cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
              "a sandbox shows at most %d ports to its host", CELL_PORTS_MAX);
    return 0;
  }
  port = calloc(1, sizeof *port);
  if (port == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "show a port");
    return 0;
  }
  port->sandbox = sandbox;
  port->inside = inside;
  port->companion.ended = port_ended;
  port->rest.due = rested;
  if (listen_outside(port, error) < 0 ||
      cell_sandbox_accompany(sandbox, &port->companion, error) < 0) {
    port_ended(&port->companion);
    return 0;
  }
  return port->outside;
}
