/* exchange.c -- the bytes of a request and of its answer (see exchange.h).
**
** Bounded both ways: what nobody has read yet stops the receiving, and what the
** server does not take stops the sender. Both are told to go on from outside of
** libcurl's callbacks alone.
*/
#include "exchange.h"

#include "quiet.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- what has come ---- */

static void changed(struct exchange *exchange)
{
  struct cell_client_owner *owner = exchange->client->owner;

  owner->changed(owner, exchange->name);
}

static long status_of(struct exchange *exchange)
{
  long status = 0;

  curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

/* libcurl unpacks the transfer codings that it knows, asked or not: a small
** answer could become a large one.
*/
static int is_bad_coding(const char *line, size_t size)
{
  static const char name[] = "transfer-encoding:";
  size_t length = sizeof name - 1;

  if (size < length || strncasecmp(line, name, length) != 0)
    return 0;
  line += length;
  size -= length;
  while (size > 0 && (*line == ' ' || *line == '\t')) {
    line++;
    size--;
  }
  while (size > 0 && strchr(" \t\r\n", line[size - 1]) != NULL)
    size--;
  return size != 7 || strncasecmp(line, "chunked", 7) != 0;
}

/* Of interim answers and trailers libcurl keeps however many fields come. */
static size_t count_beside(struct exchange *exchange, size_t length)
{
  exchange->beside += length;
  if (exchange->beside <= CELL_CLIENT_HEAD_MAX)
    return length;
  exchange->is_too_long = 1;
  return 0;
}

/* One line, with its end: of an interim answer, of the answer, of a trailer. */
size_t cell_curl_headed(char *bytes, size_t size, size_t count, void *data)
{
  struct exchange *exchange = data;
  size_t length = size * count;

  if (exchange->head_is_there)
    return count_beside(exchange, length);
  if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
    size_t before = exchange->head.size;

    cell_queue_clear(&exchange->head);
    return count_beside(exchange, before + length) > 0 ? length : 0;
  }
  if (length <= 2) { /* the empty line */
    if (status_of(exchange) >= 200 ||
        (exchange->may_upgrade && status_of(exchange) == 101)) {
      exchange->head_is_there = 1;
      changed(exchange);
    }
    return length;
  }
  if (is_bad_coding(bytes, length)) {
    exchange->has_bad_coding = 1;
    return 0;
  }
  if (cell_queue_put(&exchange->head, bytes, length, CELL_CLIENT_HEAD_MAX) <
      0) {
    exchange->is_too_long = 1;
    return 0;
  }
  return length;
}

size_t cell_curl_received(char *bytes, size_t size, size_t count, void *data)
{
  struct exchange *exchange = data;

  if (cell_queue_put(&exchange->in, bytes, size * count, CELL_CLIENT_KEPT_MAX) <
      0) {
    exchange->in_is_paused = 1;
    return CURL_WRITEFUNC_PAUSE;
  }
  changed(exchange);
  return size * count;
}

size_t cell_curl_sent(char *bytes, size_t size, size_t count, void *data)
{
  struct exchange *exchange = data;
  size_t taken = cell_queue_take(&exchange->out, bytes, size * count);

  if (taken > 0) {
    changed(exchange);
    return taken;
  }
  if (exchange->out_is_finished)
    return 0;
  exchange->out_is_paused = 1;
  return CURL_READFUNC_PAUSE;
}

/* ---- what the owner does with it ---- */

static void go_on(struct exchange *exchange)
{
  struct cell_quiet quiet;
  int paused = (exchange->in_is_paused ? CURLPAUSE_RECV : 0) |
               (exchange->out_is_paused ? CURLPAUSE_SEND : 0);

  if (!exchange->is_running || exchange->is_done)
    return;
  cell_quiet_begin(&quiet);
  curl_easy_pause(exchange->easy, paused);
  cell_quiet_end(&quiet);
}

int cell_curl_head(void *data, struct cell_client_head *head)
{
  struct exchange *exchange = data;

  if (!exchange->head_is_there)
    return 0;
  head->status = (int)status_of(exchange);
  head->size = exchange->head.size;
  head->bytes =
    head->size > 0 ? (char *)exchange->head.bytes + exchange->head.from : "";
  return 1;
}

