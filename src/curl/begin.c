/* begin.c -- what is asked of libcurl (see exchange.h).
**
** Nothing that the process's environment or its user's files say: no netrc, no
** cookies, no proxy but the one that is given, and nothing is followed, decoded
** or retried unasked.
*/
#include "exchange.h"

#include "quiet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 30000L
#define UNLIMITED_MS 0L /* the caller has a deadline of its own */

static int add(struct curl_slist **list, const char *text)
{
  struct curl_slist *longer = curl_slist_append(*list, text);

  if (longer == NULL)
    return -1;
  *list = longer;
  return 0;
}

/* What libcurl would add by itself is what a caller has not asked for. */
static int set_headers(struct exchange *exchange,
                       const struct cell_client_request *request)
{
  const char *const *at = request->headers;
  int has_accept = 0;

  for (; *at != NULL; at++) {
    has_accept = has_accept || strncasecmp(*at, "Accept:", 7) == 0;
    if (add(&exchange->headers, *at) < 0)
      return -1;
  }
  if (!has_accept && add(&exchange->headers, "Accept:") < 0)
    return -1;
  if (add(&exchange->headers, "Expect:") < 0)
    return -1;
  curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers);
  return 0;
}

static void set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                   (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* On a connection that was kept, and is closed as the request comes, libcurl
** asks again by itself, if it can begin with the body anew: it cannot, unless
** there is none.
*/
static int could_run_twice(const struct cell_client_request *request)
{
  static const char *const harmless[] = {"GET", "HEAD", "OPTIONS", "PUT",
                                         "DELETE"};
  size_t i;

  for (i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
    if (strcmp(request->method, harmless[i]) == 0)
      return 0;
  return !request->has_body || request->length == 0;
}

static void set_method(CURL *easy, const struct cell_client_request *request)
{
  if (could_run_twice(request) || request->may_upgrade)
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  if (request->may_upgrade)
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  if (request->has_body) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                     (curl_off_t)request->length);
  } else if (strcmp(request->method, "HEAD") == 0) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Those that are named, and no others. */
static void set_authorities(CURL *easy,
                            const struct cell_client_request *request)
{
  const char *file = request->ca_file[0] != '\0' ? request->ca_file : NULL;
  const char *path = request->ca_path[0] != '\0' ? request->ca_path : NULL;

  if (file == NULL && path == NULL)
    return;
  curl_easy_setopt(easy, CURLOPT_CAINFO, file);
  curl_easy_setopt(easy, CURLOPT_CAPATH, path);
  curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, file);
  curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, path);
}

/* What is for the server is not told to the proxy, nor what the proxy says of
** itself taken for an answer.
*/
static void set_proxy(CURL *easy, const struct cell_client_request *request)
{
  curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void set_transport(struct exchange *exchange, const char *url,
                          const struct cell_client_request *request)
{
  CURL *easy = exchange->easy;

  set_protocols(easy);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                   request->may_share ? (long)CURL_HTTP_VERSION_2TLS
                                      : (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)request->may_share);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, UNLIMITED_MS);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  set_authorities(easy, request);
  set_proxy(easy, request);
  if (request->socket[0] != '\0')
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, cell_curl_open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, exchange);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, cell_curl_close_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, exchange->client);
}

static void set_callbacks(struct exchange *exchange)
{
  CURL *easy = exchange->easy;

  curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->text);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, cell_curl_headed);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, cell_curl_received);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, cell_curl_sent);
  curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
}

void *cell_curl_begin(void *client, const char *url,
                      const struct cell_client_request *request, void *name,
                      struct cell_error *error)
{
  struct exchange *exchange = calloc(1, sizeof *exchange);

  if (exchange != NULL)
    exchange->easy = curl_easy_init();
  if (exchange == NULL || exchange->easy == NULL)
    goto failed;
  exchange->client = client;
  exchange->name = name;
  exchange->may_upgrade = request->may_upgrade;
  set_transport(exchange, url, request);
  set_method(exchange->easy, request);
  set_callbacks(exchange);
  if (set_headers(exchange, request) == 0)
    return exchange;

failed:
  if (exchange != NULL)
    cell_curl_end(exchange);
  cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a request");
  return NULL;
}

/* "host:port:address,address": so libcurl asks nobody for the name. */
static int set_addresses(struct exchange *exchange, const char *host,
                         unsigned port, const struct cell_address *addresses,
                         size_t count)
{
  char line[320 + 8 * (CELL_ADDRESS_TEXT + 3)], text[CELL_ADDRESS_TEXT];
  size_t i;
  int size = snprintf(line, 320, "%s:%u:", host, port);

  if (size < 0 || size >= 320 || count > 8)
    return -1;
  for (i = 0; i < count; i++) {
    cell_address_text(&addresses[i], text);
    size += snprintf(line + size, sizeof line - (size_t)size,
                     strchr(text, ':') != NULL ? "%s[%s]" : "%s%s",
                     i > 0 ? "," : "", text);
  }
  if (add(&exchange->addresses, line) < 0)
    return -1;
  curl_easy_setopt(exchange->easy, CURLOPT_RESOLVE, exchange->addresses);
  return 0;
}

int cell_curl_go(void *data, const char *host, unsigned port,
                 const struct cell_address *addresses, size_t count,
                 struct cell_error *error)
{
  struct exchange *exchange = data;
  struct cell_quiet quiet;
  CURLMcode code;

  /* A host that is an address itself is looked up by nobody. */
  if (host[0] != '\0' &&
      set_addresses(exchange, host, port, addresses, count) < 0)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a request");
  cell_quiet_begin(&quiet);
  code = curl_multi_add_handle(exchange->client->multi, exchange->easy);
  cell_quiet_end(&quiet);
  if (code != CURLM_OK)
    return cell_fail(error, CELL_SYSTEM, 0, "start a request: %s",
                     curl_multi_strerror(code));
  exchange->is_running = 1;
  return 0;
}

void cell_curl_end(void *data)
{
  struct exchange *exchange = data;
  struct cell_quiet quiet;

  if (exchange->client != NULL)
    cell_curl_forget(exchange->client, exchange);
  cell_quiet_begin(&quiet);
  if (exchange->client != NULL && exchange->is_running)
    curl_multi_remove_handle(exchange->client->multi, exchange->easy);
  curl_easy_cleanup(exchange->easy);
  cell_quiet_end(&quiet);
  curl_slist_free_all(exchange->headers);
  curl_slist_free_all(exchange->addresses);
  cell_queue_clear(&exchange->head);
  cell_queue_clear(&exchange->in);
  cell_queue_clear(&exchange->out);
  free(exchange);
}
