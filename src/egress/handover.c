/* handover.c -- requests that Lua answers: those by plain HTTP for a name that
** the policy hands over, and those to the proxy itself (see egress.h).
**
** What is handed over is one end of a pair of sockets. The bridge to it is that
** of any other visit: it counts, it has a bound, and it is cut when the policy
** changes. Only a request that was read here, and written anew, comes first.
*/
#include "visit.h"

#include "../descriptor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define HEAD_MS 30000
#define WAITING_MAX 4096
#define HANDSHAKE 0x16

void cell_egress_be_server(struct cell_egress *egress)
{
  egress->is_server = 1;
}

struct cell_handed *cell_egress_handed(struct cell_egress *egress)
{
  struct cell_handed *handed = egress->handed;

  if (handed == NULL)
    return NULL;
  egress->handed = handed->next;
  if (egress->handed == NULL)
    egress->handed_last = NULL;
  egress->handed_count--;
  return handed;
}

void cell_handed_clear(struct cell_egress *egress)
{
  struct cell_handed *handed;

  while ((handed = cell_egress_handed(egress)) != NULL) {
    cell_fd_close(&handed->fd);
    free(handed);
  }
}

static int add(struct cell_visit *visit)
{
  struct cell_egress *egress = visit->egress;
  struct cell_handed *handed;
  int ends[2];

  cell_fd_close(&visit->place_fd);
  handed =
    egress->handed_count < WAITING_MAX ? calloc(1, sizeof *handed) : NULL;
  if (handed == NULL || cell_fd_pair(SOCK_STREAM, ends) < 0) {
    free(handed);
    return -1;
  }
  if (cell_fd_nonblocking(ends[0]) < 0 || cell_fd_nonblocking(ends[1]) < 0) {
    cell_fd_close(&ends[0]);
    cell_fd_close(&ends[1]);
    free(handed);
    return -1;
  }
  visit->server_fd = ends[0];
  handed->fd = ends[1];
  handed->target = visit->target;
  if (egress->handed_last != NULL)
    egress->handed_last->next = handed;
  else
    egress->handed = handed;
  egress->handed_last = handed;
  egress->handed_count++;
  if (egress->sandbox != NULL)
    cell_token_post(egress->reactor, cell_sandbox_token(egress->sandbox));
  return 0;
}

/* visit->early is the request, as it was written anew. */
static void hand(struct cell_visit *visit)
{
  visit->kind = CELL_VISIT_REQUEST;
  visit->is_handed = 1;
  if (add(visit) < 0)
    cell_visit_fail(visit, "the host has no room for it");
  else
    cell_visit_open(visit);
}

int cell_visit_hand(struct cell_visit *visit)
{
  if (visit->heard || !cell_policy_hands(visit->egress->policy, &visit->target))
    return 0;
  if (visit->kind == CELL_VISIT_REQUEST) {
    hand(visit);
    return 1;
  }
  if (visit->kind != CELL_VISIT_DIRECT)
    return 0; /* a tunnel is the client's own affair, and gets nothing */
  visit->state = CELL_VISIT_HEARING;
  cell_visit_wait(visit, EPOLLIN, HEAD_MS);
  return 1;
}

/* As it came, but the last of its connection, which changes to nothing else. */
static void write_and_hand(struct cell_visit *visit, struct cell_head *head)
{
  head->upgrades = 0;
  if (cell_visit_rewrite(visit, head, NULL, 0) < 0)
    cell_visit_reset(visit);
  else
    hand(visit);
}

void cell_visit_serve(struct cell_visit *visit, struct cell_head *head)
{
  cell_visit_wait(visit, 0, -1);
  write_and_hand(visit, head);
}

static void refuse(struct cell_visit *visit, enum cell_refusal_why why,
                   const char *detail)
{
  cell_egress_refuse(visit->egress, &visit->target, why, detail);
  cell_visit_refuse(visit, why, detail);
}

static void take(struct cell_visit *visit, struct cell_head *head)
{
  struct cell_target said;

  if (head->host == NULL ||
      cell_target_read(&said, head->host, head->host_length, 80) < 0)
    refuse(visit, CELL_REFUSED_PROTOCOL, "HTTP without a valid Host");
  else if (strcmp(said.name, visit->target.name) != 0)
    refuse(visit, CELL_REFUSED_SERVER_NAME,
           said.name[0] != '\0' ? said.name : "an address");
  else if (head->target[0] != '/')
    refuse(visit, CELL_REFUSED_PROTOCOL, "HTTP as to a proxy");
  else
    write_and_hand(visit, head);
}

/* TLS is for the server itself, and is never opened. */
void cell_visit_hear(struct cell_visit *visit)
{
  struct cell_head head;
  long count = cell_visit_read(visit, CELL_HEAD_MAX);
  int read;

  if (count < 0) {
    cell_visit_reset(visit);
    return;
  }
  if (count == 0)
    return;
  if (visit->early[0] == HANDSHAKE) {
    visit->heard = 1;
    cell_visit_go(visit);
    return;
  }
  read = cell_head_read(&head, visit->early, visit->early_size);
  if (read == 0)
    return;
  cell_visit_wait(visit, 0, -1);
  if (read < 0)
    refuse(visit, CELL_REFUSED_PROTOCOL, "malformed HTTP");
  else
    take(visit, &head);
}
