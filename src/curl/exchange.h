/* exchange.h -- one request and its answer, from within: for exchange.c (their
** bytes), begin.c (what is asked of libcurl) and multi.c (all of a client).
*/
#ifndef CELL_EXCHANGE_H
#define CELL_EXCHANGE_H

#include "../http/client_library.h"
#include "../http/queue.h"

#include <curl/curl.h>

struct socket_entry;

struct client {
  CURLM *multi;
  struct cell_client_owner *owner;
  struct socket_entry *sockets; /* those that are open */
};

struct exchange {
  struct client *client;
  void *name; /* what the owner calls it */
  CURL *easy;
  struct curl_slist *headers, *addresses;
  struct cell_queue head, in, out;
  size_t beside;      /* bytes of fields that are none of the head */
  int is_running;     /* the multi handle has it */
  int head_is_there;  /* all of it */
  int may_upgrade;    /* 101 is no interim answer */
  int was_refused;    /* an address was */
  int is_too_long;    /* its head */
  int has_bad_coding; /* one that nobody asked for */
  int in_is_paused, out_is_paused;
  int out_is_finished;
  int is_done;
  CURLcode code; /* when done */
  char text[CURL_ERROR_SIZE];
};

/* ---- multi.c ---- */

extern const struct cell_client_library cell_curl_library;

curl_socket_t cell_curl_open_socket(void *exchange, curlsocktype purpose,
                                    struct curl_sockaddr *address);
int cell_curl_close_socket(void *client, curl_socket_t fd);
/* An exchange that is ending. */
void cell_curl_forget(struct client *client, const struct exchange *exchange);
/* The owner's alarm, and the outcome of what has ended meanwhile. */
void cell_curl_look(struct client *client);

/* ---- begin.c ---- */

void *cell_curl_begin(void *client, const char *url,
                      const struct cell_client_request *request, void *name,
                      struct cell_error *error);
int cell_curl_go(void *exchange, const char *host, unsigned port,
                 const struct cell_address *addresses, size_t count,
                 struct cell_error *error);
void cell_curl_end(void *exchange);

/* ---- exchange.c ---- */

/* libcurl's callbacks. */
size_t cell_curl_headed(char *bytes, size_t size, size_t count, void *exchange);
size_t cell_curl_received(char *bytes, size_t size, size_t count,
                          void *exchange);
size_t cell_curl_sent(char *bytes, size_t size, size_t count, void *exchange);

int cell_curl_head(void *exchange, struct cell_client_head *head);
size_t cell_curl_read(void *exchange, void *bytes, size_t size);
size_t cell_curl_readable(void *exchange);
size_t cell_curl_write(void *exchange, const void *bytes, size_t size);
void cell_curl_finish(void *exchange);
int cell_curl_outcome(void *exchange, struct cell_error *error);

#endif
