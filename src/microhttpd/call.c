/* call.c -- one request and its answer (see call.h).
**
** A connection whose owner has to read, to write or to answer first is
** suspended, and waits at no cost; whatever the owner does has it go on.
*/
#include "call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define BLOCK 32768 /* of an answer's body, sent at a time */

/* ---- beginning and end ---- */

static void free_call(struct call *call)
{
  if (call->response != NULL)
    MHD_destroy_response(call->response);
  cell_queue_clear(&call->fields);
  cell_queue_clear(&call->in);
  cell_queue_clear(&call->out);
  free(call->method);
  free(call->target);
  free(call);
}

void *cell_mhd_new(void *data, const char *target,
                   struct MHD_Connection *connection)
{
  struct server *server = data;
  struct call *call = calloc(1, sizeof *call);
  const union MHD_ConnectionInfo *info;

  if (call == NULL)
    return NULL;
  call->server = server;
  call->connection = connection;
  call->target = strdup(target);
  call->left = -1;
  info =
    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  if (info != NULL)
    call->guest = info->socket_context;
  call->fd = call->guest != NULL ? call->guest->fd : -1;
  call->about = call->guest != NULL ? call->guest->about : 0;
  call->next = server->calls;
  if (call->next != NULL)
    call->next->previous = call;
  server->calls = call;
  return call;
}

void cell_mhd_ended(void *data, struct MHD_Connection *connection,
                    void **context, enum MHD_RequestTerminationCode code)
{
  struct server *server = data;
  struct call *call = *context;

  (void)connection;
  *context = NULL;
  if (call == NULL)
    return;
  if (call->next != NULL)
    call->next->previous = call->previous;
  if (call->previous != NULL)
    call->previous->next = call->next;
  else
    server->calls = call->next;
  if (call->guest != NULL && call->guest->is_asking)
    cell_mhd_rests(server, call->guest);
  cell_mhd_cork(call, 0);
  call->guest = NULL;
  call->connection = NULL;
  call->upgraded = NULL;
  server->parting -= (unsigned)call->is_parting;
  call->is_suspended = 0;
  if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && call->is_queued)
    call->is_answered = 1;
  else
    call->is_broken = 1;
  if (call->is_owned)
    server->owner->ended(server->owner, call->name);
  else
    free_call(call);
}

/* ---- libmicrohttpd asks ---- */

static void changed(struct call *call)
{
  if (call->is_owned)
    call->server->owner->changed(call->server->owner, call->name);
}

static void suspend(struct call *call)
{
  if (call->is_suspended)
    return;
  call->is_suspended = 1;
  MHD_suspend_connection(call->connection);
}

static void go_on(struct call *call)
{
  if (call->connection == NULL || !call->is_suspended)
    return;
  call->is_suspended = 0;
  MHD_resume_connection(call->connection);
  call->server->owner->awaited(call->server->owner);
}

/* An answer to what no owner sees. */
static enum MHD_Result refuse(struct call *call, unsigned status,
                              const char *text)
{
  struct MHD_Response *response = MHD_create_response_from_buffer(
    strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
  enum MHD_Result result;

  if (response == NULL)
    return MHD_NO;
  MHD_add_response_header(response, "Connection", "close");
  result = MHD_queue_response(call->connection, status, response);
  MHD_destroy_response(response);
  return result;
}

/* What two readers could take for two things is no request. */
struct reading {
  struct cell_queue *fields;
  unsigned hosts, lengths, codings;
  int is_wrong;
};

static int is_name(const char *name)
{
  const char *at = name;

  while (*at > ' ' && *at < 127 && *at != ':')
    at++;
  return at > name && *at == '\0';
}

static enum MHD_Result read_field(void *data, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
  struct reading *reading = data;
  struct cell_queue *fields = reading->fields;
  size_t most = (size_t)2 * CELL_SERVER_HEAD_MAX;

  (void)kind;
  if (value == NULL)
    value = "";
  reading->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
  reading->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
  if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
    reading->codings++;
    reading->is_wrong |= strcasecmp(value, "chunked") != 0;
  }
  if (is_name(name) && strpbrk(value, "\r\n") == NULL &&
      cell_queue_put(fields, name, strlen(name), most) == 0 &&
      cell_queue_put(fields, ": ", 2, most) == 0 &&
      cell_queue_put(fields, value, strlen(value), most) == 0 &&
      cell_queue_put(fields, "\r\n", 2, most) == 0)
    return MHD_YES;
  reading->is_wrong = 1;
  return MHD_NO;
}

