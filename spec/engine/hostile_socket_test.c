/* hostile_socket_test.c -- a warden that has been taken over, against the host:
** the sockets of a network, which come out of it. #S055 #S056 #S111
*/
#include "hostile.h"

#include "egress/egress.h"

#include <fcntl.h>
#include <netinet/in.h>

static void *resolver_open(struct cell_resolver_owner *owner,
                           const char *servers)
{
  (void)owner;
  (void)servers;
  return NULL;
}

static const struct cell_resolver_library nobody = {
  CELL_RESOLVER_VERSION, resolver_open, NULL, NULL, NULL, NULL};

/* A sandbox that waits for its hello and has a network. */
static void open_gated(struct fake *fake)
{
  struct cell_sandbox_options options = SMALL_SANDBOX;
  static const struct cell_egress_limits limits = {16, 0};
  struct cell_policy *policy = cell_policy_new(CELL_NETWORK_NAMED, NULL);
  struct cell_egress *egress;
  int ends[2];

  if (cell_fd_pair(SOCK_SEQPACKET, ends) < 0 || policy == NULL)
    abort();
  fake->end = ends[1];
  fake->request = 1;
  fake->reactor = cell_reactor_new(NULL);
  egress = cell_egress_new(fake->reactor, policy, &nobody, "", &limits, NULL);
  cell_policy_release(policy);
  if (egress == NULL)
    abort();
  options.gateway = cell_egress_gateway(egress);
  fake->sandbox =
    cell_sandbox_attach(fake->reactor, &options, ends[0], -1, NULL);
  if (fake->sandbox == NULL ||
      cell_egress_join(egress, fake->sandbox, NULL) < 0)
    abort();
}

static int bound(int family, int type, int listens)
{
  struct sockaddr_in address = {0};
  int fd = socket(family, type | SOCK_CLOEXEC, 0);

  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (family == AF_INET)
    bind(fd, (struct sockaddr *)&address, sizeof address);
  if (listens)
    listen(fd, 1);
  return fd;
}

/* The host's verdict on one socket of that kind. */
static enum cell_kind verdict(uint32_t kind, uint32_t port, int fd,
                              size_t count)
{
  struct fake fake;
  int fds[2];
  enum cell_kind said;

  fds[0] = fds[1] = fd;
  open_gated(&fake);
  say_with(&fake, fds, count, CELL_SOCKET, 0, "44", kind, port);
  step(&fake);
  said = cell_sandbox_error(fake.sandbox)->kind;
  close_fake(&fake);
  return said;
}

static void wrong_sockets(void)
{
  int listener = bound(AF_INET, SOCK_STREAM, 1);
  int stream = bound(AF_INET, SOCK_STREAM, 0);
  int datagrams = bound(AF_INET, SOCK_DGRAM, 0);
  int local = bound(AF_UNIX, SOCK_STREAM, 0);
  int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  check(verdict(CELL_SOCKET_PORT, 80, listener, 1) == CELL_OK &&
          verdict(CELL_SOCKET_PROXY, CELL_PROXY_PORT, listener, 1) == CELL_OK &&
          verdict(CELL_SOCKET_NAMES, 53, datagrams, 1) == CELL_OK &&
          verdict(CELL_SOCKET_NAMES_STREAM, 53, listener, 1) == CELL_OK,
        "listeners and a socket for names are taken");
  check(verdict(CELL_SOCKET_PORT, 80, stream, 1) == CELL_PROTOCOL &&
          verdict(CELL_SOCKET_PORT, 80, datagrams, 1) == CELL_PROTOCOL &&
          verdict(CELL_SOCKET_NAMES, 53, listener, 1) == CELL_PROTOCOL &&
          verdict(CELL_SOCKET_NAMES_STREAM, 53, datagrams, 1) == CELL_PROTOCOL,
        "another socket than is meant breaks the protocol #S056");
  check(verdict(CELL_SOCKET_PORT, 80, local, 1) == CELL_PROTOCOL &&
          verdict(CELL_SOCKET_PORT, 80, folder, 1) == CELL_PROTOCOL,
        "so does what is no socket of the internet #S056");
  check(verdict(CELL_SOCKET_PORT, 80, listener, 2) == CELL_PROTOCOL &&
          verdict(CELL_SOCKET_PORT, 80, listener, 0) == CELL_PROTOCOL,
        "and none, or two #S055");
  check(verdict(7, 80, listener, 1) == CELL_PROTOCOL &&
          verdict(CELL_SOCKET_PORT, 0, listener, 1) == CELL_PROTOCOL &&
          verdict(CELL_SOCKET_PORT, 65536, listener, 1) == CELL_PROTOCOL,
        "and numbers out of range #S054");
  cell_fd_close(&listener);
  cell_fd_close(&stream);
  cell_fd_close(&datagrams);
  cell_fd_close(&local);
  cell_fd_close(&folder);
}

