/* error.h -- why an operation failed, in a struct that its caller owns.
**
** A function that can fail takes a `struct cell_error *` last and returns -1
** through cell_fail. There is nothing to free.
*/
#ifndef CELL_ERROR_H
#define CELL_ERROR_H

/* The closed set that users branch on; names as in cell_kind_name. */
enum cell_kind {
  CELL_OK,
  CELL_INVALID_ARGUMENT,
  CELL_NOT_FOUND,
  CELL_ALREADY_EXISTS,
  CELL_PERMISSION_DENIED,
  CELL_TIMEOUT,
  CELL_CANCELLED,
  CELL_UNAVAILABLE,
  CELL_SANDBOX_GONE,
  CELL_OUT_OF_MEMORY,
  CELL_NO_SPACE,
  CELL_LIMIT_EXCEEDED,
  CELL_DENIED_BY_POLICY,
  CELL_UNSUPPORTED,
  CELL_PROTOCOL,
  CELL_SYSTEM
};

struct cell_error {
  enum cell_kind kind;
  int number;        /* errno, or 0 */
  char stage[24];    /* the step of the start that failed, or "" */
  char message[320]; /* one complete line, no newline at its end */
  char hint[320];    /* what to change, or "" */
};

/* Fill *error (which may be NULL) and return -1. With a number, its text is
** appended to the message: "open /x: No such file or directory".
*/
int cell_fail(struct cell_error *error, enum cell_kind kind, int number,
              const char *format, ...)
#if defined(__GNUC__)
  __attribute__((format(printf, 4, 5)))
#endif
  ;

/* The kind that an errno of a file or process operation amounts to. */
enum cell_kind cell_kind_of(int number);

/* "invalid_argument", ...: constant, never NULL. */
const char *cell_kind_name(enum cell_kind kind);

#endif
