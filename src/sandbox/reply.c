/* reply.c -- see reply.h. */
#include "reply.h"

#include "../wire/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ERRNO_MAX 4095u
#define PID_MAX 4194304u /* the kernel's PID_MAX_LIMIT */
#define STAGE_SIZE 24    /* of struct cell_error */

typedef struct cell_unpacker unpacker;

static unpacker open_payload(const struct cell_delivery *delivery)
{
  unpacker payload;

  cell_unpack_start(&payload, delivery->frame.payload, delivery->frame.length);
  return payload;
}

/* ---- descriptors ---- */

static int has_fds(const struct cell_delivery *delivery, size_t count)
{
  return delivery->fd_count == count && !delivery->fds_lost;
}

int cell_reply_starved(const struct cell_delivery *delivery)
{
  return delivery->fd_count == 0 && delivery->fds_lost;
}

static int is_master(int fd)
{
  struct stat status;
  unsigned number;

  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) &&
         ioctl(fd, TIOCGPTN, &number) == 0;
}

static int socket_option(int fd, int option)
{
  int value = -1;
  socklen_t size = sizeof value;

  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

static int is_internet(int fd, int type, int listens)
{
  int domain = socket_option(fd, SO_DOMAIN);

  return (domain == AF_INET || domain == AF_INET6) &&
         socket_option(fd, SO_TYPE) == type &&
         socket_option(fd, SO_ACCEPTCONN) == listens;
}

static int is_connection(int fd)
{
  struct sockaddr_storage address;
  socklen_t size = sizeof address;

  return is_internet(fd, SOCK_STREAM, 0) &&
         getpeername(fd, (struct sockaddr *)&address, &size) == 0;
}

static int is_readable_file(int fd)
{
  struct stat status;
  int flags = fcntl(fd, F_GETFL);

  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && flags >= 0 &&
         (flags & O_ACCMODE) == O_RDONLY && !(flags & O_PATH);
}

/* The kernel looks at what the descriptor is before it looks at the path, which
** leads nowhere.
*/
static int is_inotify(int fd)
{
  return inotify_add_watch(fd, "", IN_ATTRIB) < 0 && errno == ENOENT;
}

/* ---- values ---- */

static uint32_t take_errno(unpacker *payload)
{
  uint32_t number = cell_unpack_u32(payload);

  if (number > ERRNO_MAX)
    payload->failed = 1;
  return number;
}

static uint64_t take_count(unpacker *payload)
{
  uint64_t value = cell_unpack_u64(payload);

  if (value > (uint64_t)INT64_MAX)
    payload->failed = 1;
  return value;
}

static void take_stage(unpacker *payload, char *stage, size_t size)
{
  const char *at;

  cell_unpack_string(payload, stage, size);
  for (at = stage; *at != '\0'; at++) {
    if (*at < ' ' || *at > '~')
      payload->failed = 1;
  }
}

static void take_path(unpacker *payload)
{
  size_t length;
  const unsigned char *path = cell_unpack_bytes(payload, &length);

  if (length >= CELL_PATH_MAX || memchr(path, 0, length) != NULL)
    payload->failed = 1;
}

/* Part of a path, and the length of it. */
static int is_part(const unsigned char *at, size_t length)
{
  return length > 0 && !(length == 1 && at[0] == '.') &&
         !(length == 2 && at[0] == '.' && at[1] == '.');
}

/* A path that only leads down. */
static void take_name(unpacker *payload)
{
  size_t length, i, from = 0;
  const unsigned char *name = cell_unpack_bytes(payload, &length);

  if (length >= CELL_PATH_MAX || memchr(name, 0, length) != NULL)
    payload->failed = 1;
  for (i = 0; i <= length && !payload->failed; i++) {
    if (i < length && name[i] != '/')
      continue;
    if (!is_part(name + from, i - from))
      payload->failed = 1;
    from = i + 1;
  }
}

/* "name" NUL "value" NUL, again and again. */
static void take_metadata(unpacker *payload)
{
  size_t length, i, ends = 0;
  const unsigned char *bytes = cell_unpack_bytes(payload, &length);

  if (length > CELL_METADATA_MAX || (length > 0 && bytes[length - 1] != '\0'))
    payload->failed = 1;
  for (i = 0; i < length && !payload->failed; i++) {
    ends += bytes[i] == '\0';
    if (bytes[i] != '\0' && (bytes[i] < ' ' || bytes[i] > '~'))
      payload->failed = 1;
  }
  if (ends % 2 != 0)
    payload->failed = 1;
}

static void take_entry(unpacker *payload)
{
  take_path(payload);
  if (cell_unpack_u32(payload) > CELL_ENTRY_OTHER)
    payload->failed = 1;
  if (cell_unpack_u32(payload) > 07777)
    payload->failed = 1;
  take_count(payload);      /* size */
  cell_unpack_u64(payload); /* modified: any, also before 1970 */
  cell_unpack_u32(payload);
  cell_unpack_u32(payload);
  take_path(payload); /* target */
  take_metadata(payload);
}

static enum cell_reply last_if(int fine)
{
  return fine ? CELL_REPLY_LAST : CELL_REPLY_WRONG;
}

/* ---- messages ---- */

static enum cell_reply check_spawned(const struct cell_expected *expected,
                                     const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  uint32_t number = take_errno(&payload);
  char stage[STAGE_SIZE];
  uint32_t pid;

  take_stage(&payload, stage, sizeof stage);
  pid = cell_unpack_u32(&payload);
  if (!cell_unpack_done(&payload))
    return CELL_REPLY_WRONG;
  if (number != 0)
    return last_if(has_fds(delivery, 0));
  if (pid == 0 || pid > PID_MAX)
    return CELL_REPLY_WRONG;
  if (expected->terminal)
    return cell_reply_starved(delivery) ||
               (has_fds(delivery, 1) && is_master(delivery->fds[0]))
             ? CELL_REPLY_MORE
             : CELL_REPLY_WRONG;
  return has_fds(delivery, 0) ? CELL_REPLY_MORE : CELL_REPLY_WRONG;
}

static enum cell_reply check_exited(const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  uint32_t status = cell_unpack_u32(&payload);
  int valid =
    status <= 0xffff && (WIFEXITED((int)status) || WIFSIGNALED((int)status));

  if (cell_unpack_u32(&payload) > 1)
    payload.failed = 1;
  take_count(&payload);
  take_count(&payload);
  return last_if(valid && cell_unpack_done(&payload) && has_fds(delivery, 0));
}

static enum cell_reply check_done(const struct cell_expected *expected,
                                  const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  uint32_t number = take_errno(&payload);

  if (!cell_unpack_done(&payload))
    return CELL_REPLY_WRONG;
  if (expected->type == CELL_DIAL && number == 0)
    return last_if(cell_reply_starved(delivery) ||
                   (has_fds(delivery, 1) && is_connection(delivery->fds[0])));
  if (expected->type == CELL_LISTEN && number == 0)
    return last_if(
      cell_reply_starved(delivery) ||
      (has_fds(delivery, 1) && is_internet(delivery->fds[0], SOCK_STREAM, 1)));
  return last_if(has_fds(delivery, 0));
}

static enum cell_reply check_entry(const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);

  if (take_errno(&payload) != 0)
    return last_if(!payload.failed && has_fds(delivery, 0));
  take_entry(&payload);
  return last_if(cell_unpack_done(&payload) && has_fds(delivery, 0));
}

