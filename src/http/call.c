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

int cell_call_is_upgraded(const struct cell_call *call)
{
  return call->duplex.reactor != NULL;
}

/* Whoever ends its side waits for no answer any more, unless it is on its way.
 */
static void left(struct cell_source *source, uint32_t events)
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

void cell_call_watch(struct cell_call *call)
{
  enum cell_server_state state = cell_call_state(call);
  struct cell_server_head head;

  if (call->source.ready != NULL || cell_call_is_upgraded(call) ||
      state == CELL_CALL_BROKEN || state == CELL_CALL_ANSWERED)
    return;
  cell_call_head(call, &head);
  call->source = (struct cell_source){head.fd, EPOLLRDHUP, left, 0};
  if (cell_source_add(call->server->reactor, &call->source, NULL) < 0)
    call->source.ready = NULL;
}

static void parted(struct cell_duplex *duplex)
{
  struct cell_call *call = CELL_CONTAINER(duplex, struct cell_call, duplex);

  call->server->library->finish(call->made);
}

int cell_call_upgraded(struct cell_call *call, int fd, const void *early,
                       size_t size)
{
  cell_call_unwatch(call);
  call->duplex.over = parted;
  call->duplex.library = call->server->library;
  call->duplex.made = call->made;
  return cell_duplex_open(&call->duplex, call->server->reactor, fd, call->token,
                          early, size) == 0;
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
  return cell_call_is_upgraded(call)
           ? call->duplex.in.size
           : call->server->library->readable(call->made);
}

size_t cell_call_read(struct cell_call *call, void *bytes, size_t size)
{
  if (!is_there(call))
    return 0;
  return cell_call_is_upgraded(call)
           ? cell_duplex_read(&call->duplex, bytes, size)
           : call->server->library->read(call->made, bytes, size);
}

int cell_call_has_all(struct cell_call *call)
{
  return cell_call_is_upgraded(call)
           ? call->duplex.has_ended && call->duplex.in.size == 0
           : call->server->library->has_all(call->made);
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

int cell_call_upgrade(struct cell_call *call,
                      const struct cell_server_answer *answer,
                      struct cell_error *error)
{
  if (!is_there(call))
    return cell_fail(error, CELL_CANCELLED, 0,
                     "upgrade: the call is the original's");
  return call->server->library->upgrade(call->made, answer, error);
}

size_t cell_call_write(struct cell_call *call, const void *bytes, size_t size)
{
  if (!is_there(call))
    return size;
  return cell_call_is_upgraded(call)
           ? cell_duplex_write(&call->duplex, bytes, size)
           : call->server->library->write(call->made, bytes, size);
}

void cell_call_finish(struct cell_call *call)
{
  if (is_there(call) && cell_call_is_upgraded(call))
    cell_duplex_finish(&call->duplex);
  else if (is_there(call))
    call->server->library->finish(call->made);
}

void cell_call_abort(struct cell_call *call)
{
  cell_duplex_close(&call->duplex);
  if (is_there(call))
    call->server->library->abort(call->made);
}

static enum cell_server_state state_of(const struct cell_duplex *duplex)
{
  return duplex->is_broken       ? CELL_CALL_BROKEN
         : !duplex->is_finishing ? CELL_CALL_OPEN
         : duplex->out.size > 0  ? CELL_CALL_FINISHED
                                 : CELL_CALL_ANSWERED;
}

enum cell_server_state cell_call_state(struct cell_call *call)
{
  if (is_there(call) && cell_call_is_upgraded(call))
    return state_of(&call->duplex);
  return is_there(call) ? call->server->library->state(call->made)
                        : CELL_CALL_BROKEN;
}

void cell_call_release(struct cell_call *call)
{
  struct cell_server *server = call->server;

  cell_call_unwatch(call);
  cell_duplex_close(&call->duplex);
  cell_token_free(server->reactor, call->token);
  if (is_there(call))
    server->library->release(call->made);
  free(call);
  cell_server_release(server);
}
