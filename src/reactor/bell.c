/* bell.c -- see bell.h. */
#include "bell.h"

#include "../descriptor.h"
#include "../start/launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char folder_template[] = "/tmp/codecell-XXXXXX";
static const char socket_name[] = "/bell";

static void remove_path(struct cell_bell *bell)
{
  char *path = bell->address.sun_path;
  char *name = strrchr(path, '/');

  if (name == NULL || bell->owner != getpid())
    return;
  unlink(path);
  *name = '\0';
  rmdir(path);
  *path = '\0';
}

void cell_bell_close(struct cell_bell *bell)
{
  cell_fd_close(&bell->listener);
  remove_path(bell);
  cell_launch_reap(bell->pidfd);
  cell_fd_close(&bell->pidfd);
}

int cell_bell_listen(struct cell_bell *bell, struct cell_error *error)
{
  char *path = bell->address.sun_path;

  *bell = (struct cell_bell)CELL_BELL_CLOSED;
  bell->address.sun_family = AF_UNIX;
  memcpy(path, folder_template, sizeof folder_template);
  if (mkdtemp(path) == NULL) {
    *path = '\0';
    return cell_fail(error, cell_kind_of(errno), errno,
                     "make a folder in /tmp");
  }
  bell->owner = getpid();
  memcpy(path + strlen(path), socket_name, sizeof socket_name);
  bell->listener = cell_fd_above_stdio(
    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (bell->listener < 0 ||
      bind(bell->listener, (struct sockaddr *)&bell->address,
           sizeof bell->address) < 0 ||
      listen(bell->listener, 4) < 0) {
    cell_fail(error, CELL_SYSTEM, errno, "listen on %s", path);
    cell_bell_close(bell);
    return -1;
  }
  return 0;
}

/* The next connection that this very process has made, or -1. */
static int accept_own(int listener)
{
  int socket;

  do
    socket = cell_fd_above_stdio(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
  while (socket < 0 && (errno == EINTR || errno == ECONNABORTED));
  while (socket >= 0) {
    struct ucred peer = {0, 0, 0};
    socklen_t size = sizeof peer;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        peer.pid == getpid())
      break;
    cell_fd_close(&socket);
    socket = cell_fd_above_stdio(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
  }
  return socket;
}

int cell_bell_accept(struct cell_bell *bell, int reactor,
                     struct cell_error *error)
{
  struct cell_launched launched;
  int given[2] = {reactor, -1};
  int result;

  if (bell->listener < 0)
    return cell_fail(error, CELL_UNAVAILABLE, 0, "the bell is closed");
  given[1] = accept_own(bell->listener);
  if (given[1] < 0)
    return errno == EAGAIN
             ? 0
             : cell_fail(error, CELL_SYSTEM, errno, "accept a connection");
  cell_fd_close(&bell->listener);
  remove_path(bell);
  result = cell_launch(&launched, "codecell-relay", given, error);
  cell_fd_close(&given[1]);
  if (result < 0)
    return -1;
  cell_fd_close(&launched.channel); /* the socket says all that there is */
  bell->pidfd = launched.pidfd;
  return 1;
}
