/* server.c -- see server.h. */
#include "server_private.h"

#include "../container.h"
#include "../descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCEPTS 16          /* at one listener in one turn of the reactor */
#define REST_MS 100         /* when there is no descriptor, or no place, left */
#define BACKLOG 4096        /* the kernel has a bound of its own */
#define LEFT_MAX (1u << 20) /* bytes of numbers that nobody has asked for */

/* ---- turning ---- */

static void arm(struct cell_server *server)
{
  long left = server->library->timeout_ms(server->made);

  if (left < 0)
    cell_timer_disarm(server->reactor, &server->timer);
  else
    cell_timer_arm(server->reactor, &server->timer,
                   cell_clock_after(cell_reactor_clock(server->reactor), left),
                   NULL);
}

static void turn(struct cell_server *server)
{
  server->library->run(server->made);
  arm(server);
}

static void ready(struct cell_source *source, uint32_t events)
{
  (void)events;
  turn(CELL_CONTAINER(source, struct cell_server, source));
}

static void time_passed(struct cell_timer *timer)
{
  turn(CELL_CONTAINER(timer, struct cell_server, timer));
}

/* ---- listening ---- */

static void rest(struct cell_server *server)
{
  cell_timer_arm(server->reactor, &server->rest,
                 cell_clock_after(cell_reactor_clock(server->reactor), REST_MS),
                 NULL);
}

/* There is room for one more to come, as long as anybody is idle. */
static void look(struct cell_server *server)
{
  int is_full = server->connections >= server->limits.connections;
  size_t i;

  if (is_full && server->listener_count > 0 &&
      !server->library->part(server->made))
    rest(server);
  for (i = 0; i < server->listener_count; i++)
    cell_source_want(server->reactor, &server->listeners[i].source,
                     is_full || server->rest.place != 0 ? 0 : EPOLLIN);
}

static void rested(struct cell_timer *timer)
{
  look(CELL_CONTAINER(timer, struct cell_server, rest));
}

/* Of a socket of the file system: it is for this user alone, whatever rights
** the file has by now.
*/
static int is_own(const struct listener *listener, int fd)
{
  struct ucred peer = {0, (uid_t)-1, (gid_t)-1};
  socklen_t size = sizeof peer;

  return listener->address.sun_family != AF_UNIX ||
         (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
          peer.uid == geteuid());
}

