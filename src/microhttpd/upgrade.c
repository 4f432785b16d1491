/* upgrade.c -- a call whose connection goes on in another protocol (see
** call.h).
**
** With TLS libmicrohttpd passes all bytes on by a pair of sockets; in 0.9.75 it
** stops sending when a record was taken in part, and tells of no end. So it is
** given nothing to pass on: its session does not read unless it is asked here.
*/
#include "call.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>

/* ---- taking the session ---- */

static ssize_t pull_nothing(gnutls_transport_ptr_t pointer, void *bytes,
                            size_t size)
{
  (void)pointer;
  (void)bytes;
  (void)size;
  errno = EAGAIN;
  return -1;
}

static ssize_t pull(gnutls_transport_ptr_t pointer, void *bytes, size_t size)
{
  return recv(((struct call *)pointer)->fd, bytes, size, MSG_DONTWAIT);
}

static void take_session(struct call *call, struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info =
    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  gnutls_transport_ptr_t in, out;

  if (info == NULL || info->tls_session == NULL)
    return;
  call->session = info->tls_session;
  gnutls_transport_get_ptr2(call->session, &in, &out);
  gnutls_transport_set_ptr2(call->session, call, out);
  gnutls_transport_set_pull_function(call->session, pull_nothing);
}

/* ---- bytes ---- */

static ssize_t result_of(ssize_t code)
{
  if (code >= 0)
    return code;
  if (code == GNUTLS_E_PREMATURE_TERMINATION)
    return 0; /* an end without a farewell */
  errno = gnutls_error_is_fatal((int)code) ? ECONNRESET : EAGAIN;
  return -1;
}

ssize_t cell_mhd_receive(void *data, void *bytes, size_t size)
{
  struct call *call = data;
  ssize_t count;

  do
    if (call->session == NULL) {
      count = recv(call->fd, bytes, size, MSG_DONTWAIT);
    } else {
      gnutls_transport_set_pull_function(call->session, pull);
      count = result_of(gnutls_record_recv(call->session, bytes, size));
      gnutls_transport_set_pull_function(call->session, pull_nothing);
    }
  while (count < 0 && errno == EINTR);
  return count;
}

ssize_t cell_mhd_send(void *data, const void *bytes, size_t size)
{
  struct call *call = data;
  ssize_t count;

  do
    count = call->session != NULL
              ? result_of(gnutls_record_send(call->session, bytes, size))
              : send(call->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  return count;
}

/* ---- beginning and end ---- */

/* The head of the answer is on its way. */
static void upgraded(void *data, struct MHD_Connection *connection,
                     void *context, const char *early, size_t size,
                     MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
  struct call *call = data;
  struct cell_server_owner *owner = call->server->owner;

  (void)context;
  (void)fd;
  call->upgraded = handle;
  take_session(call, connection);
  if (!call->is_owned || call->is_broken ||
      !owner->upgraded(owner, call->name, call->fd, early, size))
    cell_mhd_part(call);
}

int cell_mhd_upgrade(void *data, const struct cell_server_answer *answer,
                     struct cell_error *error)
{
  struct call *call = data;

  call->response = MHD_create_response_for_upgrade(upgraded, call);
  if (call->response == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "upgrade");
  return cell_mhd_begin_answer(call, answer, error);
}

void cell_mhd_part(struct call *call)
{
  struct MHD_UpgradeResponseHandle *handle = call->upgraded;

  if (handle == NULL)
    return;
  call->upgraded = NULL;
  call->is_parting = 1;
  call->server->parting++;
  MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
  call->server->owner->awaited(call->server->owner);
}
