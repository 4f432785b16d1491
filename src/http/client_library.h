/* client_library.h -- how the engine has requests made by HTTP.
**
** What makes them is not part of the engine: a library is loaded with a module
** of its own (src/curl/), at the first request, and known by this table. It has
** no thread, never blocks and asks no name server: the engine gives it the
** addresses, and tells it which socket is ready and when its time has come.
*/
#ifndef CELL_CLIENT_LIBRARY_H
#define CELL_CLIENT_LIBRARY_H

#include "../egress/address.h"
#include "../error.h"

#include <stddef.h>
#include <stdint.h>

/* The stage of an error before which nothing was sent. */
#define CELL_CLIENT_UNSENT "connect"
#define CELL_CLIENT_VERSION 3u
#define CELL_CLIENT_HEAD_MAX                                                   \
  65536u                             /* of an answer, all its fields together  \
                                      */
#define CELL_CLIENT_KEPT_MAX 262144u /* of a body, in each direction */

struct cell_client_owner {
  /* What to wait for at a socket; neither: nothing any more. `watched` is what
  ** the last call for this socket returned, NULL at the first.
  */
  void *(*watch)(struct cell_client_owner *owner, void *watched, int fd,
                 int readable, int writable);
  void (*alarm)(struct cell_client_owner *owner, long ms); /* -1: none */
  /* Right before connect, with the very value that it gets. 0: it may not. */
  int (*may_connect)(struct cell_client_owner *owner, void *exchange,
                     const struct sockaddr_storage *address);
  /* There is something to read, to write or to know about an exchange. */
  void (*changed)(struct cell_client_owner *owner, void *exchange);
};

struct cell_client_request {
  const char *method;         /* a token of HTTP */
  const char *const *headers; /* "Name: value", NULL at the end */
  const char *ca_file;        /* "": those of the system, or of ca_path */
  const char *ca_path;        /* a folder of them; "": as ca_file says */
  const char *proxy;  /* a URL, maybe with user and password; "": none */
  const char *socket; /* path of the one to connect to; "": by TCP */
  int has_body;
  int64_t length;  /* of the body; -1: not known */
  int may_share;   /* a connection with others, by HTTP/2 */
  int may_upgrade; /* 101 is its answer, and the bodies are what follows it */
};

struct cell_client_head {
  int status;
  const char *bytes; /* the fields, each line with its end */
  size_t size;
};

/* Any of these may call any of the owner's, which must not call back. */
struct cell_client_library {
  unsigned version;
  void *(*open)(struct cell_client_owner *owner, struct cell_error *error);
  /* After the end of every exchange. */
  void (*close)(void *client);
  /* Only close descriptors: a forked copy of the host says nothing to anyone.
   */
  void (*abandon)(void *client);
  void (*ready)(void *client, int fd, int readable, int writable);
  void (*time_passed)(void *client);

  /* Copies what it is given. `exchange` is what the owner calls it. */
  void *(*begin)(void *client, const char *url,
                 const struct cell_client_request *request, void *exchange,
                 struct cell_error *error);
  /* Connect to one of these, `host` being as it is in the URL, or in that of
   *the
   ** proxy. For a URL with an address: "", and none.
   */
  int (*go)(void *made, const char *host, unsigned port,
            const struct cell_address *addresses, size_t count,
            struct cell_error *error);
  /* 1: *head is filled, until the end of the exchange. */
  int (*head)(void *made, struct cell_client_head *head);
  /* Of the answer's body; 0: nothing now. */
  size_t (*read)(void *made, void *bytes, size_t size);
  size_t (*readable)(void *made);
  /* Of the request's body: how many were taken. */
  size_t (*write)(void *made, const void *bytes, size_t size);
  void (*finish)(void *made); /* that was all of it */
  /* 1: all has come. 0: not yet. -1: it has failed, as *error says. */
  int (*outcome)(void *made, struct cell_error *error);
  void (*end)(void *made);
};

#endif
