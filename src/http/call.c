/* call.c -- one request and its answer (see server.h). */
#include "../container.h"
#include "server_private.h"

#include <stdlib.h>
#include <sys/epoll.h>

void cell_call_unwatch(struct cell_call *call)
{
  if (call->source.ready != NULL)
    cell_source_remove(call->server->reactor, &call->source);
  call->source.ready = NULL;
}

/* Whoever ends its side waits for no answer any more, unless it is on its way.
 */
void cell_call_left(struct cell_source *source, uint32_t events)
{
  struct cell_call *call = CELL_CONTAINER(source, struct cell_call, source);

  cell_call_unwatch(call);
  if ((events & (EPOLLHUP | EPOLLERR)) == 0 &&
      cell_call_state(call) != CELL_CALL_OPEN)
    return;
  call->server->library->drop(call->made);
  cell_token_post(call->server->reactor, call->token);
}

/* A forked copy of the host has let go of the library's state. */
static int is_there(const struct cell_call *call)
{
  return cell_reactor_owned(call->server->reactor);
}

uint32_t cell_call_token(const struct cell_call *call)
{
  return call->token;
}

void cell_call_head(struct cell_call *call, struct cell_server_head *head)
{
  call->server->library->head(call->made, head);
}

size_t cell_call_readable(struct cell_call *call)
{
  return call->server->library->readable(call->made);
}

size_t cell_call_read(struct cell_call *call, void *bytes, size_t size)
{
  return is_there(call) ? call->server->library->read(call->made, bytes, size)
                        : 0;
}

int cell_call_has_all(struct cell_call *call)
{
  return call->server->library->has_all(call->made);
}

int cell_call_answer(struct cell_call *call,
                     const struct cell_server_answer *answer,
                     struct cell_error *error)
{
  if (!is_there(call))
    return cell_fail(error, CELL_CANCELLED, 0,
                     "answer: the call is the original's");
  return call->server->library->answer(call->made, answer, error);
}

size_t cell_call_write(struct cell_call *call, const void *bytes, size_t size)
{
  return is_there(call) ? call->server->library->write(call->made, bytes, size)
                        : size;
}

void cell_call_finish(struct cell_call *call)
{
  if (is_there(call))
    call->server->library->finish(call->made);
}

void cell_call_abort(struct cell_call *call)
{
  if (is_there(call))
    call->server->library->abort(call->made);
}

enum cell_server_state cell_call_state(struct cell_call *call)
{
  return is_there(call) ? call->server->library->state(call->made)
                        : CELL_CALL_BROKEN;
}

void cell_call_release(struct cell_call *call)
{
  struct cell_server *server = call->server;

  cell_call_unwatch(call);
  cell_token_free(server->reactor, call->token);
  if (is_there(call))
    server->library->release(call->made);
  free(call);
  cell_server_release(server);
}
