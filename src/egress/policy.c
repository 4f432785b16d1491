/* policy.c -- see policy.h. */
#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_BITS_FOUR 8
#define LEAST_BITS_SIX 16

enum sort { NAME, BELOW, RANGE };

struct entry {
  enum sort sort;
  int denies, hands; /* neither: it allows */
  uint16_t port;     /* 0: none was given */
  unsigned bits;     /* of a RANGE */
  struct cell_address address;
  char name[CELL_NAME_SIZE];
};

struct cell_policy {
  int references;
  enum cell_network network;
  struct entry *entries;
  size_t count, size;
};

struct cell_policy *cell_policy_new(enum cell_network network,
                                    struct cell_error *error)
{
  struct cell_policy *policy = calloc(1, sizeof *policy);

  if (policy == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a network policy");
    return NULL;
  }
  policy->references = 1;
  policy->network = network;
  return policy;
}

struct cell_policy *cell_policy_keep(struct cell_policy *policy)
{
  policy->references++;
  return policy;
}

void cell_policy_release(struct cell_policy *policy)
{
  if (policy == NULL || --policy->references > 0)
    return;
  free(policy->entries);
  free(policy);
}

enum cell_network cell_policy_network(const struct cell_policy *policy)
{
  return policy->network;
}

/* ---- reading ---- */

static const char *find(const char *text, size_t length, char letter)
{
  return length > 0 ? memchr(text, letter, length) : NULL;
}

static int is_url(const char *text, size_t length)
{
  const char *colon = find(text, length, ':');

  return colon != NULL && length - (size_t)(colon - text) > 2 &&
         colon[1] == '/' && colon[2] == '/';
}

/* Split off a port: "[...]" and "[...]:1", or what has one colon at most. */
static int split_port(const char **text, size_t *length, uint16_t *port)
{
  const char *colon = NULL, *end = *text + *length;

  *port = 0;
  if (*length > 0 && (*text)[0] == '[') {
    const char *close = find(*text, *length, ']');

    if (close == NULL || (close + 1 != end && close[1] != ':'))
      return -1;
    colon = close + 1 != end ? close + 1 : NULL;
    ++*text;
    *length = (size_t)(close - *text);
  } else {
    colon = find(*text, *length, ':');
    if (colon != NULL && find(colon + 1, (size_t)(end - colon - 1), ':'))
      return 0; /* IPv6 without brackets, or nothing at all */
    if (colon != NULL)
      *length = (size_t)(colon - *text);
  }
  if (colon == NULL)
    return 0;
  *port = cell_name_port(colon + 1, (size_t)(end - colon - 1));
  return *port != 0 ? 0 : -1;
}

static int read_range(struct entry *entry, const char *text, size_t length)
{
  const char *slash = find(text, length, '/');
  size_t address = slash != NULL ? (size_t)(slash - text) : length;
  size_t digits = slash != NULL ? length - address - 1 : 0;
  unsigned most, bits;

  if (cell_address_parse(&entry->address, text, address) < 0)
    return -1;
  most = cell_address_is_four(&entry->address) ? 32 : 128;
  bits = most;
  if (slash != NULL) {
    bits = cell_name_port(slash + 1, digits);
    if (bits > most || (bits == 0 && !(digits == 1 && slash[1] == '0')))
      return -1;
  }
  entry->sort = RANGE;
  entry->bits = bits + 128 - most;
  cell_address_mask(&entry->address, entry->bits);
  return 0;
}

static const char *read_entry(struct entry *entry, const char *text,
                              size_t length)
{
  if (is_url(text, length))
    return "a name is expected, not a URL: leave out the scheme and the path";
  if (split_port(&text, &length, &entry->port) < 0)
    return "a port is a number from 1 to 65535";
  if (read_range(entry, text, length) == 0) {
    unsigned least = cell_address_is_four(&entry->address)
                       ? 96 + LEAST_BITS_FOUR
                       : LEAST_BITS_SIX;

    return entry->bits >= least || entry->denies
             ? NULL
             : "too large a range: name smaller ones, or use \"open\"";
  }
  entry->sort = NAME;
  if (length > 2 && text[0] == '*' && text[1] == '.') {
    entry->sort = BELOW;
    text += 2;
    length -= 2;
  }
  if (cell_name_read(entry->name, text, length) < 0)
    return "a name, *.name, an address or a range is expected, in ASCII "
           "(xn--... for others), with :port or without";
  if (entry->sort == BELOW && strchr(entry->name, '.') == NULL)
    return "too much: a wildcard has two labels at least, as *.example.com";
  return NULL;
}

static int add(struct cell_policy *policy, const char *text, size_t length,
               int denies, struct cell_error *error)
{
  struct entry entry = {0}, *grown;
  const char *wrong;
  size_t size;

  entry.denies = denies;
  wrong = read_entry(&entry, text, length);
  if (wrong != NULL)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0, "%.*s: %s",
                     (int)(length < 100 ? length : 100), text, wrong);
  if (policy->count == CELL_POLICY_ENTRIES_MAX)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "a policy has at most %d entries",
                     CELL_POLICY_ENTRIES_MAX);
  if (policy->count == policy->size) {
    size = policy->size > 0 ? 2 * policy->size : 8;
    grown = realloc(policy->entries, size * sizeof *grown);
    if (grown == NULL)
      return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM,
                       "make a network policy");
    policy->entries = grown;
    policy->size = size;
  }
  policy->entries[policy->count++] = entry;
  return 0;
}

int cell_policy_allow(struct cell_policy *policy, const char *text,
                      size_t length, struct cell_error *error)
{
  return add(policy, text, length, 0, error);
}

int cell_policy_deny(struct cell_policy *policy, const char *text,
                     size_t length, struct cell_error *error)
{
  return add(policy, text, length, 1, error);
}