static void knocked(struct cell_source *source, uint32_t events)
{
  struct listener *listener = CELL_CONTAINER(source, struct listener, source);
  struct cell_server *server = listener->server;
  int i, fd;

  (void)events;
  for (i = 0; i < ACCEPTS && server->connections < server->limits.connections;
       i++) {
    fd = cell_fd_above_stdio(
      accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd >= 0 && !is_own(listener, fd)) {
      cell_fd_close(&fd);
      continue;
    }
    if (fd >= 0) {
      cell_server_adopt(server, &fd, 0, NULL);
      continue;
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
      rest(server);
    break;
  }
  look(server);
}

static int open_listener(struct sockaddr_storage *address, socklen_t *size,
                         struct cell_error *error)
{
  struct sockaddr *there = (struct sockaddr *)address;
  int on = 1;
  int fd = cell_fd_above_stdio(
    socket(there->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

  if (fd >= 0 && there->sa_family != AF_UNIX)
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind(fd, there, *size) < 0 || listen(fd, BACKLOG) < 0) {
    cell_fail(error, cell_kind_of(errno), errno, "listen");
    cell_fd_close(&fd);
    return -1;
  }
  if (there->sa_family == AF_UNIX)
    chmod(((struct sockaddr_un *)address)->sun_path, 0600);
  else {
    *size = sizeof *address;
    getsockname(fd, there, size);
  }
  return fd;
}

/* Takes *fd, which nobody else listens with. */
static int add_listener(struct cell_server *server, int *fd,
                        const struct sockaddr_storage *address,
                        struct cell_error *error)
{
  struct listener *listener = &server->listeners[server->listener_count];

  memset(listener, 0, sizeof *listener);
  if (address != NULL && address->ss_family == AF_UNIX)
    memcpy(&listener->address, address, sizeof listener->address);
  listener->server = server;
  listener->fd = cell_fd_take(fd);
  listener->source = (struct cell_source){listener->fd, EPOLLIN, knocked, 0};
  if (cell_source_add(server->reactor, &listener->source, error) < 0) {
    cell_fd_close(&listener->fd);
    return -1;
  }
  server->listener_count++;
  return 0;
}

static int has_place(const struct cell_server *server, struct cell_error *error)
{
  if (server->listener_count < CELL_SERVER_LISTENERS_MAX)
    return 1;
  cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
            "listen: a server listens at %d places at most",
            CELL_SERVER_LISTENERS_MAX);
  return 0;
}

int cell_server_listen(struct cell_server *server,
                       struct sockaddr_storage *address, socklen_t *size,
                       struct cell_error *error)
{
  int fd;

  if (!has_place(server, error))
    return -1;
  fd = open_listener(address, size, error);
  return fd < 0 ? -1 : add_listener(server, &fd, address, error);
}

int cell_server_listen_with(struct cell_server *server, int *fd,
                            struct cell_error *error)
{
  if (has_place(server, error))
    return add_listener(server, fd, NULL, error);
  cell_fd_close(fd);
  return -1;
}

int cell_server_adopt(struct cell_server *server, int *fd, uint32_t about,
                      struct cell_error *error)
{
  if (server->made == NULL || !cell_reactor_owned(server->reactor)) {
    cell_fd_close(fd);
    return cell_fail(error, CELL_CANCELLED, 0, "adopt: the server is closed");
  }
  server->connections++;
  if (server->library->adopt(server->made, fd, about, error) < 0) {
    server->connections--;
    return -1;
  }
  arm(server);
  return 0;
}

/* ---- what the library tells ---- */

static int arrived(struct cell_server_owner *owner, void *made)
{
  struct cell_server *server = CELL_CONTAINER(owner, struct cell_server, owner);
  struct cell_call *call = calloc(1, sizeof *call);

  if (call != NULL)
    call->token = cell_token_new(server->reactor);
  if (call == NULL || call->token == 0) {
    free(call);
    return 0;
  }
  call->server = server;
  call->made = made;
  server->library->name(made, call);
  if (server->last != NULL)
    server->last->next = call;
  else
    server->first = call;
  server->last = call;
  cell_token_post(server->reactor, server->token);
  return 1;
}

static void changed(struct cell_server_owner *owner, void *data)
{
  struct cell_call *call = data;

  (void)owner;
  cell_token_post(call->server->reactor, call->token);
}

static void ended(struct cell_server_owner *owner, void *data)
{
  struct cell_call *call = data;

  (void)owner;
  cell_call_unwatch(call);
  cell_duplex_close(&call->duplex);
  cell_token_post(call->server->reactor, call->token);
}

static int upgraded(struct cell_server_owner *owner, void *data, int fd,
                    const void *early, size_t size)
{
  (void)owner;
  return cell_call_upgraded(data, fd, early, size);
}

static void awaited(struct cell_server_owner *owner)
{
  struct cell_server *server = CELL_CONTAINER(owner, struct cell_server, owner);

  cell_timer_arm(server->reactor, &server->timer,
                 cell_clock_now(cell_reactor_clock(server->reactor)), NULL);
}

static void closed(struct cell_server_owner *owner, uint32_t about)
{
  struct cell_server *server = CELL_CONTAINER(owner, struct cell_server, owner);

  server->connections--;
  if (about != 0 &&
      cell_queue_put(&server->left, &about, sizeof about, LEFT_MAX) == 0)
    cell_token_post(server->reactor, server->token);
  look(server);
}

/* ---- beginning and end ---- */

struct cell_server *cell_server_new(struct cell_reactor *reactor,
                                    const struct cell_server_library *library,
                                    const struct cell_server_limits *limits,
                                    const struct cell_server_identity *identity,
                                    struct cell_error *error)
{
  struct cell_server *server = calloc(1, sizeof *server);

  if (server == NULL) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a server of HTTP");
    return NULL;
  }
  server->references = 1;
  server->reactor = cell_reactor_keep(reactor);
  server->library = library;
  server->limits = *limits;
  server->owner = (struct cell_server_owner){arrived,  changed, ended,
                                             upgraded, awaited, closed};
  server->timer.due = time_passed;
  server->rest.due = rested;
  server->token = cell_token_new(reactor);
  if (server->token != 0)
    server->made = library->open(&server->owner, limits, identity, error);
  else
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a server of HTTP");
  if (server->made != NULL) {
    server->source =
      (struct cell_source){library->pollfd(server->made), EPOLLIN, ready, 0};
    if (cell_source_add(reactor, &server->source, error) == 0)
      return server;
  }
  cell_server_release(server);
  return NULL;
}

void cell_server_stop_listening(struct cell_server *server)
{
  while (server->listener_count > 0) {
    struct listener *listener = &server->listeners[--server->listener_count];

    cell_source_remove(server->reactor, &listener->source);
    cell_fd_close(&listener->fd);
    if (listener->address.sun_path[0] != '\0' &&
        cell_reactor_owned(server->reactor))
      unlink(listener->address.sun_path);
  }
}

void cell_server_close(struct cell_server *server)
{
  struct cell_call *call;

  cell_server_stop_listening(server);
  if (server->made == NULL)
    return;
  cell_source_remove(server->reactor, &server->source);
  while ((call = cell_server_next(server)) != NULL)
    cell_call_release(call);
  if (cell_reactor_owned(server->reactor))
    server->library->close(server->made);
  else
    server->library->abandon(server->made);
  server->made = NULL;
  cell_timer_disarm(server->reactor, &server->timer);
  cell_timer_disarm(server->reactor, &server->rest);
}

void cell_server_release(struct cell_server *server)
{
  if (server == NULL || --server->references > 0)
    return;
  server->references = 1; /* for the calls that nobody has taken */
  cell_server_close(server);
  if (server->token != 0)
    cell_token_free(server->reactor, server->token);
  cell_queue_clear(&server->left);
  cell_reactor_release(server->reactor);
  free(server);
}

struct cell_reactor *cell_server_reactor(const struct cell_server *server)
{
  return server->reactor;
}

uint32_t cell_server_token(const struct cell_server *server)
{
  return server->token;
}

unsigned cell_server_connections(const struct cell_server *server)
{
  return server->connections;
}

struct cell_call *cell_server_next(struct cell_server *server)
{
  struct cell_call *call = server->first;

  if (call == NULL)
    return NULL;
  server->first = call->next;
  if (server->first == NULL)
    server->last = NULL;
  call->next = NULL;
  server->references++;
  return call;
}

uint32_t cell_server_left(struct cell_server *server)
{
  uint32_t about = 0;

  cell_queue_take(&server->left, &about, sizeof about);
  return about;
}
