/* visit.c -- see visit.h. */
#include "visit.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define HEAD_MS 30000    /* for a proxy's client to say what it wants */
#define FIRST_MS 10000   /* for the first bytes, where a client speaks first */
#define CONNECT_MS 30000 /* for the last address */
#define NEXT_MS 1000     /* for one, where there are others */

static void visit_free(struct cell_visit *visit)
{
  struct cell_egress *egress = visit->egress;
  struct cell_visit **at = &egress->visits;

  while (*at != visit)
    at = &(*at)->next;
  *at = visit->next;
  egress->traffic.open--;
  cell_timer_disarm(egress->reactor, &visit->timer);
  cell_lookup_cancel(&visit->lookup);
  cell_source_remove(egress->reactor, &visit->source);
  cell_source_remove(egress->reactor, &visit->server);
  cell_bridge_close(&visit->bridge);
  cell_fd_close(&visit->fd);
  cell_fd_close(&visit->server_fd);
  cell_fd_close(&visit->place_fd);
  free(visit->early);
  free(visit);
  cell_egress_look(egress);
}

void cell_visit_reset(struct cell_visit *visit)
{
  /* A forked copy of the host closes what it has and tells nobody. */
  if (cell_reactor_owned(visit->egress->reactor)) {
    if (visit->fd >= 0)
      cell_socket_reset(visit->fd);
    if (visit->bridge.reactor != NULL && visit->bridge.sides[0].fd >= 0) {
      cell_socket_reset(visit->bridge.sides[0].fd);
      cell_socket_reset(visit->bridge.sides[1].fd);
    }
  }
  visit_free(visit);
}

void cell_visit_end(struct cell_visit *visit)
{
  cell_visit_reset(visit);
}

struct cell_visit *cell_visit_next(struct cell_visit *visit)
{
  return visit->next;
}

int cell_visit_is_handed(const struct cell_visit *visit)
{
  return visit->is_handed;
}

const struct cell_target *cell_visit_target(const struct cell_visit *visit)
{
  return &visit->target;
}

void cell_visit_wait(struct cell_visit *visit, uint32_t events, int64_t ms)
{
  struct cell_reactor *reactor = visit->egress->reactor;

  cell_source_want(reactor, &visit->source, events);
  if (ms < 0)
    cell_timer_disarm(reactor, &visit->timer);
  else
    cell_timer_arm(reactor, &visit->timer,
                   cell_clock_after(cell_reactor_clock(reactor), ms), NULL);
}

long cell_visit_read(struct cell_visit *visit, size_t most)
{
  unsigned char *grown;
  ssize_t count;

  if (visit->early_size >= most)
    return -1;
  grown = realloc(visit->early, most);
  if (grown == NULL)
    return -1;
  visit->early = grown;
  count = recv(visit->fd, grown + visit->early_size, most - visit->early_size,
               MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR))
    return 0;
  if (count <= 0)
    return -1;
  visit->early_size += (size_t)count;
  return (long)count;
}

/* ---- connected ---- */

static int counted(struct cell_bridge *bridge, int side, size_t size)
{
  struct cell_visit *visit = CELL_CONTAINER(bridge, struct cell_visit, bridge);

  if (side == 0)
    visit->egress->traffic.sent += size;
  else
    visit->egress->traffic.received += size;
  return cell_egress_spends(visit->egress, &visit->target);
}

static void done(struct cell_bridge *bridge)
{
  visit_free(CELL_CONTAINER(bridge, struct cell_visit, bridge));
}

static void answered(struct cell_bridge *bridge)
{
  struct cell_visit *visit = CELL_CONTAINER(bridge, struct cell_visit, bridge);

  visit->fd = cell_bridge_take(bridge, 0);
  cell_visit_leave(visit);
}