static int read_fields(struct call *call)
{
  struct reading reading = {&call->fields, 0, 0, 0, 0};

  MHD_get_connection_values(call->connection, MHD_HEADER_KIND, read_field,
                            &reading);
  return reading.is_wrong || reading.hosts > 1 ||
             reading.lengths + reading.codings > 1
           ? -1
           : 0;
}

static enum MHD_Result begin(struct call *call, const char *method)
{
  struct cell_server_owner *owner = call->server->owner;

  call->has_begun = 1;
  if (call->guest != NULL)
    cell_mhd_asks(call->server, call->guest);
  call->method = strdup(method);
  if (call->method == NULL || call->target == NULL)
    return MHD_NO;
  if (read_fields(call) < 0)
    return refuse(call, 400, "This request can be read in two ways.\n");
  call->is_owned = 1;
  if (owner->arrived(owner, call))
    return MHD_YES;
  call->is_owned = 0;
  return refuse(call, 503, "The server is busy.\n");
}

/* Nobody looks at it any more: libmicrohttpd itself may miss that the client
** has gone, when the end comes while it reads what was before.
*/
static enum MHD_Result skip_piece(struct call *call, size_t *size)
{
  if (call->skipped == 0)
    MHD_set_connection_option(call->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                              CELL_SERVER_SKIPPING_S);
  call->skipped += *size;
  *size = 0;
  return call->skipped <= CELL_SERVER_SKIPPED_MAX ? MHD_YES : MHD_NO;
}

/* As much as there is room for; the rest is shown again. */
static enum MHD_Result take_piece(struct call *call, const char *bytes,
                                  size_t *size)
{
  size_t room = CELL_SERVER_KEPT_MAX - call->in.size;
  size_t count = *size < room ? *size : room;

  if (!call->is_owned || call->response != NULL)
    return skip_piece(call, size);
  if (count == 0) {
    suspend(call);
    return MHD_YES;
  }
  if (cell_queue_put(&call->in, bytes, count, CELL_SERVER_KEPT_MAX) < 0)
    return MHD_NO;
  *size -= count;
  changed(call);
  if (*size > 0)
    suspend(call);
  return MHD_YES;
}

enum MHD_Result cell_mhd_serve(void *data, struct MHD_Connection *connection,
                               const char *url, const char *method,
                               const char *version, const char *bytes,
                               size_t *size, void **context)
{
  struct call *call = *context;

  (void)data;
  (void)connection;
  (void)url;
  (void)version;
  if (call == NULL || call->is_broken)
    return MHD_NO;
  if (!call->has_begun)
    return begin(call, method);
  if (*size > 0)
    return take_piece(call, bytes, size);
  if (!call->has_all) {
    call->has_all = 1;
    if (call->skipped > 0)
      MHD_set_connection_option(call->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                call->server->idle_s);
    changed(call);
  }
  if (call->response == NULL) {
    if (!call->is_owned)
      return MHD_NO;
    suspend(call);
    return MHD_YES;
  }
  call->is_queued = 1;
  return MHD_queue_response(call->connection, (unsigned)call->status,
                            call->response);
}

/* What is cut off ends by a reset: some clients take a regular end of the
** connection for one of the answer, or for a server that does not keep to HTTP.
*/
static void reset(const struct call *call)
{
  struct sockaddr nobody = {.sa_family = AF_UNSPEC};

  if (call->fd >= 0)
    (void)connect(call->fd, &nobody, sizeof nobody);
}

