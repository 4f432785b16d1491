/* daemon.c -- a server: its sockets, and turning it (see server_library.h). */
#include "call.h"

#include "../descriptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLAGS                                                                  \
  (MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |       \
   MHD_ALLOW_UPGRADE)
#define PARTING_MS 5L /* it is turned again, and says nothing of it */
#define VERSIONS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define NEW_MS 1000  /* that a client is new */
#define ROUNDS_MAX 8 /* in a turn: each does one step with a connection */

/* ---- sockets ---- */

static long now_ms(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void enter(struct guests *guests, struct guest *guest)
{
  guest->previous = NULL;
  guest->next = guests->first;
  if (guest->next != NULL)
    guest->next->previous = guest;
  else
    guests->last = guest;
  guests->first = guest;
}

static void leave(struct guests *guests, struct guest *guest)
{
  if (guest->next != NULL)
    guest->next->previous = guest->previous;
  else
    guests->last = guest->previous;
  if (guest->previous != NULL)
    guest->previous->next = guest->next;
  else
    guests->first = guest->next;
}

static void forget(struct server *server, struct guest *guest)
{
  leave(guest->has_asked ? &server->known : &server->silent, guest);
  if (server->adopted == guest)
    server->adopted = NULL;
  free(guest);
}

static void get_known(struct server *server, struct guest *guest)
{
  leave(guest->has_asked ? &server->known : &server->silent, guest);
  guest->has_asked = 1;
  enter(&server->known, guest);
}

void cell_mhd_asks(struct server *server, struct guest *guest)
{
  guest->is_asking = 1;
  if (!guest->has_asked)
    get_known(server, guest);
}

void cell_mhd_rests(struct server *server, struct guest *guest)
{
  guest->is_asking = 0;
  get_known(server, guest);
}

/* libmicrohttpd's own deadline begins anew with each byte that comes. */
static void part_with_silent(struct server *server)
{
  long now = now_ms();
  struct guest *guest;

  while ((guest = server->silent.last) != NULL && guest->until_ms <= now) {
    shutdown(guest->fd, SHUT_RDWR);
    get_known(server, guest); /* not to be looked at again */
  }
}

/* Those that have not asked for anything go first, but for who came just now.
 */
static int part(void *data)
{
  struct server *server = data;
  struct guest *silent = server->silent.last, *guest = server->known.last;
  long new_ms = now_ms() + server->first_s * 1000L - NEW_MS;

  while (guest != NULL && (guest->is_asking || guest->is_leaving))
    guest = guest->previous;
  if (silent != NULL && silent->until_ms <= new_ms)
    guest = silent;
  if (guest == NULL)
    return 0;
  shutdown(guest->fd, SHUT_RDWR);
  guest->is_leaving = 1;
  get_known(server, guest);
  return 1;
}

static struct guest *find(struct server *server,
                          struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info =
    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct guest *guest = server->silent.first;

  while (guest != NULL && (info == NULL || guest->fd != info->connect_fd))
    guest = guest->next;
  return guest;
}

static void came_or_left(void *data, struct MHD_Connection *connection,
                         void **context,
                         enum MHD_ConnectionNotificationCode code)
{
  struct server *server = data;
  struct guest *guest = *context;
  uint32_t about;

  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    *context = find(server, connection);
    return;
  }
  *context = NULL;
  if (guest == NULL)
    return;
  about = guest->about;
  forget(server, guest);
  server->owner->closed(server->owner, about);
}

static int adopt(void *data, int *fd, uint32_t about, struct cell_error *error)
{
  struct server *server = data;
  struct guest *guest = calloc(1, sizeof *guest);
  struct sockaddr_storage there;
  socklen_t size = sizeof there;
  int taken = *fd;

  *fd = -1;
  memset(&there, 0, sizeof there);
  if (guest == NULL || getsockname(taken, (void *)&there, &size) < 0) {
    free(guest);
    close(taken);
    return cell_fail(error, CELL_OUT_OF_MEMORY, errno, "adopt a connection");
  }
  guest->fd = taken;
  guest->about = about;
  guest->until_ms = now_ms() + server->first_s * 1000L;
  enter(&server->silent, guest);
  server->adopted = guest;
  if (MHD_add_connection(server->daemon, taken, (void *)&there, size) ==
        MHD_YES ||
      server->adopted == NULL) { /* it came, and was told to have left */
    server->adopted = NULL;
    return 0;
  }
  forget(server, guest); /* and the socket was closed */
  return cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
                   "adopt a connection: the server has too many");
}

void cell_mhd_cork(struct call *call, int is_corked)
{
#ifdef TCP_CORK
  /* Once its connection has ended the number may be another one's. */
  if (call->connection == NULL || call->fd < 0 || call->is_corked == is_corked)
    return;
  call->is_corked = is_corked;
  (void)setsockopt(call->fd, IPPROTO_TCP, TCP_CORK, &is_corked,
                   sizeof is_corked);
#else
  (void)call;
  (void)is_corked;
#endif
}