size_t cell_curl_readable(void *data)
{
  return ((struct exchange *)data)->in.size;
}

size_t cell_curl_read(void *data, void *bytes, size_t size)
{
  struct exchange *exchange = data;
  size_t count = cell_queue_take(&exchange->in, bytes, size);

  if (exchange->in_is_paused && exchange->in.size < CELL_CLIENT_KEPT_MAX / 2) {
    exchange->in_is_paused = 0;
    go_on(exchange);
  }
  return count;
}

static void send_more(struct exchange *exchange)
{
  if (!exchange->out_is_paused)
    return;
  exchange->out_is_paused = 0;
  go_on(exchange);
}

size_t cell_curl_write(void *data, const void *bytes, size_t size)
{
  struct exchange *exchange = data;
  size_t room = CELL_CLIENT_KEPT_MAX - exchange->out.size;

  if (exchange->out_is_finished || exchange->is_done)
    return size; /* nobody waits for it any more */
  if (size > room)
    size = room;
  if (cell_queue_put(&exchange->out, bytes, size, CELL_CLIENT_KEPT_MAX) < 0)
    return 0;
  if (size > 0)
    send_more(exchange);
  return size;
}

void cell_curl_finish(void *data)
{
  struct exchange *exchange = data;

  exchange->out_is_finished = 1;
  send_more(exchange);
}

/* ---- how it ended ---- */

/* One line that is too long for libcurl is no lack of memory. */
static int is_head_too_long(const struct exchange *exchange)
{
  return exchange->is_too_long ||
         (exchange->code == CURLE_OUT_OF_MEMORY && !exchange->head_is_there);
}

/* The proxy has said no, and the server has heard nothing. */
static int is_refused_by_proxy(const struct exchange *exchange)
{
  long status = 0;

  curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  return status >= 300;
}

static enum cell_kind kind_of(const struct exchange *exchange)
{
  switch (exchange->code) {
  case CURLE_OPERATION_TIMEDOUT:
    return CELL_TIMEOUT;
  case CURLE_OUT_OF_MEMORY:
    return is_head_too_long(exchange) ? CELL_PROTOCOL : CELL_OUT_OF_MEMORY;
  case CURLE_COULDNT_CONNECT:
    return exchange->was_refused ? CELL_DENIED_BY_POLICY : CELL_UNAVAILABLE;
  case CURLE_PROXY:
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM:
  case CURLE_GOT_NOTHING:
  case CURLE_PARTIAL_FILE:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_SEND_FAIL_REWIND:
  case CURLE_SSL_CONNECT_ERROR:
    return CELL_UNAVAILABLE;
  case CURLE_SSL_CACERT_BADFILE:
    return CELL_INVALID_ARGUMENT;
  default:
    return CELL_PROTOCOL;
  }
}

static const char *text_of(const struct exchange *exchange)
{
  if (is_head_too_long(exchange))
    return exchange->head_is_there
             ? "the trailers of the answer are longer than 64 KiB"
             : "the head of the answer is longer than 64 KiB";
  if (exchange->has_bad_coding)
    return "the answer has a transfer coding that nobody asked for";
  if (exchange->was_refused && exchange->code == CURLE_COULDNT_CONNECT)
    return "its address may not be connected to";
  if (exchange->code == CURLE_SEND_FAIL_REWIND)
    return "the server closed the connection as the request came";
  return exchange->text[0] != '\0' ? exchange->text
                                   : curl_easy_strerror(exchange->code);
}

int cell_curl_outcome(void *data, struct cell_error *error)
{
  struct exchange *exchange = data;

  if (!exchange->is_done)
    return 0;
  if (exchange->code == CURLE_OK && exchange->head_is_there)
    return 1;
  if (exchange->code == CURLE_OK) /* which libcurl takes for an answer */
    return cell_fail(error, CELL_UNAVAILABLE, 0,
                     "the server closed the connection within its head");
  cell_fail(error, kind_of(exchange), 0, "%s", text_of(exchange));
  if (exchange->code == CURLE_COULDNT_CONNECT ||
      exchange->code == CURLE_SSL_CONNECT_ERROR ||
      exchange->code == CURLE_PROXY || is_refused_by_proxy(exchange))
    strcpy(error->stage, CELL_CLIENT_UNSENT);
  return -1;
}
