/* policy.h -- which names, addresses and ports a sandbox may reach.
**
** Entries are "name", "*.name" (any depth below, not the name itself), an
** address or a range of them, each with ":port" or without: then 80 and 443 are
** allowed, and every port is denied. A denied one wins. Built once, never
** changed; reference counted.
*/
#ifndef CELL_POLICY_H
#define CELL_POLICY_H

#include "../error.h"
#include "../sandbox/sandbox.h"
#include "address.h"
#include "name.h"

#define CELL_POLICY_ENTRIES_MAX 1024

struct cell_policy;

enum cell_decision {
  CELL_ALLOWED,
  CELL_NAMED,       /* an address that the policy itself names */
  CELL_NOT_ALLOWED, /* in no entry */
  CELL_NOT_PORT,    /* the name is, for other ports */
  CELL_DENIED
};

/* Where a visitor wants to go: a name, or an address if name is empty. */
struct cell_target {
  char name[CELL_NAME_SIZE];
  struct cell_address address;
  uint16_t port; /* 0: any, as far as is known */
};

struct cell_policy *cell_policy_new(enum cell_network network,
                                    struct cell_error *error);
struct cell_policy *cell_policy_keep(struct cell_policy *policy);
void cell_policy_release(struct cell_policy *policy);
/* INVALID_ARGUMENT says what is wrong with the text. */
int cell_policy_allow(struct cell_policy *policy, const char *text,
                      size_t length, struct cell_error *error);
int cell_policy_deny(struct cell_policy *policy, const char *text,
                     size_t length, struct cell_error *error);
/* A name, with or without a port: requests for it by plain HTTP are not sent to
** it, but handed over (handover.c). Allows nothing.
*/
int cell_policy_hand(struct cell_policy *policy, const char *text,
                     size_t length, struct cell_error *error);
int cell_policy_hands(const struct cell_policy *policy,
                      const struct cell_target *target);

/* By what was asked for. */
enum cell_decision cell_policy_decide(const struct cell_policy *policy,
                                      const struct cell_target *target);
/* By where an allowed name has led to. NULL: fine; else why not. */
const char *cell_policy_refuses(const struct cell_policy *policy,
                                const struct cell_address *address,
                                uint16_t port);
enum cell_network cell_policy_network(const struct cell_policy *policy);
/* The ports to listen on, and the ranges to have inside. */
int cell_policy_gateway(const struct cell_policy *policy,
                        struct cell_gateway *gateway, struct cell_error *error);

/* "host", "host:port" or "[IPv6]:port" as a proxy is told it. `port` is for one
** without; 0: there must be one. 0, or -1: not in the canonical form.
*/
int cell_target_read(struct cell_target *target, const char *text,
                     size_t length, uint16_t port);

#endif
