/* client.h -- requests by HTTP, on the reactor.
**
** A client has its own connections, which it keeps for later requests, its own
** names and one policy: what one of them may reach, no other does by it.
** Reference counted by its exchanges. Nothing blocks; nothing is followed,
** decoded or repeated.
*/
#ifndef CELL_CLIENT_H
#define CELL_CLIENT_H

#include "../egress/directory.h"
#include "../egress/policy.h"
#include "client_library.h"

#define CELL_CLIENT_EXCHANGES_MAX 1024

struct cell_client;

struct cell_client_libraries {
  const struct cell_client_library *http;
  const struct cell_resolver_library *names;
};

struct cell_exchange {
  struct cell_client *client; /* kept; NULL: ended */
  struct cell_exchange *next; /* private, as what follows */
  void *made;
  struct cell_lookup lookup;
  struct cell_target target;
  uint32_t token;          /* posted when something has changed */
  struct cell_error error; /* kind CELL_OK: it has not failed here */
};

/* `policy` is kept; NULL: every name and address. servers: as resolver.h. */
struct cell_client *cell_client_new(
  struct cell_reactor *reactor, const struct cell_client_libraries *libraries,
  const char *servers, struct cell_policy *policy, struct cell_error *error);
/* Ends every exchange of it: theirs is CANCELLED from now on. */
void cell_client_close(struct cell_client *client);
void cell_client_release(struct cell_client *client);
struct cell_reactor *cell_client_reactor(const struct cell_client *client);

struct cell_page {
  int is_tls;
  struct cell_target target;
  const char *path; /* with a query, as the first line of a request has it */
  int has_proxy;    /* which is connected to, and finds the server */
  struct cell_target proxy;
};

/* Begin to find the server and to ask it. *exchange, zeroed before, stays where
** it is until cell_exchange_close; on failure it needs none.
*/
int cell_exchange_open(struct cell_exchange *exchange,
                       struct cell_client *client, const struct cell_page *page,
                       const struct cell_client_request *request,
                       struct cell_error *error);
/* The library's function of the same name; 0 once it has failed or ended. */
int cell_exchange_head(struct cell_exchange *exchange,
                       struct cell_client_head *head);
size_t cell_exchange_readable(struct cell_exchange *exchange);
size_t cell_exchange_read(struct cell_exchange *exchange, void *bytes,
                          size_t size);
size_t cell_exchange_write(struct cell_exchange *exchange, const void *bytes,
                           size_t size);
void cell_exchange_finish(struct cell_exchange *exchange);
int cell_exchange_outcome(struct cell_exchange *exchange,
                          struct cell_error *error);
/* Idempotent. */
void cell_exchange_close(struct cell_exchange *exchange);

#endif
