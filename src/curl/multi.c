/* multi.c -- a client: all its requests, and the connections that are kept for
** those to come (see client_library.h).
*/
#include "exchange.h"

#include "../descriptor.h"
#include "../egress/address.h"
#include "quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_MOST 32L /* connections that nobody uses now */

struct socket_entry {
  struct socket_entry *next;
  int fd;
  struct exchange *upgrading; /* of another protocol, soon; else NULL */
};

/* ---- sockets ---- */

curl_socket_t cell_curl_open_socket(void *data, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
  struct exchange *exchange = data;
  struct client *client = exchange->client;
  struct socket_entry *entry;
  struct sockaddr_storage there;

  memset(&there, 0, sizeof there);
  if (purpose != CURLSOCKTYPE_IPCXN || address->addrlen > sizeof there)
    return CURL_SOCKET_BAD;
  memcpy(&there, &address->addr, address->addrlen);
  if (!client->owner->may_connect(client->owner, exchange->name, &there)) {
    exchange->was_refused = 1;
    return CURL_SOCKET_BAD;
  }
  entry = malloc(sizeof *entry);
  if (entry == NULL)
    return CURL_SOCKET_BAD;
  entry->fd = cell_fd_above_stdio(
    socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
           address->protocol));
  if (entry->fd < 0) {
    free(entry);
    return CURL_SOCKET_BAD;
  }
  entry->upgrading = exchange->may_upgrade ? exchange : NULL;
  entry->next = client->sockets;
  client->sockets = entry;
  return entry->fd;
}

int cell_curl_close_socket(void *data, curl_socket_t fd)
{
  struct client *client = data;
  struct socket_entry **at = &client->sockets, *entry;

  for (; *at != NULL; at = &(*at)->next)
    if ((*at)->fd == fd) {
      entry = *at;
      *at = entry->next;
      free(entry);
      break;
    }
  return close(fd);
}

static int watch(CURL *easy, curl_socket_t fd, int what, void *data,
                 void *watched)
{
  struct client *client = data;
  int readable = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
  int writable = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;

  (void)easy;
  watched =
    client->owner->watch(client->owner, watched, fd, readable, writable);
  if (what != CURL_POLL_REMOVE)
    curl_multi_assign(client->multi, fd, watched);
  return 0;
}

static int set_alarm(CURLM *multi, long ms, void *data)
{
  struct client *client = data;

  (void)multi;
  client->owner->alarm(client->owner, ms);
  return 0;
}

/* ---- turning ---- */

void cell_curl_look(struct client *client)
{
  CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
    struct exchange *exchange = NULL;

    if (message->msg != CURLMSG_DONE)
      continue;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
                      (char **)&exchange);
    exchange->is_done = 1;
    exchange->code = message->data.result;
    client->owner->changed(client->owner, exchange->name);
  }
}

static void turn(struct client *client, curl_socket_t fd, int events)
{
  struct cell_quiet quiet;
  int running;

  cell_quiet_begin(&quiet);
  curl_multi_socket_action(client->multi, fd, events, &running);
  cell_quiet_end(&quiet);
  cell_curl_look(client);
}

void cell_curl_forget(struct client *client, const struct exchange *exchange)
{
  struct socket_entry *entry = client->sockets;

  for (; entry != NULL; entry = entry->next)
    if (entry->upgrading == exchange)
      entry->upgrading = NULL;
}

/* libcurl goes on sending to a server that has ended its side. */
static void look_at_end(const struct socket_entry *entry)
{
  char byte;

  if (entry->upgrading != NULL &&
      recv(entry->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
    cell_curl_finish(entry->upgrading);
}

static void ready(void *data, int fd, int readable, int writable)
{
  struct client *client = data;
  struct socket_entry *entry;

  turn(client, fd,
       (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0));
  for (entry = client->sockets; entry != NULL; entry = entry->next)
    if (entry->fd == fd)
      look_at_end(entry);
}

static void time_passed(void *data)
{
  struct client *client = data;
  struct socket_entry *entry;

  turn(client, CURL_SOCKET_TIMEOUT, 0);
  for (entry = client->sockets; entry != NULL; entry = entry->next)
    look_at_end(entry);
}

/* ---- beginning and end ---- */

static CURLcode initialized = CURLE_FAILED_INIT;

/* Never undone: the library is the process's, and stays loaded. */
static void initialize(void)
{
  initialized = curl_global_init(CURL_GLOBAL_ALL);
}

/* One end of a pair that whoever is executed by the host would inherit. */
static int is_inherited(int fd, struct stat *status)
{
  struct sockaddr_storage name = {0};
  socklen_t size = sizeof name;

  return fcntl(fd, F_GETFD) == 0 && fstat(fd, status) == 0 &&
         S_ISSOCK(status->st_mode) &&
         getsockname(fd, (struct sockaddr *)&name, &size) == 0 &&
         name.ss_family == AF_UNIX;
}

/* Older libcurl does not mark the pair of sockets by which it can be woken, and
** names it nowhere: it gets the next two numbers, which shall not be those of
** standard streams that the host has closed. The inodes tell whether it is that
** pair, should another thread have been faster.
*/
static CURLM *open_multi(void)
{
  int held[3], next[2], i;
  struct stat one, other;
  CURLM *multi;

  cell_fd_hold_stdio(held);
  for (i = 0; i < 2; i++)
    next[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (i = 0; i < 2; i++)
    if (next[i] >= 0)
      close(next[i]);
  multi = curl_multi_init();
  cell_fd_let_go(held);
  if (multi != NULL && is_inherited(next[0], &one) &&
      is_inherited(next[1], &other) && one.st_ino + 1 == other.st_ino)
    for (i = 0; i < 2; i++)
      fcntl(next[i], F_SETFD, FD_CLOEXEC);
  return multi;
}

static void *open_client(struct cell_client_owner *owner,
                         struct cell_error *error)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct client *client = calloc(1, sizeof *client);

  pthread_once(&once, initialize);
  if (client != NULL && initialized == CURLE_OK)
    client->multi = open_multi();
  if (client == NULL || client->multi == NULL) {
    free(client);
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "make a client of HTTP");
    return NULL;
  }
  client->owner = owner;
  curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch);
  curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
  curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_alarm);
  curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
  curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, KEPT_MOST);
  return client;
}

static void close_client(void *data)
{
  struct client *client = data;
  struct cell_quiet quiet;

  cell_quiet_begin(&quiet);
  curl_multi_cleanup(client->multi);
  cell_quiet_end(&quiet);
  free(client);
}

/* What libcurl holds is left as it is: letting go of a connection may say
** something on it, and it is the original's.
*/
static void abandon(void *data)
{
  struct client *client = data;
  struct socket_entry *entry = client->sockets, *next;

  for (; entry != NULL; entry = next) {
    next = entry->next;
    close(entry->fd);
    free(entry);
  }
  client->sockets = NULL;
}

const struct cell_client_library cell_curl_library = {CELL_CLIENT_VERSION,
                                                      open_client,
                                                      close_client,
                                                      abandon,
                                                      ready,
                                                      time_passed,
                                                      cell_curl_begin,
                                                      cell_curl_go,
                                                      cell_curl_head,
                                                      cell_curl_read,
                                                      cell_curl_readable,
                                                      cell_curl_write,
                                                      cell_curl_finish,
                                                      cell_curl_outcome,
                                                      cell_curl_end};