/* ---- turning ---- */

static int pollfd_of(void *data)
{
  struct server *server = data;
  const union MHD_DaemonInfo *info =
    MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);

  return info != NULL ? info->epoll_fd : -1;
}

static void run(void *data)
{
  struct server *server = data;
  MHD_UNSIGNED_LONG_LONG ms;
  int i;

  part_with_silent(server);
  for (i = 0; i < ROUNDS_MAX; i++) {
    MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &ms) != MHD_YES || ms > 0)
      return;
  }
}

static long timeout_ms(void *data)
{
  struct server *server = data;
  MHD_UNSIGNED_LONG_LONG ms;
  long left =
    server->silent.last != NULL ? server->silent.last->until_ms - now_ms() : -1;

  if (server->silent.last != NULL && left < 0)
    left = 0;
  if (MHD_get_timeout(server->daemon, &ms) != MHD_YES)
    return server->parting > 0 ? PARTING_MS : left;
  if (ms > 3600000)
    ms = 3600000;
  if (server->parting > 0 && ms > PARTING_MS)
    ms = PARTING_MS;
  return left >= 0 && left < (long)ms ? left : (long)ms;
}

/* ---- beginning and end ---- */

/* What is sent is passed on as it is. */
static size_t leave_escaped(void *data, struct MHD_Connection *connection,
                            char *text)
{
  (void)data;
  (void)connection;
  return strlen(text);
}

static struct MHD_Daemon *
start_daemon(struct server *server, const struct cell_server_limits *limits,
             const struct cell_server_identity *identity)
{
  struct MHD_OptionItem tls[] = {
    {MHD_OPTION_HTTPS_PRIORITIES, 0, VERSIONS},
    {MHD_OPTION_HTTPS_MEM_CERT, 0, NULL},
    {MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
    {MHD_OPTION_END, 0, NULL},
  };
  unsigned flags = FLAGS;

  if (identity != NULL) {
    flags |= MHD_USE_TLS;
    tls[1].ptr_value = (void *)identity->certificate;
    tls[2].ptr_value = (void *)identity->key;
  } else {
    tls[0].option = MHD_OPTION_END;
  }
  return MHD_start_daemon(
    flags, 0, NULL, NULL, cell_mhd_serve, server, MHD_OPTION_CONNECTION_LIMIT,
    limits->connections, MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_s,
    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)2 * limits->head,
    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, cell_mhd_new,
    server, MHD_OPTION_NOTIFY_COMPLETED, cell_mhd_ended, server,
    MHD_OPTION_NOTIFY_CONNECTION, came_or_left, server,
    MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_ARRAY, tls,
    MHD_OPTION_END);
}

static void *open_server(struct cell_server_owner *owner,
                         const struct cell_server_limits *limits,
                         const struct cell_server_identity *identity,
                         struct cell_error *error)
{
  struct server *server;
  int held[3];

  if (identity != NULL && cell_mhd_check_identity(identity, error) < 0)
    return NULL;
  server = calloc(1, sizeof *server);
  if (server != NULL) {
    server->owner = owner;
    server->idle_s = limits->idle_s;
    server->first_s = limits->first_s;
    cell_fd_hold_stdio(held);
    server->daemon = start_daemon(server, limits, identity);
    cell_fd_let_go(held);
  }
  if (server == NULL || server->daemon == NULL) {
    free(server);
    cell_fail(error, CELL_SYSTEM, errno, "make a server of HTTP");
    return NULL;
  }
  return server;
}

static void close_server(void *data)
{
  struct server *server = data;
  struct call *call;

  for (call = server->calls; call != NULL; call = call->next)
    cell_mhd_drop(call); /* nothing may be suspended */
  MHD_stop_daemon(server->daemon);
  free(server);
}

/* The library's own state is left: what it would say is the original's. */
static void abandon(void *data)
{
  struct server *server = data;
  struct guest *guest;

  close(pollfd_of(server));
  for (guest = server->silent.first; guest != NULL; guest = guest->next)
    close(guest->fd);
  for (guest = server->known.first; guest != NULL; guest = guest->next)
    close(guest->fd);
}

const struct cell_server_library cell_microhttpd_library = {CELL_SERVER_VERSION,
                                                            open_server,
                                                            close_server,
                                                            abandon,
                                                            pollfd_of,
                                                            run,
                                                            timeout_ms,
                                                            adopt,
                                                            part,
                                                            cell_mhd_name,
                                                            cell_mhd_head,
                                                            cell_mhd_readable,
                                                            cell_mhd_read,
                                                            cell_mhd_has_all,
                                                            cell_mhd_answer,
                                                            cell_mhd_upgrade,
                                                            cell_mhd_receive,
                                                            cell_mhd_send,
                                                            cell_mhd_write,
                                                            cell_mhd_finish,
                                                            cell_mhd_abort,
                                                            cell_mhd_drop,
                                                            cell_mhd_state,
                                                            cell_mhd_release};
