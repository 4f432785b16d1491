/* door.c -- the sockets that the warden has passed out (see egress_private.h).
**
** Who knocks is let in as long as there is room; the others wait in the
** kernel's queue.
*/
#include "egress_private.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define ACCEPTS 16  /* at one door in one turn of the reactor */
#define REST_MS 100 /* when nobody can be accepted */
#define RESERVE 128

static int is_full(const struct cell_egress *egress,
                   const struct cell_door *door)
{
  if (door->kind == CELL_SOCKET_NAMES)
    return 0;
  return egress->rest.place != 0 ||
         (door->kind == CELL_SOCKET_NAMES_STREAM
            ? egress->caller_count >= CELL_EGRESS_CALLERS_MAX
            : egress->traffic.open >= egress->limits.connections);
}

void cell_egress_look(struct cell_egress *egress)
{
  size_t i;

  for (i = 0; i < egress->door_count; i++) {
    struct cell_door *door = &egress->doors[i];

    if (is_full(egress, door) == door->is_closed)
      continue;
    door->is_closed = !door->is_closed;
    cell_source_want(egress->reactor, &door->source,
                     door->is_closed ? 0 : EPOLLIN);
  }
}

/* The lowest descriptor that is free, if it is one for visitors: the last
** quarter of what the host may have, or RESERVE of them, is for other things.
** -1: there is none.
*/
static int take_place(const struct cell_door *door)
{
  struct rlimit limit;
  rlim_t most;
  int fd = fcntl(door->fd, F_DUPFD_CLOEXEC, 3);

  if (fd < 0)
    return -1;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    most = limit.rlim_cur;
    most -= most / 4 < RESERVE ? most / 4 : RESERVE;
    if ((rlim_t)fd < most)
      return fd;
  }
  cell_fd_close(&fd);
  return -1;
}

/* A visitor needs two, the other one for its way out, which is opened when it
** is known where that leads; its place is kept until then. 0: no room.
*/
static int take_places(const struct cell_door *door, int *place)
{
  int fd;

  *place = take_place(door);
  if (*place < 0)
    return 0;
  fd = take_place(door);
  if (fd < 0)
    cell_fd_close(place);
  cell_fd_close(&fd); /* the visitor is given this number */
  return *place >= 0;
}

static void rested(struct cell_timer *timer)
{
  cell_egress_look(CELL_CONTAINER(timer, struct cell_egress, rest));
}

/* The host has no descriptor to spare: a door that stays open would have it
** turn in circles.
*/
static void rest(struct cell_egress *egress)
{
  egress->rest.due = rested;
  cell_timer_arm(egress->reactor, &egress->rest,
                 cell_clock_after(cell_reactor_clock(egress->reactor), REST_MS),
                 NULL);
  cell_egress_look(egress);
}

/* One visitor. 0: there is none, or no room. */
static int let_in(struct cell_door *door)
{
  struct cell_egress *egress = door->egress;
  int fd, place;

  if (!take_places(door, &place)) {
    rest(egress);
    return 0;
  }
  fd = cell_fd_above_stdio(
    accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd < 0) {
    cell_fd_close(&place);
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
      rest(egress);
    return 0;
  }
  if (door->kind == CELL_SOCKET_NAMES_STREAM) {
    cell_fd_close(&place); /* questions go out by the resolver's sockets */
    cell_caller_begin(egress, fd);
  } else {
    cell_visit_begin(egress, door->kind, fd, place);
  }
  cell_egress_look(egress);
  return 1;
}

static void knocked(struct cell_source *source, uint32_t events)
{
  struct cell_door *door = CELL_CONTAINER(source, struct cell_door, source);
  int i = 0;

  (void)events;
  if (door->kind == CELL_SOCKET_NAMES) {
    cell_asked_receive(door);
    return;
  }
  while (i < ACCEPTS && !door->is_closed && let_in(door))
    i++;
}

void cell_door_open(struct cell_egress *egress, enum cell_socket_kind kind,
                    uint16_t port, int *fd)
{
  struct cell_door *door = &egress->doors[egress->door_count];

  if (egress->door_count == CELL_DOORS_MAX)
    return;
  door->egress = egress;
  door->fd = cell_fd_take(fd);
  door->kind = kind;
  door->port = port;
  door->source = (struct cell_source){door->fd, EPOLLIN, knocked, 0};
  if (cell_source_add(egress->reactor, &door->source, NULL) < 0)
    cell_fd_close(&door->fd);
  else
    egress->door_count++;
}

