/* egress.c -- see egress.h. */
#include "egress_private.h"

#include "../container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int cell_egress_spends(struct cell_egress *egress,
                       const struct cell_target *target)
{
  uint64_t most = egress->limits.bytes;

  if (most == 0 || egress->traffic.sent + egress->traffic.received < most)
    return 1;
  cell_egress_refuse(egress, target, CELL_REFUSED_LIMIT, NULL);
  return 0;
}

void cell_egress_traffic(const struct cell_egress *egress,
                         struct cell_traffic *traffic)
{
  *traffic = egress->traffic;
}

/* ---- beginning and end ---- */

void cell_egress_free(struct cell_egress *egress)
{
  if (egress == NULL)
    return;
  cell_doors_close(egress);
  while (egress->visits != NULL)
    cell_visit_end(egress->visits);
  cell_handed_clear(egress);
  cell_callers_clear(egress);
  cell_asked_clear(egress);
  cell_directory_free(egress->directory);
  cell_policy_release(egress->policy);
  free(egress);
}

static void opened(struct cell_gateway *gateway, enum cell_socket_kind kind,
                   uint16_t port, int *fd)
{
  cell_door_open(CELL_CONTAINER(gateway, struct cell_egress, gateway), kind,
                 port, fd);
}

static void sandbox_ended(struct cell_companion *companion)
{
  cell_egress_free(CELL_CONTAINER(companion, struct cell_egress, companion));
}

struct cell_egress *cell_egress_new(struct cell_reactor *reactor,
                                    struct cell_policy *policy,
                                    const struct cell_resolver_library *library,
                                    const char *servers,
                                    const struct cell_egress_limits *limits,
                                    struct cell_error *error)
{
  struct cell_egress *egress = calloc(1, sizeof *egress);

  if (egress == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a network");
    return NULL;
  }
  egress->reactor = reactor;
  egress->policy = cell_policy_keep(policy);
  egress->limits = *limits;
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

/* 0 if all addresses that are wanted are there. */
static int check_ranges(const struct cell_egress *egress,
                        const struct cell_gateway *wanted,
                        struct cell_error *error)
{
  const struct cell_gateway *made = &egress->gateway;
  size_t i, j;

  if (made->network == CELL_NETWORK_OPEN)
    return 0;
  if (wanted->network == CELL_NETWORK_OPEN)
    return cell_fail(error, CELL_UNSUPPORTED, 0,
                     "a sandbox cannot be opened later: create it with "
                     "network = \"open\" and narrow it by update_network");
  for (i = 0; i < wanted->range_count; i++) {
    for (j = 0; j < made->range_count; j++)
      if (memcmp(&wanted->ranges[i], &made->ranges[j],
                 sizeof wanted->ranges[i]) == 0)
        break;
    if (j == made->range_count)
      return cell_fail(error, CELL_UNSUPPORTED, 0,
                       "an address cannot be added to a sandbox that lives: "
                       "name it in `network` at create, or allow the host by "
                       "its name");
  }
  return 0;
}

int cell_egress_update(struct cell_egress *egress, struct cell_policy *policy,
                       struct cell_error *error)
{
  struct cell_visit *visit = egress->visits, *next;
  struct cell_gateway wanted;
  int ready;

  if (cell_policy_gateway(policy, &wanted, error) < 0 ||
      check_ranges(egress, &wanted, error) < 0)
    return -1;
  ready = cell_doors_open(egress, &wanted, error);
  if (ready <= 0)
    return ready;
  cell_policy_keep(policy);
  cell_policy_release(egress->policy);
  egress->policy = policy;
  for (; visit != NULL; visit = next) {
    const struct cell_target *target = cell_visit_target(visit);
    enum cell_decision decision =
      target->port != 0 ? cell_policy_decide(policy, target) : CELL_ALLOWED;

    next = cell_visit_next(visit);
    if ((decision != CELL_ALLOWED && decision != CELL_NAMED) ||
        (target->port != 0 && cell_visit_is_handed(visit) &&
         !cell_policy_hands(policy, target)))
      cell_visit_end(visit);
  }
  return 1;
}
