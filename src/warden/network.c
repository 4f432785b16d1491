/* network.c -- see network.h. */
#include "network.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

int network_raise(void)
{
  struct ifreq request;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int result;

  if (fd < 0)
    return -1;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  result = ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
  return result;
}

static int make(const struct network_pool *pool)
{
  int fd = -1, number;

  if (unshare(CLONE_NEWNET) < 0)
    return -1;
  if (network_raise() == 0)
    fd = openat(pool->process, "../self/ns/net", O_RDONLY | O_CLOEXEC);
  number = errno;
  setns(pool->home, CLONE_NEWNET);
  errno = number;
  return fd;
}

/* Ends with the stem, whose end of the socket is then closed. */
static void serve(struct network_pool *pool, int socket,
                  const struct self_title *title)
{
  int fds[3], fd;

  self_name(title, "codecell-network", "");
  prctl(PR_SET_NAME, "codecell-networ", 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  fds[0] = socket;
  fds[1] = pool->process;
  fds[2] = pool->home;
  self_keep_only(fds, 3);
  while (wire_receive(socket, &pool->message, 1) == 1) {
    fd = make(pool);
    if (wire_send(socket, 0, fd < 0 ? (uint64_t)errno : 0, NULL, fd) < 0)
      break;
    if (fd >= 0)
      close(fd);
  }
  _exit(0);
}

int network_start(struct network_pool *pool, int process, int home,
                  const struct self_title *title)
{
  int ends[2];
  pid_t pid;

  memset(pool, 0, offsetof(struct network_pool, message));
  pool->process = process;
  pool->home = home;
  pool->maker = -1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return -1;
  pid = fork();
  if (pid == 0)
    serve(pool, ends[1], title);
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return -1;
  }
  pool->maker = ends[0];
  network_ask(pool);
  return 0;
}

void network_close(struct network_pool *pool)
{
  if (pool->maker >= 0)
    close(pool->maker);
  pool->maker = -1;
  pool->asked = 0;
}

void network_ask(struct network_pool *pool)
{
  if (pool->maker < 0 || pool->count + pool->asked >= NETWORKS_MAX)
    return;
  if (wire_send(pool->maker, 0, 0, NULL, -1) < 0)
    network_close(pool);
  else
    pool->asked++;
}

int network_receive(struct network_pool *pool)
{
  int fd;

  if (wire_receive(pool->maker, &pool->message, 1) != 1) {
    network_close(pool);
    return 0;
  }
  pool->asked--;
  fd = wire_take(&pool->message, 0);
  if (fd >= 0) {
    pool->ready[pool->count++] = fd;
    return 0;
  }
  errno = pool->message.frame.request != 0 ? (int)pool->message.frame.request
                                           : EMFILE;
  return -1;
}

int network_take(struct network_pool *pool)
{
  while (pool->count == 0) {
    if (pool->asked == 0)
      network_ask(pool);
    if (pool->maker < 0)
      return make(pool);
    if (network_receive(pool) < 0)
      return -1;
  }
  return pool->ready[--pool->count];
}