void cell_visit_open(struct cell_visit *visit)
{
  struct cell_reactor *reactor = visit->egress->reactor;
  int fds[2];
  int given;

  if (cell_visit_greet(visit) < 0) {
    cell_visit_reset(visit);
    return;
  }
  cell_source_remove(reactor, &visit->source);
  cell_source_remove(reactor, &visit->server);
  fds[0] = cell_fd_take(&visit->fd);
  fds[1] = cell_fd_take(&visit->server_fd);
  visit->state = CELL_VISIT_OPEN;
  visit->egress->traffic.connections++;
  visit->bridge.counted = counted;
  visit->bridge.done = done;
  visit->bridge.answered = visit->is_handed ? answered : NULL;
  if (visit->kind != CELL_VISIT_REQUEST) /* those were looked at before */
    visit->bridge.gate = cell_visit_inspect;
  if (cell_bridge_open(&visit->bridge, reactor, fds, NULL) < 0) {
    visit_free(visit);
    return;
  }
  given = cell_bridge_give(&visit->bridge, 0, visit->early, visit->early_size);
  free(visit->early);
  visit->early = NULL;
  visit->early_size = 0;
  if (given < 0) {
    cell_visit_reset(visit);
    return;
  }
  if (visit->bridge.gate != NULL && cell_visit_speaks_first(visit))
    cell_timer_arm(reactor, &visit->timer,
                   cell_clock_after(cell_reactor_clock(reactor), FIRST_MS),
                   NULL);
  else
    cell_timer_disarm(reactor, &visit->timer);
  cell_bridge_turn(&visit->bridge);
}

/* ---- connecting ---- */

static void try_next(struct cell_visit *visit, int number);

