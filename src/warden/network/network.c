/* network.c -- see network.h. */
#include "network.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMES_BUFFER 16384

static int raise_loopback(void)
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

/* Port 53 takes rights that nobody has inside. Little is kept of what the code
** sends there: it is answered or lost.
*/
static int open_names(void)
{
  struct sockaddr_in here;
  int size = NAMES_BUFFER;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return -1;
  memset(&here, 0, sizeof here);
  here.sin_family = AF_INET;
  here.sin_port = htons(53);
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0 &&
      bind(fd, (struct sockaddr *)&here, sizeof here) == 0)
    return fd;
  close(fd);
  return -1;
}

int network_furnish(void)
{
  return raise_loopback() < 0 ? -1 : open_names();
}

static int make(const struct network_pool *pool, struct network *network)
{
  int number;

  network->space = network->names = -1;
  if (unshare(CLONE_NEWNET) < 0)
    return -1;
  network->names = network_furnish();
  if (network->names >= 0)
    network->space =
      openat(pool->process, "../self/ns/net", O_RDONLY | O_CLOEXEC);
  number = errno;
  setns(pool->home, CLONE_NEWNET);
  errno = number;
  if (network->space >= 0)
    return 0;
  network_release(network);
  errno = number;
  return -1;
}

void network_release(struct network *network)
{
  if (network->space >= 0)
    close(network->space);
  if (network->names >= 0)
    close(network->names);
  network->space = network->names = -1;
}

/* Ends with the stem, whose end of the socket is then closed. */
static void serve(struct network_pool *pool, int socket,
                  const struct self_title *title)
{
  struct network network;
  int fds[3], number;

  self_name(title, "codecell-network", "");
  prctl(PR_SET_NAME, "codecell-networ", 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  fds[0] = socket;
  fds[1] = pool->process;
  fds[2] = pool->home;
  self_keep_only(fds, 3);
  while (wire_receive(socket, &pool->message, 1) == 1) {
    number = make(pool, &network) < 0 ? errno : 0;
    fds[0] = network.space;
    fds[1] = network.names;
    if (wire_send_all(socket, 0, (uint64_t)number, NULL, fds,
                      number == 0 ? 2 : 0) < 0)
      break;
    network_release(&network);
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
  struct network network;

  if (wire_receive(pool->maker, &pool->message, 1) != 1) {
    network_close(pool);
    return 0;
  }
  pool->asked--;
  network.space = wire_take(&pool->message, 0);
  network.names = wire_take(&pool->message, 1);
  if (network.space >= 0 && network.names >= 0) {
    pool->ready[pool->count++] = network;
    return 0;
  }
  network_release(&network);
  errno = pool->message.frame.request != 0 ? (int)pool->message.frame.request
                                           : EMFILE;
  return -1;
}

int network_take(struct network_pool *pool, struct network *network)
{
  network->space = network->names = -1;
  while (pool->count == 0) {
    if (pool->asked == 0)
      network_ask(pool);
    if (pool->maker < 0)
      return make(pool, network);
    if (network_receive(pool) < 0)
      return -1;
  }
  *network = pool->ready[--pool->count];
  return 0;
}
