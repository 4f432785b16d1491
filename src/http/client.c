/* client.c -- see client.h. */
#include "client.h"

#include "../container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* A socket of the library's. */
struct watched {
  struct watched *next;
  struct cell_client *client;
  struct cell_source source;
};

struct cell_client {
  unsigned references;
  struct cell_reactor *reactor; /* kept */
  const struct cell_client_library *library;
  struct cell_client_owner owner;
  void *made; /* NULL: closed */
  struct cell_directory *directory;
  struct cell_policy *policy; /* kept; NULL: everything is allowed */
  struct cell_timer timer;
  struct watched *watched;
  struct cell_exchange *exchanges;
  unsigned exchange_count;
};

/* ---- what the library wants ---- */

static void ready(struct cell_source *source, uint32_t events)
{
  struct watched *watched = CELL_CONTAINER(source, struct watched, source);
  struct cell_client *client = watched->client;
  int failed = (events & (EPOLLERR | EPOLLHUP)) != 0;

  client->library->ready(client->made, source->fd,
                         failed || (events & EPOLLIN) != 0,
                         failed || (events & EPOLLOUT) != 0);
}

static void unwatch(struct cell_client *client, struct watched *watched)
{
  struct watched **at = &client->watched;

  while (*at != watched)
    at = &(*at)->next;
  *at = watched->next;
  cell_source_remove(client->reactor, &watched->source);
  free(watched);
}

static void *watch(struct cell_client_owner *owner, void *data, int fd,
                   int readable, int writable)
{
  struct cell_client *client = CELL_CONTAINER(owner, struct cell_client, owner);
  struct watched *watched = data;
  uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);

  if (watched != NULL && events == 0) {
    unwatch(client, watched);
    return NULL;
  }
  if (watched != NULL) {
    cell_source_want(client->reactor, &watched->source, events);
    return watched;
  }
  watched = events != 0 ? calloc(1, sizeof *watched) : NULL;
  if (watched == NULL)
    return NULL;
  watched->client = client;
  watched->source = (struct cell_source){fd, events, ready, 0};
  if (cell_source_add(client->reactor, &watched->source, NULL) < 0) {
    free(watched);
    return NULL;
  }
  watched->next = client->watched;
  client->watched = watched;
  return watched;
}

static void time_passed(struct cell_timer *timer)
{
  struct cell_client *client = CELL_CONTAINER(timer, struct cell_client, timer);

  client->library->time_passed(client->made);
}

static void alarm_at(struct cell_client_owner *owner, long ms)
{
  struct cell_client *client = CELL_CONTAINER(owner, struct cell_client, owner);

  if (ms < 0)
    cell_timer_disarm(client->reactor, &client->timer);
  else
    cell_timer_arm(client->reactor, &client->timer,
                   cell_clock_after(cell_reactor_clock(client->reactor), ms),
                   NULL);
}

static int may_connect(struct cell_client_owner *owner, void *data,
                       const struct sockaddr_storage *there)
{
  struct cell_client *client = CELL_CONTAINER(owner, struct cell_client, owner);
  struct cell_exchange *exchange = data;
  struct cell_address address;
  uint16_t port;
  const char *why;
  char text[CELL_ADDRESS_TEXT];

  if (client->policy == NULL)
    return 1;
  if (cell_address_from_socket(&address, &port, there) < 0)
    return 0;
  why = port == exchange->target.port
          ? cell_policy_refuses(client->policy, &address, port)
          : "of another port";
  if (why == NULL)
    return 1;
  cell_address_text(&address, text);
  cell_fail(&exchange->error, CELL_DENIED_BY_POLICY, 0,
            "its address %s is not allowed: %s", text, why);
  return 0;
}

static void changed(struct cell_client_owner *owner, void *data)
{
  struct cell_client *client = CELL_CONTAINER(owner, struct cell_client, owner);
  struct cell_exchange *exchange = data;

  cell_token_post(client->reactor, exchange->token);
}

/* ---- a client ---- */

struct cell_client *cell_client_new(
  struct cell_reactor *reactor, const struct cell_client_libraries *libraries,
  const char *servers, struct cell_policy *policy, struct cell_error *error)
{
  struct cell_client *client = calloc(1, sizeof *client);

  if (client == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a client of HTTP");
    return NULL;
  }
  client->references = 1;
  client->reactor = cell_reactor_keep(reactor);
  client->library = libraries->http;
  client->owner =
    (struct cell_client_owner){watch, alarm_at, may_connect, changed};
  client->policy = policy != NULL ? cell_policy_keep(policy) : NULL;
  client->timer.due = time_passed;
  client->directory =
    cell_directory_new(reactor, libraries->names, servers, error);
  if (client->directory != NULL)
    client->made = client->library->open(&client->owner, error);
  if (client->made == NULL) {
    cell_client_release(client);
    return NULL;
  }
  return client;
}

