/* error.c -- see error.h. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What to do about EMFILE, whatever wanted the descriptor. */
static const char descriptors_remedy[] =
  "; a sandbox needs 3 descriptors and a process in it up to 4: raise the "
  "limit of open files (ulimit -n), or close sandboxes";

/* An error is one line, whatever the values in it hold. */
static void make_one_line(char *text)
{
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text < ' ')
      *text = ' ';
  }
}

static void append_reason(char *message, size_t size, int number)
{
  size_t used = strlen(message);
  char buffer[128];
  const char *reason = strerror_r(number, buffer, sizeof buffer);

  if (used < size)
    snprintf(message + used, size - used, "%s%s%s", used > 0 ? ": " : "",
             reason, number == EMFILE ? descriptors_remedy : "");
}

int cell_fail(struct cell_error *error, enum cell_kind kind, int number,
              const char *format, ...)
{
  va_list arguments;

  if (error == NULL)
    return -1;
  error->kind = kind;
  error->number = number;
  error->stage[0] = '\0';
  error->hint[0] = '\0';
  va_start(arguments, format);
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  if (number != 0)
    append_reason(error->message, sizeof error->message, number);
  make_one_line(error->message);
  return -1;
}

enum cell_kind cell_kind_of(int number)
{
  switch (number) {
  case 0:
    return CELL_OK;
  case EINVAL:
  case ENAMETOOLONG:
  case EISDIR:
  case ENOTDIR:
  case ELOOP:
  case ENOTEMPTY:
  case EXDEV:
  case ENOEXEC:
    return CELL_INVALID_ARGUMENT;
  case ENOENT:
  case ESRCH:
    return CELL_NOT_FOUND;
  case EEXIST:
    return CELL_ALREADY_EXISTS;
  case EACCES:
  case EPERM:
  case EROFS:
    return CELL_PERMISSION_DENIED;
  case ETIMEDOUT:
    return CELL_TIMEOUT;
  case ECANCELED:
    return CELL_CANCELLED;
  case ECONNREFUSED:
  case EHOSTUNREACH:
  case ENETUNREACH:
    return CELL_UNAVAILABLE;
  case ENOMEM:
    return CELL_OUT_OF_MEMORY;
  case ENOSPC:
  case EDQUOT:
    return CELL_NO_SPACE;
  case E2BIG:
  case EFBIG:
  case EAGAIN:
    return CELL_LIMIT_EXCEEDED;
  case ENOSYS:
  case EOPNOTSUPP:
    return CELL_UNSUPPORTED;
  default:
    return CELL_SYSTEM;
  }
}

const char *cell_kind_name(enum cell_kind kind)
{
  static const char *const names[] = {
    "ok",
    "invalid_argument",
    "not_found",
    "already_exists",
    "permission_denied",
    "timeout",
    "cancelled",
    "unavailable",
    "sandbox_gone",
    "out_of_memory",
    "no_space",
    "limit_exceeded",
    "denied_by_policy",
    "unsupported",
    "protocol",
    "system",
  };

  if ((unsigned)kind >= sizeof names / sizeof names[0])
    return "system";
  return names[kind];
}