static void server_ready(struct cell_source *source, uint32_t events)
{
  struct cell_visit *visit = CELL_CONTAINER(source, struct cell_visit, server);
  socklen_t size = sizeof(int);
  int number = 0;

  (void)events;
  if (getsockopt(visit->server_fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
    number = errno;
  if (number == 0)
    cell_visit_open(visit);
  else
    try_next(visit, number);
}

static int begin_connect(struct cell_visit *visit,
                         const struct cell_address *address)
{
  struct sockaddr_storage there;
  socklen_t size = cell_address_to_socket(address, visit->target.port, &there);
  int on = 1;

  cell_fd_close(&visit->place_fd);
  visit->server_fd = cell_fd_above_stdio(
    socket(there.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (visit->server_fd < 0)
    return errno;
  setsockopt(visit->server_fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (connect(visit->server_fd, (struct sockaddr *)&there, size) < 0 &&
      errno != EINPROGRESS)
    return errno;
  visit->server =
    (struct cell_source){visit->server_fd, EPOLLOUT, server_ready, 0};
  return cell_source_add(visit->egress->reactor, &visit->server, NULL) < 0
           ? ENOMEM
           : 0;
}

/* The next address, `number` being what came of the one before. */
static void try_next(struct cell_visit *visit, int number)
{
  visit->state = CELL_VISIT_CONNECTING;
  do {
    cell_source_remove(visit->egress->reactor, &visit->server);
    cell_fd_close(&visit->server_fd);
    if (visit->address_at == visit->address_count) {
      cell_visit_fail(visit, strerror(number));
      return;
    }
    number = begin_connect(visit, &visit->addresses[visit->address_at++]);
  } while (number != 0);
  cell_visit_wait(
    visit, 0, visit->address_at < visit->address_count ? NEXT_MS : CONNECT_MS);
}

/* ---- deciding ---- */

/* Every address that the name has led to is looked at, and the very ones that
** were looked at are connected to.
*/
static void resolved(struct cell_visit *visit,
                     const struct cell_resolver_answer *answer)
{
  char detail[CELL_REFUSAL_DETAIL] = "", text[CELL_ADDRESS_TEXT];
  size_t i;

  visit->address_count = visit->address_at = 0;
  for (i = 0; i < answer->count; i++) {
    const char *why = cell_policy_refuses(
      visit->egress->policy, &answer->addresses[i], visit->target.port);

    if (why == NULL) {
      visit->addresses[visit->address_count++] = answer->addresses[i];
      continue;
    }
    cell_address_text(&answer->addresses[i], text);
    snprintf(detail, sizeof detail, "%s, %s", text, why);
  }
  if (visit->address_count > 0) {
    try_next(visit, 0);
  } else if (detail[0] != '\0') {
    cell_egress_refuse(visit->egress, &visit->target, CELL_REFUSED_ADDRESS,
                       detail);
    cell_visit_refuse(visit, CELL_REFUSED_ADDRESS, detail);
  } else {
    cell_visit_fail(visit, answer->status == CELL_NO_SUCH_NAME
                             ? "no such name"
                             : "no name server answers");
  }
}

static void found(struct cell_lookup *lookup,
                  const struct cell_resolver_answer *answer)
{
  resolved(CELL_CONTAINER(lookup, struct cell_visit, lookup), answer);
}

static void go_to_address(struct cell_visit *visit)
{
  struct cell_resolver_answer answer = {CELL_RESOLVED, {{{0}}}, 1, 0};

  answer.addresses[0] = visit->target.address;
  resolved(visit, &answer);
}

/* An address that was given to a name means that name, however it is asked for.
** 0: it was given to none.
*/
static int find_name(struct cell_visit *visit)
{
  struct cell_target *target = &visit->target;
  const struct cell_resident *resident;

  if (target->name[0] != '\0' || !cell_directory_gives(&target->address))
    return 1;
  resident = cell_directory_at(visit->egress->directory, &target->address);
  if (resident == NULL)
    return 0;
  memcpy(target->name, cell_resident_name(resident), CELL_NAME_SIZE);
  return 1;
}

void cell_visit_go(struct cell_visit *visit)
{
  struct cell_egress *egress = visit->egress;
  const struct cell_resolver_answer *answer;
  struct cell_resident *resident;
  enum cell_refusal_why why;

  cell_visit_wait(visit, 0, -1);
  if (!find_name(visit)) {
    cell_egress_refuse(egress, &visit->target, CELL_REFUSED_NOT_ALLOWED, NULL);
    cell_visit_refuse(visit, CELL_REFUSED_NOT_ALLOWED, NULL);
    return;
  }
  if (!cell_egress_allows(egress, &visit->target, &why)) {
    cell_visit_refuse(visit, why, NULL);
    return;
  }
  if (!cell_egress_spends(egress, &visit->target)) {
    cell_visit_refuse(visit, CELL_REFUSED_LIMIT, NULL);
    return;
  }
  if (visit->target.name[0] == '\0') {
    go_to_address(visit);
    return;
  }
  if (cell_visit_hand(visit))
    return;
  resident = cell_directory_enter(egress->directory, visit->target.name);
  if (resident == NULL) {
    cell_visit_fail(visit, "too many names were asked for");
    return;
  }
  visit->state = CELL_VISIT_RESOLVING;
  visit->lookup.found = found;
  answer = cell_directory_resolve(egress->directory, resident, &visit->lookup);
  if (answer != NULL)
    resolved(visit, answer);
}

/* ---- beginning ---- */

static void ready(struct cell_source *source, uint32_t events)
{
  struct cell_visit *visit = CELL_CONTAINER(source, struct cell_visit, source);

  (void)events;
  if (visit->state == CELL_VISIT_ASKING)
    cell_visit_asked(visit);
  else if (visit->state == CELL_VISIT_HEARING)
    cell_visit_hear(visit);
  else
    cell_visit_part(visit);
}

static void time_passed(struct cell_timer *timer)
{
  struct cell_visit *visit = CELL_CONTAINER(timer, struct cell_visit, timer);

  if (visit->state == CELL_VISIT_CONNECTING)
    try_next(visit, ETIMEDOUT);
  else if (visit->state != CELL_VISIT_OPEN || visit->bridge.gate != NULL)
    cell_visit_reset(visit);
}

/* Where a connection was meant to go to. 0: to the sandbox itself. */
static int find_target(struct cell_visit *visit)
{
  struct sockaddr_storage here;
  socklen_t size = sizeof here;
  struct cell_target *target = &visit->target;
  const char *why;

  if (getsockname(visit->fd, (struct sockaddr *)&here, &size) < 0 ||
      cell_address_from_socket(&target->address, &target->port, &here) < 0)
    return 0;
  why = cell_address_reserved(&target->address);
  return why == NULL || strncmp(why, "loopback", 8) != 0;
}

void cell_visit_begin(struct cell_egress *egress, enum cell_socket_kind kind,
                      int fd, int place_fd)
{
  struct cell_visit *visit = calloc(1, sizeof *visit);
  int on = 1;

  if (visit == NULL) {
    cell_fd_close(&fd);
    cell_fd_close(&place_fd);
    return;
  }
  visit->egress = egress;
  visit->fd = fd;
  visit->server_fd = -1;
  visit->place_fd = place_fd;
  visit->bridge.sides[0].fd = visit->bridge.sides[1].fd = -1;
  visit->timer.due = time_passed;
  visit->source = (struct cell_source){fd, 0, ready, 0};
  visit->next = egress->visits;
  egress->visits = visit;
  egress->traffic.open++;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  visit->kind =
    kind == CELL_SOCKET_PROXY ? CELL_VISIT_PROXY : CELL_VISIT_DIRECT;
  if (cell_source_add(egress->reactor, &visit->source, NULL) < 0) {
    visit_free(visit);
  } else if (kind == CELL_SOCKET_PROXY) {
    visit->state = CELL_VISIT_ASKING;
    cell_visit_wait(visit, EPOLLIN, HEAD_MS);
  } else if (find_target(visit)) {
    cell_visit_go(visit);
  } else {
    cell_visit_reset(visit);
  }
}