void cell_doors_close(struct cell_egress *egress)
{
  size_t i;

  for (i = 0; i < egress->door_count; i++) {
    cell_source_remove(egress->reactor, &egress->doors[i].source);
    cell_fd_close(&egress->doors[i].fd);
  }
  egress->door_count = 0;
  cell_timer_disarm(egress->reactor, &egress->rest);
  while (egress->openings != NULL) {
    struct cell_opening *opening = egress->openings;

    egress->openings = opening->next;
    cell_sandbox_forget(egress->sandbox, opening->request);
    free(opening);
  }
}

/* ---- doors of a sandbox that lives ---- */

static void opening_end(struct cell_egress *egress,
                        struct cell_opening *opening)
{
  struct cell_opening **at = &egress->openings;

  while (*at != opening)
    at = &(*at)->next;
  *at = opening->next;
  free(opening);
}

static void made(struct cell_listener *listener, uint32_t type,
                 struct cell_unpacker *payload, int *fd)
{
  struct cell_opening *opening =
    CELL_CONTAINER(listener, struct cell_opening, made);
  struct cell_egress *egress = opening->egress;

  (void)type;
  (void)payload;
  if (*fd >= 0 && cell_fd_nonblocking(*fd) == 0 &&
      egress->gateway.port_count < CELL_GATEWAY_PORTS_MAX) {
    egress->gateway.ports[egress->gateway.port_count++] = opening->port;
    cell_door_open(egress, CELL_SOCKET_PORT, opening->port, fd);
  } else {
    egress->failed_port = opening->port;
  }
  opening_end(egress, opening);
  cell_token_post(egress->reactor, cell_sandbox_token(egress->sandbox));
}

/* The egress ends all of them when the sandbox does. */
static void sandbox_ended_first(struct cell_listener *listener)
{
  (void)listener;
}

static int has_port(const struct cell_egress *egress, uint16_t port)
{
  size_t i;

  for (i = 0; i < egress->gateway.port_count; i++)
    if (egress->gateway.ports[i] == port)
      return 1;
  return 0;
}

static int open_later(struct cell_egress *egress, uint16_t port,
                      struct cell_error *error)
{
  struct cell_opening *opening;
  unsigned char bytes[4];
  struct cell_packer packer;

  for (opening = egress->openings; opening != NULL; opening = opening->next)
    if (opening->port == port)
      return 0;
  opening = calloc(1, sizeof *opening);
  if (opening == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "open a port");
  opening->egress = egress;
  opening->port = port;
  opening->made.heard = made;
  opening->made.ended = sandbox_ended_first;
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, port);
  opening->request = cell_sandbox_ask_socket(egress->sandbox, CELL_LISTEN,
                                             &opening->made, &packer, error);
  opening->next = egress->openings;
  egress->openings = opening;
  if (opening->request != 0)
    return 0;
  opening_end(egress, opening);
  return -1;
}

int cell_doors_open(struct cell_egress *egress,
                    const struct cell_gateway *wanted, struct cell_error *error)
{
  size_t i, missing = 0;

  for (i = 0; i < wanted->port_count; i++) {
    uint16_t port = wanted->ports[i];

    if (has_port(egress, port))
      continue;
    missing++;
    if (port < 1024)
      return cell_fail(error, CELL_UNSUPPORTED, 0,
                       "port %u cannot be opened in a sandbox that lives: name "
                       "it in `network` at create",
                       port);
    if (port == egress->failed_port) {
      egress->failed_port = 0;
      return cell_fail(error, CELL_UNSUPPORTED, 0,
                       "port %u cannot be opened: code in the sandbox uses it; "
                       "name it in `network` at create",
                       port);
    }
  }
  if (egress->gateway.port_count + missing > CELL_GATEWAY_PORTS_MAX)
    return cell_fail(error, CELL_UNSUPPORTED, 0,
                     "a sandbox has at most %d ports beside 80 and 443 in its "
                     "life: create another one",
                     CELL_GATEWAY_PORTS_MAX - 2);
  for (i = 0; missing > 0 && i < wanted->port_count; i++)
    if (!has_port(egress, wanted->ports[i]) &&
        open_later(egress, wanted->ports[i], error) < 0)
      return -1;
  return missing == 0;
}
