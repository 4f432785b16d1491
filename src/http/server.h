/* server.h -- requests by HTTP and their answers, on the reactor.
**
** A server listens where it is told to, and adopts connections that others
** have. Each request is a call, taken by cell_server_next, answered and
** released by its taker. Reference counted by its calls. Bounded: connections,
** heads, what waits of a body. A full server closes the connection that is
** longest idle, or accepts nobody until one is.
*/
#ifndef CELL_SERVER_H
#define CELL_SERVER_H

#include "../reactor/reactor.h"
#include "server_library.h"

#include <sys/socket.h>

#define CELL_SERVER_LISTENERS_MAX 8

struct cell_server;
struct cell_call;

/* `identity` is copied; NULL: without TLS. */
struct cell_server *cell_server_new(struct cell_reactor *reactor,
                                    const struct cell_server_library *library,
                                    const struct cell_server_limits *limits,
                                    const struct cell_server_identity *identity,
                                    struct cell_error *error);
/* Cuts off whatever is open, and listens no more. Idempotent. */
void cell_server_close(struct cell_server *server);
void cell_server_release(struct cell_server *server);
struct cell_reactor *cell_server_reactor(const struct cell_server *server);
uint32_t cell_server_token(const struct cell_server *server);

/* Listen there; *address becomes what it is, with its port. The path of a local
** one is removed at the end.
*/
int cell_server_listen(struct cell_server *server,
                       struct sockaddr_storage *address, socklen_t *size,
                       struct cell_error *error);
/* Takes *fd, a socket that listens and does not block. */
int cell_server_listen_with(struct cell_server *server, int *fd,
                            struct cell_error *error);
/* Whoever is connected stays. */
void cell_server_stop_listening(struct cell_server *server);
/* Takes *fd, a connected socket. `about` is told with each call, and by
** cell_server_left once it is closed; 0: for nobody to know.
*/
int cell_server_adopt(struct cell_server *server, int *fd, uint32_t about,
                      struct cell_error *error);
unsigned cell_server_connections(const struct cell_server *server);
/* The next call that nobody has taken; NULL: none. */
struct cell_call *cell_server_next(struct cell_server *server);
/* The number of a connection that was closed; 0: none. */
uint32_t cell_server_left(struct cell_server *server);

/* ---- a call ---- */

/* Hear of a client that goes away: for who does not answer at once. */
void cell_call_watch(struct cell_call *call);
uint32_t cell_call_token(const struct cell_call *call);
void cell_call_head(struct cell_call *call, struct cell_server_head *head);
size_t cell_call_readable(struct cell_call *call);
size_t cell_call_read(struct cell_call *call, void *bytes, size_t size);
int cell_call_has_all(struct cell_call *call);
int cell_call_answer(struct cell_call *call,
                     const struct cell_server_answer *answer,
                     struct cell_error *error);
/* Instead: it is a connection of another protocol from then on, which ends with
** cell_call_finish. cell_call_is_upgraded: it has begun.
*/
int cell_call_upgrade(struct cell_call *call,
                      const struct cell_server_answer *answer,
                      struct cell_error *error);
int cell_call_is_upgraded(const struct cell_call *call);
size_t cell_call_write(struct cell_call *call, const void *bytes, size_t size);
void cell_call_finish(struct cell_call *call);
void cell_call_abort(struct cell_call *call);
enum cell_server_state cell_call_state(struct cell_call *call);
void cell_call_release(struct cell_call *call);

#endif
