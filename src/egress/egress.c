/* egress.c -- see egress.h. */
#include "egress_private.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ACCEPTS 16  /* at one door in one turn of the reactor */
#define REST_MS 100 /* when nobody can be accepted */

/* ---- what was refused ---- */

void cell_egress_refuse(struct cell_egress *egress,
                        const struct cell_target *target,
                        enum cell_refusal_why why, const char *detail)
{
  struct cell_refusal refusal = {0};

  refusal.why = why;
  refusal.port = target->port;
  if (target->name[0] != '\0')
    memcpy(refusal.host, target->name, sizeof refusal.host);
  else if (target->port != 0)
    cell_address_text(&target->address, refusal.host);
  snprintf(refusal.detail, sizeof refusal.detail, "%.95s",
           detail != NULL ? detail : "");
  egress->traffic.refused++;
  if (egress->sandbox != NULL &&
      cell_refusals_add(cell_sandbox_refusals(egress->sandbox), &refusal))
    cell_token_post(egress->reactor, cell_sandbox_token(egress->sandbox));
}

int cell_egress_allows(struct cell_egress *egress,
                       const struct cell_target *target,
                       enum cell_refusal_why *why)
{
  switch (cell_policy_decide(egress->policy, target)) {
  case CELL_ALLOWED:
  case CELL_NAMED:
    return 1;
  case CELL_NOT_PORT:
    *why = CELL_REFUSED_PORT;
    break;
  case CELL_DENIED:
    *why = CELL_REFUSED_DENIED;
    break;
  default:
    *why = CELL_REFUSED_NOT_ALLOWED;
    break;
  }
  cell_egress_refuse(egress, target, *why, NULL);
  return 0;
}

void cell_egress_traffic(const struct cell_egress *egress,
                         struct cell_traffic *traffic)
{
  *traffic = egress->traffic;
}

/* ---- doors ---- */

void cell_egress_look(struct cell_egress *egress)
{
  int is_full =
    egress->traffic.open >= CELL_EGRESS_VISITS_MAX || egress->rest.place != 0;
  size_t i;

  if (is_full == egress->is_full)
    return;
  egress->is_full = is_full;
  for (i = 0; i < egress->door_count; i++)
    if (egress->doors[i].kind != CELL_SOCKET_NAMES)
      cell_source_want(egress->reactor, &egress->doors[i].source,
                       is_full ? 0 : EPOLLIN);
}

static void rested(struct cell_timer *timer)
{
  cell_egress_look(CELL_CONTAINER(timer, struct cell_egress, rest));
}

/* The host has no descriptor left: a door that stays open would have it turn in
** circles.
*/
static void rest(struct cell_egress *egress)
{
  cell_timer_arm(egress->reactor, &egress->rest,
                 cell_clock_after(cell_reactor_clock(egress->reactor), REST_MS),
                 NULL);
  cell_egress_look(egress);
}

static void knocked(struct cell_source *source, uint32_t events)
{
  struct cell_door *door = CELL_CONTAINER(source, struct cell_door, source);
  int i, fd;

  (void)events;
  if (door->kind == CELL_SOCKET_NAMES) {
    cell_asked_receive(door);
    return;
  }
  for (i = 0; i < ACCEPTS && !door->egress->is_full; i++) {
    fd = cell_fd_above_stdio(
      accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd < 0) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        rest(door->egress);
      return;
    }
    cell_visit_begin(door->egress, door->kind, fd);
    cell_egress_look(door->egress);
  }
}

static void opened(struct cell_gateway *gateway, enum cell_socket_kind kind,
                   uint16_t port, int *fd)
{
  struct cell_egress *egress =
    CELL_CONTAINER(gateway, struct cell_egress, gateway);
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

static void opening_end(struct cell_egress *egress,
                        struct cell_opening *opening)
{
  struct cell_opening **at = &egress->openings;

  while (*at != opening)
    at = &(*at)->next;
  *at = opening->next;
  free(opening);
}

/* A port that the code has taken itself is not opened: the proxy leads there.
 */
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
    opened(&egress->gateway, CELL_SOCKET_PORT, opening->port, fd);
  }
  opening_end(egress, opening);
}

/* The egress ends all of them when the sandbox does. */
static void sandbox_ended_first(struct cell_listener *listener)
{
  (void)listener;
}

static void open_later(struct cell_egress *egress, uint16_t port)
{
  struct cell_opening *opening;
  unsigned char bytes[4];
  struct cell_packer packer;
  size_t i;

  for (i = 0; i < egress->gateway.port_count; i++)
    if (egress->gateway.ports[i] == port)
      return;
  for (opening = egress->openings; opening != NULL; opening = opening->next)
    if (opening->port == port)
      return;
  opening = port >= 1024 ? calloc(1, sizeof *opening) : NULL;
  if (opening == NULL)
    return;
  opening->egress = egress;
  opening->port = port;
  opening->made.heard = made;
  opening->made.ended = sandbox_ended_first;
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, port);
  opening->request = cell_sandbox_ask_socket(egress->sandbox, CELL_LISTEN,
                                             &opening->made, &packer, NULL);
  opening->next = egress->openings;
  egress->openings = opening;
  if (opening->request == 0)
    opening_end(egress, opening);
}