static enum cell_reply check_entries(const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  uint32_t count = cell_unpack_u32(&payload);

  while (count > 0 && !payload.failed) {
    take_entry(&payload);
    count--;
  }
  return cell_unpack_done(&payload) && has_fds(delivery, 0) ? CELL_REPLY_MORE
                                                            : CELL_REPLY_WRONG;
}

static enum cell_reply check_differences(const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  uint32_t count = cell_unpack_u32(&payload);

  for (; count > 0 && !payload.failed; count--) {
    take_name(&payload);
    if (cell_unpack_u32(&payload) > CELL_DIFFERENCE_CHMOD ||
        cell_unpack_u32(&payload) > CELL_ENTRY_NONE ||
        cell_unpack_u32(&payload) > CELL_ENTRY_NONE ||
        cell_unpack_u32(&payload) > 0777)
      payload.failed = 1;
    take_count(&payload);
    take_path(&payload); /* where a link leads */
  }
  return cell_unpack_done(&payload) && has_fds(delivery, 0) ? CELL_REPLY_MORE
                                                            : CELL_REPLY_WRONG;
}

static enum cell_reply check_content(const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  uint32_t passed;
  size_t length;

  if (take_errno(&payload) != 0)
    return last_if(!payload.failed && has_fds(delivery, 0));
  take_count(&payload);
  passed = cell_unpack_u32(&payload);
  cell_unpack_bytes(&payload, &length);
  if (!cell_unpack_done(&payload) || passed > 1)
    return CELL_REPLY_WRONG;
  if (passed == 0)
    return last_if(has_fds(delivery, 0));
  return last_if(cell_reply_starved(delivery) ||
                 (has_fds(delivery, 1) && is_readable_file(delivery->fds[0])));
}

