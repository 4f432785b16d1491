/* call.h -- a server on libmicrohttpd, from within: for daemon.c (all of a
** server) and call.c (one request and its answer) alone.
*/
#ifndef CELL_CALL_H
#define CELL_CALL_H

#include "../http/queue.h"
#include "../http/server_library.h"

#include <microhttpd.h>

#if MHD_VERSION < 0x00097002 /* its functions returned an int before */
#define MHD_Result int
#endif

/* A connected socket, and what it is about. Those that have not asked for
** anything yet are in a list of their own, the last one for the longest time.
*/
struct guest {
  struct guest *next, *previous;
  int fd;
  uint32_t about;
  int has_asked; /* a whole head has come */
  int is_asking; /* its request has not ended */
  int is_leaving;
  long until_ms; /* of the server's clock: to ask, or go */
};

struct guests {
  struct guest *first, *last;
};

struct server {
  struct MHD_Daemon *daemon;
  struct cell_server_owner *owner;
  struct guests silent, known;
  struct guest *adopted; /* while it is */
  struct call *calls;    /* that have not ended there */
  unsigned idle_s, first_s;
  unsigned parting; /* calls that were upgraded, and are being closed */
};

struct call {
  struct call *next, *previous;
  struct server *server;
  struct MHD_Connection *connection; /* NULL: it has ended there */
  struct guest *guest;               /* whose it is; until it has ended there */
  void *name;                        /* the owner's */
  int fd;
  uint32_t about;
  char *method, *target;
  struct cell_queue fields, in, out;
  size_t skipped; /* bytes of a body that nobody wants any more */
  struct MHD_Response *response;
  struct MHD_UpgradeResponseHandle *upgraded; /* NULL: it speaks HTTP */
  struct gnutls_session_int *session; /* of an upgraded one; NULL: no TLS */
  int status;
  int64_t left;     /* bytes that the answer still is short of; -1: unknown */
  int has_begun;    /* its head was read */
  int is_owned;     /* the owner has it */
  int is_suspended; /* until the owner reads, writes or answers */
  int has_all;      /* of the request's body */
  int is_queued;    /* the answer was begun */
  int is_finished;  /* all of the answer's body was given */
  int is_answered;  /* and sent */
  int is_cut;       /* nothing more will be */
  int is_parting;
  int is_corked; /* what is sent waits for more */
  int is_broken;
};

/* ---- daemon.c ---- */

extern const struct cell_server_library cell_microhttpd_library;

/* The head of a request has come; and its end. */
void cell_mhd_asks(struct server *server, struct guest *guest);
void cell_mhd_rests(struct server *server, struct guest *guest);

/* Have what is sent wait for more, or go. libmicrohttpd sends the head of an
** answer whose body is written, each piece and the end by themselves: each
** would wake the client. An economy alone: what is no TCP refuses it, and
** nothing is lost.
*/
void cell_mhd_cork(struct call *call, int is_corked);

/* ---- identity.c ---- */

int cell_mhd_check_identity(const struct cell_server_identity *identity,
                            struct cell_error *error);

/* ---- call.c ---- */

/* libmicrohttpd's callbacks: the first line of a request has come; its head,
** then pieces of the body, then its end; all has ended.
*/
void *cell_mhd_new(void *server, const char *target,
                   struct MHD_Connection *connection);
enum MHD_Result cell_mhd_serve(void *server, struct MHD_Connection *connection,
                               const char *url, const char *method,
                               const char *version, const char *bytes,
                               size_t *size, void **call);
void cell_mhd_ended(void *server, struct MHD_Connection *connection,
                    void **call, enum MHD_RequestTerminationCode code);

/* Of a response that has just been made: what it says, and go on. */
int cell_mhd_begin_answer(struct call *call,
                          const struct cell_server_answer *answer,
                          struct cell_error *error);

void cell_mhd_name(void *call, void *name);
void cell_mhd_head(void *call, struct cell_server_head *head);
size_t cell_mhd_readable(void *call);
size_t cell_mhd_read(void *call, void *bytes, size_t size);
int cell_mhd_has_all(void *call);
int cell_mhd_answer(void *call, const struct cell_server_answer *answer,
                    struct cell_error *error);
size_t cell_mhd_write(void *call, const void *bytes, size_t size);
void cell_mhd_finish(void *call);
void cell_mhd_abort(void *call);
void cell_mhd_drop(void *call);
enum cell_server_state cell_mhd_state(void *call);
void cell_mhd_release(void *call);

/* ---- upgrade.c ---- */

int cell_mhd_upgrade(void *call, const struct cell_server_answer *answer,
                     struct cell_error *error);
ssize_t cell_mhd_receive(void *call, void *bytes, size_t size);
ssize_t cell_mhd_send(void *call, const void *bytes, size_t size);
/* Close a connection that was upgraded. Idempotent. */
void cell_mhd_part(struct call *call);

#endif
