/* handover_fuzz.c -- a request that the egress hands over is the one that the
** server reads.
**
** The input is what code in a sandbox has sent. What the egress accepts, and
** writes anew, goes to the server by libmicrohttpd: it must find one request at
** most, with the target and the one Host that were decided by, and give no
** other however the bytes after the head are put together.
**
** Run as frame_fuzz.c says, linked with the whole engine and libmicrohttpd.
*/
#include "descriptor.h"
#include "egress/request.h"
#include "http/server_library.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct cell_server_library cell_microhttpd_library;
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct cell_server_library *const library =
  &cell_microhttpd_library;
static void *server;
static struct cell_head decided;
static unsigned calls, closed_count;

static void demand(int holds)
{
  if (!holds)
    abort();
}

static unsigned count_hosts(const struct cell_server_head *head)
{
  const char *at = head->fields, *end = head->fields + head->size;
  unsigned count = 0;

  while (at < end) {
    const char *line = memchr(at, '\n', (size_t)(end - at));

    demand(line != NULL);
    if (strncasecmp(at, "Host:", 5) == 0) {
      count++;
      demand((size_t)(line - at) == 7 + decided.host_length &&
             memcmp(at + 6, decided.host, decided.host_length) == 0);
    }
    at = line + 1;
  }
  return count;
}

static int arrived(struct cell_server_owner *owner, void *call)
{
  static const struct cell_server_answer answer = {200, NULL, NULL, 0, 0, NULL};
  struct cell_server_head head;

  (void)owner;
  library->head(call, &head);
  demand(++calls == 1);
  demand(strlen(head.target) == decided.target_length &&
         memcmp(head.target, decided.target, decided.target_length) == 0);
  demand(strlen(head.method) == decided.method_length &&
         memcmp(head.method, decided.method, decided.method_length) == 0);
  demand(count_hosts(&head) == (decided.host != NULL));
  library->name(call, call);
  demand(library->answer(call, &answer, NULL) == 0);
  library->finish(call);
  return 1;
}

static void changed(struct cell_server_owner *owner, void *call)
{
  (void)owner;
  (void)call;
}

static void ended(struct cell_server_owner *owner, void *call)
{
  (void)owner;
  library->release(call);
}

static void awaited(struct cell_server_owner *owner)
{
  (void)owner;
}

static void closed(struct cell_server_owner *owner, uint32_t about)
{
  (void)owner;
  (void)about;
  closed_count++;
}

/* To its end: the client sends all of it and reads the answer. */
static void serve(const unsigned char *text, size_t size)
{
  unsigned before = closed_count;
  char answer[4096];
  int ends[2], turns;

  demand(cell_fd_pair(SOCK_STREAM, ends) == 0);
  demand(cell_fd_nonblocking(ends[0]) == 0 &&
         cell_fd_nonblocking(ends[1]) == 0);
  demand(send(ends[0], text, size, MSG_NOSIGNAL) == (ssize_t)size);
  demand(library->adopt(server, &ends[1], 1, NULL) == 0);
  for (turns = 0; turns < 64 && closed_count == before; turns++) {
    library->run(server);
    while (recv(ends[0], answer, sizeof answer, 0) > 0)
      continue;
    if (turns == 8)
      shutdown(ends[0], SHUT_WR);
    if (turns == 16)
      cell_fd_close(&ends[0]);
  }
  cell_fd_close(&ends[0]);
  demand(closed_count > before);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static struct cell_server_owner owner = {arrived, changed, ended,
                                           NULL,    awaited, closed};
  static const struct cell_server_limits limits = {16, 60, 5, 65536};
  unsigned char *text;
  size_t written;

  if (server == NULL)
    server = library->open(&owner, &limits, NULL, NULL);
  demand(server != NULL);
  if (size > CELL_HEAD_MAX || cell_head_read(&decided, bytes, size) != 1 ||
      decided.target[0] != '/')
    return 0;
  calls = 0;
  decided.upgrades = 0;
  if (cell_request_write(&decided, bytes, size, NULL, 0, &text, &written) < 0)
    return 0;
  serve(text, written);
  free(text);
  return 0;
}