static enum cell_reply check_metrics(const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  int i;

  take_count(&payload);
  cell_unpack_u32(&payload);
  cell_unpack_u32(&payload);
  for (i = 0; i < 4; i++)
    take_count(&payload);
  return last_if(cell_unpack_done(&payload) && has_fds(delivery, 0));
}

static enum cell_reply check_changes(const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  uint32_t number = take_errno(&payload), flags = cell_unpack_u32(&payload);
  uint32_t total = cell_unpack_u32(&payload), i;
  uint32_t count = cell_unpack_u32(&payload);

  if (count > CELL_CHANGES_MAX || count > total || (number != 0 && total > 0) ||
      flags >= 2 * CELL_CHANGED_UNWATCHED)
    return CELL_REPLY_WRONG;
  for (i = 0; i < count && !payload.failed; i++) {
    take_name(&payload);
    if (cell_unpack_u32(&payload) > CELL_CHANGE_REMOVE)
      payload.failed = 1;
    take_count(&payload);
  }
  if (!cell_unpack_done(&payload))
    return CELL_REPLY_WRONG;
  if (!(flags & CELL_CHANGED_PASSED))
    return last_if(has_fds(delivery, 0));
  return last_if(number == 0 && !(flags & CELL_CHANGED_UNWATCHED) &&
                 (cell_reply_starved(delivery) ||
                  (has_fds(delivery, 1) && is_inotify(delivery->fds[0]))));
}

static enum cell_reply check_events(const struct cell_delivery *delivery)
{
  unpacker payload = open_payload(delivery);
  uint32_t flags, count;

  if (take_errno(&payload) != 0)
    return last_if(cell_unpack_done(&payload) && has_fds(delivery, 0));
  flags = cell_unpack_u32(&payload);
  count = cell_unpack_u32(&payload);
  if (flags >= 2 * CELL_EVENTS_ENDED || (flags == 0 && count == 0))
    return CELL_REPLY_WRONG;
  for (; count > 0 && !payload.failed; count--) {
    take_name(&payload);
    if (cell_unpack_u32(&payload) > CELL_EVENT_CHMOD)
      payload.failed = 1;
  }
  return last_if(cell_unpack_done(&payload) && has_fds(delivery, 0));
}

/* The message that answers a question; DONE for those that are not listed. */
static uint32_t answer_type(const struct cell_expected *expected)
{
  switch (expected->type) {
  case CELL_SPAWN:
    return expected->spawned ? CELL_EXITED : CELL_SPAWNED;
  case CELL_METRICS:
    return CELL_METRICS_ARE;
  case CELL_FILE_STAT:
  case CELL_FILE_WRITE:
  case CELL_FILE_RENAME:
    return CELL_ENTRY;
  case CELL_FILE_READ:
    return CELL_CONTENT;
  case CELL_CHANGES:
    return CELL_CHANGES_ARE;
  case CELL_WATCH_NEXT:
    return CELL_EVENTS;
  default:
    return CELL_DONE;
  }
}

