/* server_library.h -- how the engine has requests by HTTP read and answered.
**
** What does it is not part of the engine: a library is loaded with a module of
** its own (src/microhttpd/), at the first server, and known by this table. It
** has no thread, never blocks and listens nowhere: the engine gives it
*connected
** sockets, and turns it when its descriptor is readable.
**
** A call is one request and its answer. It is the library's until it has ended
** there, and the owner's from `arrived` until `release`.
*/
#ifndef CELL_SERVER_LIBRARY_H
#define CELL_SERVER_LIBRARY_H

#include "../error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CELL_SERVER_VERSION 3u
#define CELL_SERVER_HEAD_MAX                                                   \
  65536u                             /* of a request, all its fields together  \
                                      */
#define CELL_SERVER_KEPT_MAX 262144u /* of a body, in each direction */
/* Of a body that nobody reads before an answer is given; then it is cut off. */
#define CELL_SERVER_SKIPPED_MAX (1u << 30)
#define CELL_SERVER_SKIPPING_S 2u /* that such a body may be silent */

struct cell_server_owner {
  /* The head of a request has come. 0: nobody takes it. */
  int (*arrived)(struct cell_server_owner *owner, void *call);
  /* There is something to read, to write or to know about a call. `name`: what
  ** the owner has given it.
  */
  void (*changed)(struct cell_server_owner *owner, void *name);
  /* A call has ended there, before its socket is closed. */
  void (*ended)(struct cell_server_owner *owner, void *name);
  /* The connection of a call goes on in another protocol: its socket may be
  ** waited for, and is read by `receive` and written by `send`, until it has
  *the call finished,
  ** dropped or released, or `ended` is called. 0: it does not take it.
  */
  int (*upgraded)(struct cell_server_owner *owner, void *name, int fd,
                  const void *early, size_t size);
  /* It is to be turned soon, although its descriptor is not readable. */
  void (*awaited)(struct cell_server_owner *owner);
  /* A connection is being closed. */
  void (*closed)(struct cell_server_owner *owner, uint32_t about);
};

struct cell_server_limits {
  unsigned connections;
  unsigned idle_s; /* that a client may be silent */
  /* From the connection to its first request: with TLS, the handshake too. */
  unsigned first_s;
  unsigned head; /* bytes of a request's, CELL_SERVER_HEAD_MAX at most */
};

/* Texts in PEM. The certificate comes first, what has signed it after it. */
struct cell_server_identity {
  const char *certificate, *key;
};

struct cell_server_head {
  const char *method, *target; /* as sent */
  const char *fields;          /* "Name: value", each with CR LF */
  size_t size;                 /* of the fields */
  int fd;                      /* of its connection, borrowed */
  uint32_t about;              /* as given with the connection */
};

struct cell_server_answer {
  int status;
  const char *const *names, *const *values; /* of its fields */
  size_t count;
  int64_t length;   /* of its body; -1: not known */
  const void *body; /* all of it, copied: it is finished; NULL: it is written */
};

enum cell_server_state {
  CELL_CALL_OPEN,
  CELL_CALL_FINISHED, /* all of it was given */
  CELL_CALL_ANSWERED, /* all of it was sent */
  CELL_CALL_BROKEN    /* the client is gone, or it was aborted */
};

/* Any of these may call any of the owner's, which must not call back. */
struct cell_server_library {
  unsigned version;
  /* With an identity, which it copies, it speaks TLS alone; NULL: none. */
  void *(*open)(struct cell_server_owner *owner,
                const struct cell_server_limits *limits,
                const struct cell_server_identity *identity,
                struct cell_error *error);
  /* Cuts off whatever is open. */
  void (*close)(void *server);
  /* Only close descriptors: this is a forked copy of the host. */
  void (*abandon)(void *server);
  int (*pollfd)(void *server);
  void (*run)(void *server);
  long (*timeout_ms)(void *server); /* -1: none */
  /* Takes *fd, a connected socket. `about` is told with each of its calls. */
  int (*adopt)(void *server, int *fd, uint32_t about, struct cell_error *error);
  /* Closes the connection that is longest without a request, so that there is
  ** room for another. Returns 0 if all have one,
  ** or came just now.
  */
  int (*part)(void *server);

  void (*name)(void *call, void *name);
  void (*head)(void *call, struct cell_server_head *head);
  /* Of the request's body; 0: nothing now. */
  size_t (*readable)(void *call);
  size_t (*read)(void *call, void *bytes, size_t size);
  int (*has_all)(void *call); /* nothing more will come */
  /* Once. */
  int (*answer)(void *call, const struct cell_server_answer *answer,
                struct cell_error *error);
  /* Instead: the answer says that another protocol begins. */
  int (*upgrade)(void *call, const struct cell_server_answer *answer,
                 struct cell_error *error);
  /* Of a connection of another protocol: bytes, 0 at its end, or -1 with errno,
  ** EAGAIN if it has to be waited for. What was not sent is given again.
  */
  ssize_t (*receive)(void *call, void *bytes, size_t size);
  ssize_t (*send)(void *call, const void *bytes, size_t size);
  /* Of the answer's body: how many were taken. */
  size_t (*write)(void *call, const void *bytes, size_t size);
  void (*finish)(void *call); /* that was all of it */
  /* The client sees that something is missing, after what was given. */
  void (*abort)(void *call);
  void (*drop)(void *call); /* at once */
  enum cell_server_state (*state)(void *call);
  void (*release)(void *call); /* aborted, unless it was finished */
};

#endif