int cell_policy_hand(struct cell_policy *policy, const char *text,
                     size_t length, struct cell_error *error)
{
  struct entry *entry;

  if (add(policy, text, length, 0, error) < 0)
    return -1;
  entry = &policy->entries[policy->count - 1];
  if (entry->sort != NAME) {
    policy->count--;
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0, "%.*s: a name expected",
                     (int)(length < 100 ? length : 100), text);
  }
  entry->hands = 1;
  return 0;
}

int cell_policy_hands(const struct cell_policy *policy,
                      const struct cell_target *target)
{
  size_t i;

  for (i = 0; i < policy->count; i++) {
    const struct entry *entry = &policy->entries[i];

    if (entry->hands && strcmp(entry->name, target->name) == 0 &&
        target->port == (entry->port != 0 ? entry->port : 80))
      return 1;
  }
  return 0;
}

int cell_target_read(struct cell_target *target, const char *text,
                     size_t length, uint16_t port)
{
  int bracketed = length > 0 && text[0] == '[';
  const char *host = text;
  uint16_t given;

  memset(target, 0, sizeof *target);
  if (split_port(&host, &length, &given) < 0)
    return -1;
  target->port = given != 0 ? given : port;
  if (target->port == 0)
    return -1;
  if (cell_address_parse(&target->address, host, length) == 0)
    return bracketed == (memchr(host, ':', length) != NULL) ? 0 : -1;
  return bracketed ? -1 : cell_name_read(target->name, host, length);
}

/* ---- deciding ---- */

static int covers(const struct entry *entry, const struct cell_target *target)
{
  switch (entry->sort) {
  case NAME:
    return target->name[0] != '\0' && strcmp(entry->name, target->name) == 0;
  case BELOW:
    return target->name[0] != '\0' &&
           cell_name_is_below(target->name, entry->name);
  default:
    return target->name[0] == '\0' &&
           cell_address_within(&target->address, &entry->address, entry->bits);
  }
}

static int allows_port(const struct entry *entry, uint16_t port)
{
  if (port == 0)
    return 1;
  return entry->port != 0 ? entry->port == port : port == 80 || port == 443;
}

enum cell_decision cell_policy_decide(const struct cell_policy *policy,
                                      const struct cell_target *target)
{
  enum cell_decision decision = CELL_NOT_ALLOWED;
  size_t i;

  if (policy->network == CELL_NETWORK_OPEN)
    decision = CELL_ALLOWED;
  for (i = 0; i < policy->count; i++) {
    const struct entry *entry = &policy->entries[i];

    if (entry->hands || !covers(entry, target))
      continue;
    if (entry->denies) {
      if (entry->port == 0 || entry->port == target->port)
        return CELL_DENIED;
    } else if (allows_port(entry, target->port)) {
      decision = entry->sort == RANGE ? CELL_NAMED : CELL_ALLOWED;
    } else if (decision == CELL_NOT_ALLOWED) {
      decision = CELL_NOT_PORT;
    }
  }
  return policy->network == CELL_NETWORK_NONE ? CELL_NOT_ALLOWED : decision;
}

const char *cell_policy_refuses(const struct cell_policy *policy,
                                const struct cell_address *address,
                                uint16_t port)
{
  struct cell_target target = {0};
  const char *why;

  target.address = *address;
  target.port = port;
  switch (cell_policy_decide(policy, &target)) {
  case CELL_DENIED:
    return "denied";
  case CELL_NAMED:
    return NULL;
  default:
    why = cell_address_reserved(address);
    return why == NULL && cell_address_is_own(address) ? "this machine's" : why;
  }
}

/* ---- what is made inside ---- */

static int add_port(struct cell_gateway *gateway, uint16_t port,
                    struct cell_error *error)
{
  size_t i;

  for (i = 0; i < gateway->port_count; i++)
    if (gateway->ports[i] == port)
      return 0;
  if (port == CELL_PROXY_PORT)
    return 0; /* its listener is the proxy's, which takes it as a target */
  if (gateway->port_count == CELL_GATEWAY_PORTS_MAX)
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                     "a policy names at most %d ports beside 80 and 443",
                     CELL_GATEWAY_PORTS_MAX - 2);
  gateway->ports[gateway->port_count++] = port;
  return 0;
}

/* Inside, those are the sandbox's own: only the proxy leads out. */
static int is_loopback(const struct entry *entry)
{
  return cell_address_is_four(&entry->address)
           ? entry->address.bytes[12] == 127
           : cell_address_reserved(&entry->address) != NULL &&
               entry->address.bytes[0] == 0;
}

int cell_policy_gateway(const struct cell_policy *policy,
                        struct cell_gateway *gateway, struct cell_error *error)
{
  size_t i;

  gateway->network =
    policy->network == CELL_NETWORK_NONE ? CELL_NETWORK_NAMED : policy->network;
  gateway->port_count = gateway->range_count = 0;
  add_port(gateway, 80, error);
  add_port(gateway, 443, error);
  for (i = 0; i < policy->count; i++) {
    const struct entry *entry = &policy->entries[i];

    if (entry->denies || entry->hands)
      continue;
    if (entry->port != 0 && add_port(gateway, entry->port, error) < 0)
      return -1;
    if (entry->sort != RANGE || is_loopback(entry))
      continue;
    if (gateway->range_count == CELL_GATEWAY_RANGES_MAX)
      return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                       "a policy names at most %d addresses and ranges",
                       CELL_GATEWAY_RANGES_MAX);
    memcpy(gateway->ranges[gateway->range_count].address, entry->address.bytes,
           16);
    gateway->ranges[gateway->range_count++].bits = entry->bits;
  }
  return 0;
}
