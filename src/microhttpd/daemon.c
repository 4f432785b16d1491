/* daemon.c -- a server: its sockets, and turning it (see server_library.h). */
#include "call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLAGS                                                                  \
  (MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME)
#define MEMORY (2 * CELL_SERVER_HEAD_MAX) /* of a connection */

/* ---- sockets ---- */

static void forget(struct server *server, struct guest *guest)
{
  if (guest->next != NULL)
    guest->next->previous = guest->previous;
  if (guest->previous != NULL)
    guest->previous->next = guest->next;
  else
    server->guests = guest->next;
  if (server->adopted == guest)
    server->adopted = NULL;
  free(guest);
}

static struct guest *find(struct server *server,
                          struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info =
    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct guest *guest = server->guests;

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
  guest->next = server->guests;
  if (guest->next != NULL)
    guest->next->previous = guest;
  server->guests = server->adopted = guest;
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
  MHD_run(((struct server *)data)->daemon);
}

static long timeout_ms(void *data)
{
  MHD_UNSIGNED_LONG_LONG ms;

  if (MHD_get_timeout(((struct server *)data)->daemon, &ms) != MHD_YES)
    return -1;
  return ms < 3600000 ? (long)ms : 3600000;
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

static void *open_server(struct cell_server_owner *owner,
                         const struct cell_server_limits *limits,
                         struct cell_error *error)
{
  struct server *server = calloc(1, sizeof *server);

  if (server != NULL) {
    server->owner = owner;
    server->daemon = MHD_start_daemon(
      FLAGS, 0, NULL, NULL, cell_mhd_serve, server, MHD_OPTION_CONNECTION_LIMIT,
      limits->connections, MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_s,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
      cell_mhd_new, server, MHD_OPTION_NOTIFY_COMPLETED, cell_mhd_ended, server,
      MHD_OPTION_NOTIFY_CONNECTION, came_or_left, server,
      MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_END);
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
  struct guest *guest = server->guests;

  close(pollfd_of(server));
  for (; guest != NULL; guest = guest->next)
    close(guest->fd);
}

const struct cell_server_library cell_microhttpd_library = {
  CELL_SERVER_VERSION, open_server,
  close_server,        abandon,
  pollfd_of,           run,
  timeout_ms,          adopt,
  cell_mhd_name,       cell_mhd_head,
  cell_mhd_readable,   cell_mhd_read,
  cell_mhd_has_all,    cell_mhd_answer,
  cell_mhd_write,      cell_mhd_finish,
  cell_mhd_abort,      cell_mhd_drop,
  cell_mhd_state,      cell_mhd_release};