/* The next bytes of the answer's body. */
static ssize_t give(void *data, uint64_t position, char *bytes, size_t size)
{
  struct call *call = data;
  size_t count;

  (void)position;
  if (call->is_broken)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  count = cell_queue_take(&call->out, bytes, size);
  if (count > 0) {
    changed(call);
    return (ssize_t)count;
  }
  if (call->is_cut) {
    reset(call);
    return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  if (call->is_finished)
    return call->left > 0 ? MHD_CONTENT_READER_END_WITH_ERROR
                          : MHD_CONTENT_READER_END_OF_STREAM;
  cell_mhd_cork(call, 0);
  suspend(call);
  return 0;
}

/* ---- the owner asks ---- */

void cell_mhd_name(void *data, void *name)
{
  ((struct call *)data)->name = name;
}

void cell_mhd_head(void *data, struct cell_server_head *head)
{
  struct call *call = data;

  head->method = call->method;
  head->target = call->target;
  head->size = call->fields.size;
  head->fields =
    call->fields.size > 0 ? (char *)call->fields.bytes + call->fields.from : "";
  head->fd = call->fd;
  head->about = call->about;
}

size_t cell_mhd_readable(void *data)
{
  return ((struct call *)data)->in.size;
}

size_t cell_mhd_read(void *data, void *bytes, size_t size)
{
  struct call *call = data;
  size_t count = cell_queue_take(&call->in, bytes, size);

  if (count > 0 && !call->has_all)
    go_on(call);
  return count;
}

int cell_mhd_has_all(void *data)
{
  struct call *call = data;

  return call->has_all && call->in.size == 0;
}

static struct MHD_Response *
new_response(struct call *call, const struct cell_server_answer *answer)
{
  if (answer->body != NULL)
    return MHD_create_response_from_buffer(
      (size_t)answer->length, (void *)answer->body, MHD_RESPMEM_MUST_COPY);
  return MHD_create_response_from_callback(
    answer->length >= 0 ? (uint64_t)answer->length : MHD_SIZE_UNKNOWN, BLOCK,
    give, call, NULL);
}

int cell_mhd_begin_answer(struct call *call,
                          const struct cell_server_answer *answer,
                          struct cell_error *error)
{
  size_t i;

  call->status = answer->status;
  call->left = answer->body != NULL ? 0 : answer->length;
  call->is_finished = answer->body != NULL;
  for (i = 0; i < answer->count; i++)
    if (MHD_add_response_header(call->response, answer->names[i],
                                answer->values[i]) != MHD_YES) {
      call->is_broken = 1;
      go_on(call);
      return cell_fail(error, CELL_INVALID_ARGUMENT, 0,
                       "answer: %.80s cannot be given", answer->names[i]);
    }
  cell_queue_clear(&call->in);
  go_on(call);
  return 0;
}

int cell_mhd_answer(void *data, const struct cell_server_answer *answer,
                    struct cell_error *error)
{
  struct call *call = data;

  call->response = new_response(call, answer);
  if (call->response == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "answer");
  cell_mhd_cork(call, answer->body == NULL);
  return cell_mhd_begin_answer(call, answer, error);
}

size_t cell_mhd_write(void *data, const void *bytes, size_t size)
{
  struct call *call = data;
  size_t room = CELL_SERVER_KEPT_MAX - call->out.size;

  if (call->is_broken || call->is_cut || call->is_finished)
    return size; /* nobody waits for it any more */
  if (size > room)
    size = room;
  if (call->left >= 0 && (uint64_t)size > (uint64_t)call->left)
    size = (size_t)call->left;
  if (cell_queue_put(&call->out, bytes, size, CELL_SERVER_KEPT_MAX) < 0)
    return 0;
  if (call->left >= 0)
    call->left -= (int64_t)size;
  if (size > 0)
    go_on(call);
  return size;
}

void cell_mhd_finish(void *data)
{
  struct call *call = data;

  call->is_finished = 1;
  if (call->out.size > 0)
    cell_mhd_cork(call, 1);
  cell_mhd_part(call);
  go_on(call);
}

void cell_mhd_abort(void *data)
{
  struct call *call = data;

  cell_mhd_part(call);
  if (call->response == NULL) {
    cell_mhd_drop(call);
    return;
  }
  call->is_cut = 1;
  go_on(call);
}

void cell_mhd_drop(void *data)
{
  struct call *call = data;

  if (call->is_answered)
    return;
  call->is_broken = 1;
  if (call->upgraded != NULL)
    cell_mhd_part(call);
  else if (call->is_suspended)
    go_on(call);
  else if (call->connection != NULL && call->fd >= 0)
    shutdown(call->fd, SHUT_RDWR); /* it waits for the client */
}

enum cell_server_state cell_mhd_state(void *data)
{
  const struct call *call = data;

  return call->is_answered                 ? CELL_CALL_ANSWERED
         : call->is_broken || call->is_cut ? CELL_CALL_BROKEN
         : call->is_finished               ? CELL_CALL_FINISHED
                                           : CELL_CALL_OPEN;
}

void cell_mhd_release(void *data)
{
  struct call *call = data;

  call->is_owned = 0;
  call->name = NULL;
  if (call->connection == NULL) {
    free_call(call);
    return;
  }
  if (!call->is_finished)
    cell_mhd_abort(call);
  cell_queue_clear(&call->in);
  go_on(call);
}