struct cell_reactor *cell_client_reactor(const struct cell_client *client)
{
  return client->reactor;
}

static void leave_library(struct cell_exchange *exchange)
{
  struct cell_client *client = exchange->client;

  cell_lookup_cancel(&exchange->lookup);
  if (exchange->made != NULL && cell_reactor_owned(client->reactor))
    client->library->end(exchange->made);
  exchange->made = NULL;
}

void cell_client_close(struct cell_client *client)
{
  struct cell_exchange *exchange = client->exchanges;

  if (client->made == NULL)
    return;
  for (; exchange != NULL; exchange = exchange->next) {
    leave_library(exchange);
    cell_fail(&exchange->error, CELL_CANCELLED, 0, "its client was closed");
    cell_token_post(client->reactor, exchange->token);
  }
  if (cell_reactor_owned(client->reactor))
    client->library->close(client->made);
  else
    client->library->abandon(client->made);
  client->made = NULL;
  cell_timer_disarm(client->reactor, &client->timer);
  while (client->watched != NULL)
    unwatch(client, client->watched);
}

void cell_client_release(struct cell_client *client)
{
  if (client == NULL || --client->references > 0)
    return;
  cell_client_close(client);
  cell_directory_free(client->directory);
  if (client->policy != NULL)
    cell_policy_release(client->policy);
  cell_reactor_release(client->reactor);
  free(client);
}

/* ---- an exchange ---- */

/* Before anything was sent. */
static void fail(struct cell_exchange *exchange, enum cell_kind kind,
                 const char *what)
{
  cell_fail(&exchange->error, kind, 0, "%s", what);
  strcpy(exchange->error.stage, CELL_CLIENT_UNSENT);
  cell_token_post(exchange->client->reactor, exchange->token);
}

static void go(struct cell_exchange *exchange,
               const struct cell_resolver_answer *answer)
{
  struct cell_client *client = exchange->client;

  if (answer->status == CELL_NO_SUCH_NAME)
    fail(exchange, CELL_UNAVAILABLE, "no such name");
  else if (answer->count == 0)
    fail(exchange, CELL_UNAVAILABLE, "no name server answers");
  else if (client->library->go(exchange->made, exchange->target.name,
                               exchange->target.port, answer->addresses,
                               answer->count, &exchange->error) < 0)
    cell_token_post(client->reactor, exchange->token);
}

static void found(struct cell_lookup *lookup,
                  const struct cell_resolver_answer *answer)
{
  go(CELL_CONTAINER(lookup, struct cell_exchange, lookup), answer);
}

static int decide(const struct cell_client *client,
                  const struct cell_target *target, struct cell_error *error)
{
  enum cell_decision decision = client->policy != NULL
                                  ? cell_policy_decide(client->policy, target)
                                  : CELL_ALLOWED;

  return decision == CELL_ALLOWED || decision == CELL_NAMED
           ? 0
           : cell_fail(error, CELL_DENIED_BY_POLICY, 0, "it is not allowed");
}

static char *url_of(const struct cell_page *page)
{
  const struct cell_target *target = &page->target;
  char address[CELL_ADDRESS_TEXT];
  const char *host = target->name;
  size_t room = strlen(page->path) + CELL_NAME_SIZE + 32;
  char *url = malloc(room);

  if (host[0] == '\0') {
    cell_address_text(&target->address, address);
    host = address;
  }
  if (url != NULL)
    snprintf(url, room,
             strchr(host, ':') != NULL ? "%s://[%s]:%u%s" : "%s://%s:%u%s",
             page->is_tls ? "https" : "http", host, target->port, page->path);
  return url;
}

static int is_path(const char *path)
{
  const char *at = path;

  for (; *at != '\0'; at++)
    if (*at <= ' ' || *at > '~' || *at == '#')
      return 0;
  return path[0] == '/';
}

/* An address; or localhost, or below it: this machine, whatever name servers
** say, and without /etc/hosts. Below it is a name as any other under a policy.
*/
static int is_known(const struct cell_client *client,
                    const struct cell_target *target,
                    struct cell_resolver_answer *answer)
{
  memset(answer, 0, sizeof *answer);
  answer->status = CELL_RESOLVED;
  if (target->name[0] == '\0') {
    answer->addresses[answer->count++] = target->address;
    return 1;
  }
  if (strcmp(target->name, "localhost") != 0 &&
      (client->policy != NULL ||
       !cell_name_is_below(target->name, "localhost")))
    return 0;
  cell_address_parse(&answer->addresses[answer->count++], "127.0.0.1", 9);
  cell_address_parse(&answer->addresses[answer->count++], "::1", 3);
  return 1;
}

