/* names.c -- see names.h. */
#include "names.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 2000 /* of one try */
#define TRIES 3

struct resolver {
  ares_channel channel;
  struct cell_resolver_owner *owner;
};

struct question {
  struct resolver *resolver;
  void *question;
};

static void changed(void *data, ares_socket_t fd, int readable, int writable)
{
  struct resolver *resolver = data;

  resolver->owner->watch(resolver->owner, fd, readable, writable);
}

static void close_resolver(void *data)
{
  struct resolver *resolver = data;

  ares_destroy(resolver->channel);
  free(resolver);
}

static void *open_resolver(struct cell_resolver_owner *owner,
                           const char *servers)
{
  static int is_ready; /* of the process, as the library's own state is */
  struct resolver *resolver = calloc(1, sizeof *resolver);
  struct ares_options options;
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
             ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB;
  char only_servers[] = "b";

  if (resolver == NULL)
    return NULL;
  if (!is_ready && ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
    free(resolver);
    return NULL;
  }
  is_ready = 1;
  resolver->owner = owner;
  memset(&options, 0, sizeof options);
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.timeout = TIMEOUT_MS;
  options.tries = TRIES;
  options.ndomains = 0; /* a name means itself and nothing longer */
  options.sock_state_cb = changed;
  options.sock_state_cb_data = resolver;
  if (servers[0] != '\0') {
    options.lookups = only_servers;
    mask |= ARES_OPT_LOOKUPS;
  }
  if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
    free(resolver);
    return NULL;
  }
  if (servers[0] != '\0' &&
      ares_set_servers_ports_csv(resolver->channel, servers) != ARES_SUCCESS) {
    close_resolver(resolver);
    return NULL;
  }
  return resolver;
}

static void take_node(struct cell_resolver_answer *answer,
                      const struct ares_addrinfo_node *node)
{
  struct sockaddr_storage address;
  uint16_t port;

  memset(&address, 0, sizeof address);
  if (node->ai_addrlen > sizeof address)
    return;
  memcpy(&address, node->ai_addr, node->ai_addrlen);
  if (cell_address_from_socket(&answer->addresses[answer->count], &port,
                               &address) < 0)
    return;
  answer->count++;
  if (node->ai_ttl >= 0 && (unsigned)node->ai_ttl < answer->seconds)
    answer->seconds = (unsigned)node->ai_ttl;
}

static void answered(void *data, int status, int timeouts,
                     struct ares_addrinfo *result)
{
  struct question *question = data;
  struct cell_resolver_owner *owner = question->resolver->owner;
  const struct ares_addrinfo_node *node = result ? result->nodes : NULL;
  struct cell_resolver_answer answer;

  (void)timeouts;
  memset(&answer, 0, sizeof answer);
  answer.seconds = 60;
  for (; node != NULL; node = node->ai_next) {
    if (answer.count < sizeof answer.addresses / sizeof answer.addresses[0])
      take_node(&answer, node);
  }
  if (result != NULL)
    ares_freeaddrinfo(result);
  if (answer.count > 0)
    answer.status = CELL_RESOLVED;
  else if (status == ARES_SUCCESS || status == ARES_ENOTFOUND ||
           status == ARES_ENODATA)
    answer.status = CELL_NO_SUCH_NAME;
  else
    answer.status = CELL_NOT_RESOLVED;
  owner->answered(owner, question->question, &answer);
  free(question);
}

static void ask(void *data, const char *name, void *asked)
{
  struct resolver *resolver = data;
  struct question *question = malloc(sizeof *question);
  struct cell_resolver_answer none = {CELL_NOT_RESOLVED, {{{0}}}, 0, 0};
  struct ares_addrinfo_hints hints;

  if (question == NULL) {
    resolver->owner->answered(resolver->owner, asked, &none);
    return;
  }
  question->resolver = resolver;
  question->question = asked;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  ares_getaddrinfo(resolver->channel, name, NULL, &hints, answered, question);
}

static void process(void *data, int readable, int writable)
{
  struct resolver *resolver = data;

  ares_process_fd(resolver->channel, readable < 0 ? ARES_SOCKET_BAD : readable,
                  writable < 0 ? ARES_SOCKET_BAD : writable);
}

static long timeout_ms(void *data)
{
  struct resolver *resolver = data;
  struct timeval left, *found = ares_timeout(resolver->channel, NULL, &left);

  return found == NULL ? -1 : found->tv_sec * 1000 + found->tv_usec / 1000 + 1;
}

const struct cell_resolver_library cell_names_library = {CELL_RESOLVER_VERSION,
                                                         open_resolver,
                                                         close_resolver,
                                                         ask,
                                                         process,
                                                         timeout_ms};
