/* proxy.c -- what a client of the proxy asks for: an HTTP tunnel, one HTTP
** request, or a SOCKS connection (see visit.h).
**
** The decision is that of any other connection. A request for http:// is
** rewritten to what its server expects, and the connection carries that one
** alone.
*/
#include "visit.h"

#include "head.h"
#include "request.h"
#include "socks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SCHEME "http://"

/* Drop what was understood. */
static void consume(struct cell_visit *visit, size_t count)
{
  visit->early_size -= count;
  memmove(visit->early, visit->early + count, visit->early_size);
}

/* ---- HTTP ---- */

static void ask_tunnel(struct cell_visit *visit, const struct cell_head *head)
{
  struct cell_target target;
  int read = cell_target_read(&target, head->target, head->target_length, 0);

  visit->kind = CELL_VISIT_CONNECT;
  consume(visit, head->length);
  if (read < 0) {
    cell_visit_reject(visit);
    return;
  }
  visit->target = target;
  cell_visit_go(visit);
}

int cell_visit_rewrite(struct cell_visit *visit, const struct cell_head *head,
                       const char *authority, size_t authority_length)
{
  unsigned char *text;
  size_t size;

  if (cell_request_write(head, visit->early, visit->early_size, authority,
                         authority_length, &text, &size) < 0)
    return -1;
  free(visit->early);
  visit->early = text;
  visit->early_size = size;
  return 0;
}

static void ask_request(struct cell_visit *visit, const struct cell_head *head)
{
  size_t skipped = sizeof SCHEME - 1, length = 0, left;
  const char *authority = head->target + skipped;
  struct cell_target target;

  visit->kind = CELL_VISIT_REQUEST;
  if (head->target_length <= skipped ||
      !cell_head_is(head->target, skipped, SCHEME)) {
    cell_visit_reject(visit);
    return;
  }
  left = head->target_length - skipped;
  while (length < left && strchr("/?", authority[length]) == NULL)
    length++;
  if (memchr(authority, '#', left) != NULL ||
      cell_target_read(&target, authority, length, 80) < 0 ||
      cell_visit_rewrite(visit, head, authority, length) < 0) {
    cell_visit_reject(visit);
    return;
  }
  visit->target = target;
  cell_visit_go(visit);
}

static void ask_by_http(struct cell_visit *visit)
{
  struct cell_head head;
  int read = cell_head_read(&head, visit->early, visit->early_size);

  if (read == 0)
    return;
  if (read < 0)
    cell_visit_reject(visit);
  else if (head.method_length == 7 && memcmp(head.method, "CONNECT", 7) == 0)
    ask_tunnel(visit, &head);
  else if (visit->egress->is_server && head.target[0] == '/')
    cell_visit_serve(visit, &head);
  else
    ask_request(visit, &head);
}

/* ---- SOCKS ---- */

static int say(struct cell_visit *visit, const void *bytes, size_t size)
{
  return send(visit->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) ==
             (ssize_t)size
           ? 0
           : -1;
}

static void refuse_socks(struct cell_visit *visit, enum cell_socks_reply reply)
{
  unsigned char bytes[10] = {CELL_SOCKS_VERSION, 0, 0, 1};

  bytes[1] = (unsigned char)reply;
  say(visit, bytes, sizeof bytes);
  cell_visit_reset(visit);
}

static void ask_by_socks(struct cell_visit *visit)
{
  static const unsigned char method[2] = {CELL_SOCKS_VERSION, 0};
  struct cell_target target;
  enum cell_socks_reply reply;
  long used;

  if (!visit->greeted) {
    used = cell_socks_methods(visit->early, visit->early_size);
    if (used == 0)
      return;
    if (used < 0 || say(visit, method, sizeof method) < 0) {
      cell_visit_reset(visit);
      return;
    }
    visit->greeted = 1;
    consume(visit, (size_t)used);
  }
  used = cell_socks_request(visit->early, visit->early_size, &target, &reply);
  if (used == 0)
    return;
  if (used < 0) {
    refuse_socks(visit, reply);
    return;
  }
  consume(visit, (size_t)used);
  visit->kind = CELL_VISIT_SOCKS;
  visit->target = target;
  cell_visit_go(visit);
}

/* ---- both ---- */

void cell_visit_asked(struct cell_visit *visit)
{
  long count = cell_visit_read(visit, CELL_HEAD_MAX);

  if (count < 0)
    cell_visit_reset(visit);
  else if (visit->greeted ||
           (count > 0 && visit->early[0] == CELL_SOCKS_VERSION))
    ask_by_socks(visit);
  else if (count > 0)
    ask_by_http(visit);
}

int cell_visit_greet(struct cell_visit *visit)
{
  static const char connected[] = "HTTP/1.1 200 Connection established\r\n\r\n";
  static const unsigned char done[10] = {CELL_SOCKS_VERSION, CELL_SOCKS_DONE, 0,
                                         1};

  if (visit->kind == CELL_VISIT_CONNECT)
    return say(visit, connected, sizeof connected - 1);
  if (visit->kind == CELL_VISIT_SOCKS)
    return say(visit, done, sizeof done);
  return 0;
}