static int begin(struct cell_exchange *exchange, const struct cell_page *page,
                 const struct cell_client_request *request,
                 struct cell_error *error)
{
  struct cell_client *client = exchange->client;
  const struct cell_resolver_answer *answer;
  struct cell_resolver_answer itself;
  struct cell_resident *resident;
  const struct cell_target *next =
    page->has_proxy ? &page->proxy : &page->target;
  char *url = url_of(page);

  if (url == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a request");
  exchange->made =
    client->library->begin(client->made, url, request, exchange, error);
  free(url);
  if (exchange->made == NULL)
    return -1;
  exchange->target = *next;
  if (is_known(client, next, &itself)) {
    go(exchange, &itself);
    return 0;
  }
  resident = cell_directory_enter(client->directory, next->name);
  if (resident == NULL)
    return cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
                     "the client has been asked for too many names");
  exchange->lookup.found = found;
  answer =
    cell_directory_resolve(client->directory, resident, &exchange->lookup);
  if (answer != NULL)
    go(exchange, answer);
  return 0;
}

int cell_exchange_open(struct cell_exchange *exchange,
                       struct cell_client *client, const struct cell_page *page,
                       const struct cell_client_request *request,
                       struct cell_error *error)
{
  if (client->made == NULL)
    return cell_fail(error, CELL_CANCELLED, 0, "its client was closed");
  if (!cell_reactor_owned(client->reactor))
    return cell_fail(error, CELL_CANCELLED, 0,
                     "its client is the original's: this is a forked copy");
  if (!is_path(page->path))
    return cell_fail(error, CELL_INVALID_ARGUMENT, 0, "malformed path");
  if (decide(client, &page->target, error) < 0)
    return -1;
  if (client->exchange_count == CELL_CLIENT_EXCHANGES_MAX)
    return cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
                     "%d requests of its client are open already",
                     CELL_CLIENT_EXCHANGES_MAX);
  exchange->token = cell_token_new(client->reactor);
  if (exchange->token == 0)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a request");
  exchange->client = client;
  client->references++;
  exchange->next = client->exchanges;
  client->exchanges = exchange;
  client->exchange_count++;
  if (begin(exchange, page, request, error) < 0) {
    cell_exchange_close(exchange);
    return -1;
  }
  return 0;
}

int cell_exchange_head(struct cell_exchange *exchange,
                       struct cell_client_head *head)
{
  return exchange->made != NULL &&
         exchange->client->library->head(exchange->made, head);
}

size_t cell_exchange_readable(struct cell_exchange *exchange)
{
  return exchange->made != NULL
           ? exchange->client->library->readable(exchange->made)
           : 0;
}

size_t cell_exchange_read(struct cell_exchange *exchange, void *bytes,
                          size_t size)
{
  return exchange->made != NULL
           ? exchange->client->library->read(exchange->made, bytes, size)
           : 0;
}

size_t cell_exchange_write(struct cell_exchange *exchange, const void *bytes,
                           size_t size)
{
  return exchange->made != NULL
           ? exchange->client->library->write(exchange->made, bytes, size)
           : size; /* nobody waits for it any more */
}

void cell_exchange_finish(struct cell_exchange *exchange)
{
  if (exchange->made != NULL)
    exchange->client->library->finish(exchange->made);
}

/* What was refused here says more than what the library makes of it; as long as
** it goes on there may be another address.
*/
int cell_exchange_outcome(struct cell_exchange *exchange,
                          struct cell_error *error)
{
  int is_refusal = exchange->error.kind == CELL_DENIED_BY_POLICY;
  int outcome = 0;

  if (exchange->made != NULL)
    outcome = exchange->client->library->outcome(exchange->made, error);
  if (outcome > 0)
    return 1;
  if (outcome < 0 && !(is_refusal && error->kind == CELL_DENIED_BY_POLICY))
    return -1;
  if (outcome == 0 && (is_refusal || exchange->error.kind == CELL_OK))
    return 0;
  *error = exchange->error;
  return -1;
}

void cell_exchange_close(struct cell_exchange *exchange)
{
  struct cell_client *client = exchange->client;
  struct cell_exchange **at;

  if (client == NULL)
    return;
  leave_library(exchange);
  for (at = &client->exchanges; *at != exchange;)
    at = &(*at)->next;
  *at = exchange->next;
  client->exchange_count--;
  exchange->client = NULL;
  cell_token_free(client->reactor, exchange->token);
  cell_client_release(client);
}