static void wrong_times(void)
{
  int listener = bound(AF_INET, SOCK_STREAM, 1);
  struct fake fake;

  open_silent(&fake);
  say_with(&fake, &listener, 1, CELL_SOCKET, 0, "44", CELL_SOCKET_PORT, 80u);
  expect(&fake, CELL_PROTOCOL, "a socket where there is no network #S055");
  open_gated(&fake);
  say_hello(&fake);
  say_with(&fake, &listener, 1, CELL_SOCKET, 0, "44", CELL_SOCKET_PORT, 80u);
  expect(&fake, CELL_PROTOCOL, "a socket after hello #S055");
  cell_fd_close(&listener);
}

static void too_many(void)
{
  int before = count_descriptors(), listener = bound(AF_INET, SOCK_STREAM, 1);
  struct fake fake;
  int i;

  open_gated(&fake);
  for (i = 0; i < 200; i++) {
    say_with(&fake, &listener, 1, CELL_SOCKET, 0, "44", CELL_SOCKET_PORT, 80u);
    if (i % 16 == 0)
      step(&fake);
  }
  step(&fake);
  check(count_descriptors() - before < 80, "doors are bounded #S055");
  close_fake(&fake);
  cell_fd_close(&listener);
  check(count_descriptors() == before, "all are closed with the sandbox");
}

/* A listener is passed as the answer to a question, as well. */
static void dialled(void)
{
  int stream = bound(AF_INET, SOCK_STREAM, 0);
  int listener = bound(AF_INET, SOCK_STREAM, 1);
  struct fake fake;

  open_fake(&fake, CELL_DIAL);
  say_with(&fake, &listener, 1, CELL_DONE, fake.request, "4", 0u);
  expect(&fake, CELL_PROTOCOL, "a listener where a connection was asked #S056");
  open_fake(&fake, CELL_LISTEN);
  say_with(&fake, &stream, 1, CELL_DONE, fake.request, "4", 0u);
  expect(&fake, CELL_PROTOCOL, "no listener where one was asked #S056");
  open_fake(&fake, CELL_LISTEN);
  say_with(&fake, &listener, 1, CELL_DONE, fake.request, "4", 0u);
  expect(&fake, CELL_OK, "a listener where one was asked");
  cell_fd_close(&stream);
  cell_fd_close(&listener);
}

/* The host's verdict on a name that its code is said to have asked for. */
static void named(const char *name, enum cell_kind verdict, const char *what)
{
  struct fake fake;

  open_silent(&fake);
  say_hello(&fake);
  SAY(&fake, CELL_ASKED, 0, "s", name);
  expect(&fake, verdict, what);
}

static void names(void)
{
  struct fake fake;
  int i;

  named("api.example", CELL_OK, "a name that was asked for");
  named("API.example", CELL_OK, "a name in another form is the same one");
  named("", CELL_PROTOCOL, "no name #S054");
  named("a b", CELL_PROTOCOL, "what is none #S054");
  named("127.0.0.1", CELL_PROTOCOL, "an address as a name #S054");
  open_gated(&fake);
  say_hello(&fake);
  SAY(&fake, CELL_ASKED, 0, "s", "api.example");
  expect(&fake, CELL_PROTOCOL, "a name where there is a network #S055");
  open_silent(&fake);
  say_hello(&fake);
  for (i = 0; i < 3 * CELL_ASKED_MOST; i++) {
    SAY(&fake, CELL_ASKED, 0, "s", "api.example");
    step(&fake);
  }
  expect(&fake, CELL_OK, "names as they are taken");
  open_silent(&fake);
  say_hello(&fake);
  for (i = 0; i < 1 << 16 && cell_sandbox_error(fake.sandbox)->kind == CELL_OK;
       i++) {
    SAY(&fake, CELL_ASKED, 0, "s", "api.example");
    if (i % CELL_ASKED_MOST == 0)
      step(&fake);
  }
  expect(&fake, CELL_PROTOCOL, "names without end, and nothing heard #S055");
}

int main(void)
{
  names();
  dialled();
  wrong_sockets();
  wrong_times();
  too_many();
  return check_status();
}