/* ---- beginning and end ---- */

void cell_egress_free(struct cell_egress *egress)
{
  size_t i;

  if (egress == NULL)
    return;
  for (i = 0; i < egress->door_count; i++) {
    cell_source_remove(egress->reactor, &egress->doors[i].source);
    cell_fd_close(&egress->doors[i].fd);
  }
  egress->door_count = 0;
  cell_timer_disarm(egress->reactor, &egress->rest);
  while (egress->visits != NULL)
    cell_visit_end(egress->visits);
  while (egress->openings != NULL) {
    struct cell_opening *opening = egress->openings;

    egress->openings = opening->next;
    cell_sandbox_forget(egress->sandbox, opening->request);
    free(opening);
  }
  cell_asked_clear(egress);
  cell_directory_free(egress->directory);
  cell_policy_release(egress->policy);
  free(egress);
}

static void sandbox_ended(struct cell_companion *companion)
{
  cell_egress_free(CELL_CONTAINER(companion, struct cell_egress, companion));
}

struct cell_egress *cell_egress_new(struct cell_reactor *reactor,
                                    struct cell_policy *policy,
                                    const struct cell_resolver_library *library,
                                    const char *servers,
                                    struct cell_error *error)
{
  struct cell_egress *egress = calloc(1, sizeof *egress);

  if (egress == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a network");
    return NULL;
  }
  egress->reactor = reactor;
  egress->policy = cell_policy_keep(policy);
  egress->rest.due = rested;
  egress->gateway.opened = opened;
  egress->companion.ended = sandbox_ended;
  egress->directory = cell_directory_new(reactor, library, servers, error);
  if (egress->directory == NULL ||
      cell_policy_gateway(policy, &egress->gateway, error) < 0) {
    cell_egress_free(egress);
    return NULL;
  }
  return egress;
}

struct cell_gateway *cell_egress_gateway(struct cell_egress *egress)
{
  return &egress->gateway;
}

int cell_egress_join(struct cell_egress *egress, struct cell_sandbox *sandbox,
                     struct cell_error *error)
{
  egress->sandbox = sandbox;
  if (cell_sandbox_accompany(sandbox, &egress->companion, error) == 0)
    return 0;
  cell_egress_free(egress);
  return -1;
}

struct cell_egress *cell_egress_of(const struct cell_sandbox *sandbox)
{
  struct cell_companion *companion = cell_sandbox_companions(sandbox);

  for (; companion != NULL; companion = companion->next)
    if (companion->ended == sandbox_ended)
      return CELL_CONTAINER(companion, struct cell_egress, companion);
  return NULL;
}

/* ---- another policy ---- */

int cell_egress_can(const struct cell_egress *egress,
                    const struct cell_policy *policy, struct cell_error *error)
{
  struct cell_gateway wanted;
  const struct cell_gateway *made = &egress->gateway;
  size_t i, j;

  if (cell_policy_gateway(policy, &wanted, error) < 0)
    return 0;
  if (wanted.network == CELL_NETWORK_OPEN &&
      made->network != CELL_NETWORK_OPEN) {
    cell_fail(error, CELL_UNSUPPORTED, 0,
              "only a sandbox created with network = \"open\" can be opened "
              "again");
    return 0;
  }
  for (i = 0; i < wanted.range_count; i++) {
    for (j = 0; j < made->range_count; j++)
      if (memcmp(&wanted.ranges[i], &made->ranges[j],
                 sizeof wanted.ranges[i]) == 0)
        break;
    if (j < made->range_count || made->network == CELL_NETWORK_OPEN)
      continue;
    cell_fail(error, CELL_UNSUPPORTED, 0,
              "an address cannot be added to a sandbox that lives: name it at "
              "create, or allow the host by its name");
    return 0;
  }
  return 1;
}

void cell_egress_update(struct cell_egress *egress, struct cell_policy *policy)
{
  struct cell_visit *visit = egress->visits, *next;
  struct cell_gateway wanted;
  size_t i;

  if (cell_policy_gateway(policy, &wanted, NULL) == 0)
    for (i = 0; i < wanted.port_count; i++)
      open_later(egress, wanted.ports[i]);
  cell_policy_keep(policy);
  cell_policy_release(egress->policy);
  egress->policy = policy;
  for (; visit != NULL; visit = next) {
    const struct cell_target *target = cell_visit_target(visit);
    enum cell_decision decision =
      target->port != 0 ? cell_policy_decide(policy, target) : CELL_ALLOWED;

    next = cell_visit_next(visit);
    if (decision != CELL_ALLOWED && decision != CELL_NAMED)
      cell_visit_end(visit);
  }
}