enum cell_reply cell_reply_check(const struct cell_expected *expected,
                                 const struct cell_delivery *delivery)
{
  uint32_t type = delivery->frame.type;

  if (type == CELL_ENTRIES && expected->type == CELL_FILE_LIST)
    return check_entries(delivery);
  if (type == CELL_DIFFERENCES && expected->type == CELL_DIFFER)
    return check_differences(delivery);
  if (type != answer_type(expected))
    return CELL_REPLY_WRONG;
  switch (type) {
  case CELL_SPAWNED:
    return check_spawned(expected, delivery);
  case CELL_EXITED:
    return check_exited(delivery);
  case CELL_ENTRY:
    return check_entry(delivery);
  case CELL_CONTENT:
    return check_content(delivery);
  case CELL_METRICS_ARE:
    return check_metrics(delivery);
  case CELL_CHANGES_ARE:
    return check_changes(delivery);
  case CELL_EVENTS:
    return check_events(delivery);
  default:
    return check_done(expected, delivery);
  }
}

int cell_reply_hello(const struct cell_delivery *delivery,
                     struct cell_hello *hello)
{
  unpacker payload = open_payload(delivery);
  uint32_t *by[] = {&hello->memory_by, &hello->processes_by, &hello->cpu_by,
                    &hello->disk_by, &hello->files_by};
  size_t i;

  for (i = 0; i < sizeof by / sizeof by[0]; i++) {
    *by[i] = cell_unpack_u32(&payload);
    if (*by[i] > CELL_BY_TMPFS)
      payload.failed = 1;
  }
  hello->landlock_abi = cell_unpack_u32(&payload);
  hello->groups_kept = cell_unpack_u32(&payload);
  if (hello->landlock_abi > 1000 || hello->groups_kept > 65536)
    payload.failed = 1; /* NGROUPS_MAX */
  return cell_unpack_done(&payload) && has_fds(delivery, 0) ? 0 : -1;
}

int cell_reply_socket(const struct cell_delivery *delivery,
                      enum cell_socket_kind *kind, uint16_t *port)
{
  unpacker payload = open_payload(delivery);
  uint32_t said = cell_unpack_u32(&payload);
  uint32_t number = cell_unpack_u32(&payload);
  int fd;

  if (!cell_unpack_done(&payload) || said > CELL_SOCKET_PORT || number == 0 ||
      number > 65535)
    return -1;
  *kind = (enum cell_socket_kind)said;
  *port = (uint16_t)number;
  if (cell_reply_starved(delivery))
    return 0;
  if (!has_fds(delivery, 1))
    return -1;
  fd = delivery->fds[0];
  if (*kind == CELL_SOCKET_NAMES ? !is_internet(fd, SOCK_DGRAM, 0)
                                 : !is_internet(fd, SOCK_STREAM, 1))
    return -1;
  return cell_fd_nonblocking(fd);
}

int cell_reply_asked(const struct cell_delivery *delivery,
                     char name[CELL_NAME_SIZE])
{
  unpacker payload = open_payload(delivery);
  char said[CELL_NAME_SIZE];

  cell_unpack_string(&payload, said, sizeof said);
  return cell_unpack_done(&payload) && has_fds(delivery, 0) &&
             cell_name_read(name, said, strlen(said)) == 0
           ? 0
           : -1;
}

int cell_reply_failed(const struct cell_delivery *delivery, uint32_t *number,
                      char *stage, size_t size)
{
  unpacker payload = open_payload(delivery);

  *number = take_errno(&payload);
  take_stage(&payload, stage, size);
  return cell_unpack_done(&payload) && *number != 0 && has_fds(delivery, 0)
           ? 0
           : -1;
}
