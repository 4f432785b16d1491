/* fault.c -- see fault.h.
**
** The stage and the program of a launch run on small stacks in this memory, so
** what they call is not instrumented.
*/
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#define PLAIN __attribute__((no_sanitize("address", "undefined")))

static struct {
  int counting;
  long number; /* of the call that fails */
  long calls;
  long memory;
  const char *failed;
} fault;

void fault_start(long number)
{
  fault.number = number;
  fault.calls = 0;
  fault.failed = NULL;
  fault.counting = 1;
}

long fault_stop(const char **name)
{
  fault.counting = 0;
  if (name != NULL)
    *name = fault.failed;
  return fault.calls;
}

long fault_memory(void)
{
  return fault.memory;
}

int fault_descriptors(void)
{
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;

  while (directory != NULL && readdir(directory) != NULL)
    count++;
  closedir(directory);
  return count - 3; /* ".", ".." and the directory itself */
}

/* 1 if this call is the one. */
PLAIN static int fails(const char *name, int number)
{
  if (!fault.counting || ++fault.calls != fault.number)
    return 0;
  fault.failed = name;
  errno = number;
  return 1;
}

/* ---- memory ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

static void *counted(void *memory)
{
  fault.memory += memory != NULL;
  return memory;
}

void *__wrap_malloc(size_t size)
{
  return fails("malloc", ENOMEM) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
  return fails("calloc", ENOMEM) ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
  void *moved;

  if (fails("realloc", ENOMEM))
    return NULL;
  moved = __real_realloc(memory, size);
  return memory == NULL ? counted(moved) : moved;
}

void __wrap_free(void *memory)
{
  fault.memory -= memory != NULL;
  __real_free(memory);
}

/* ---- system calls ---- */

/* A call with these parameters, which fails with this errno. */
#define WRAP(type, name, number, parameters, arguments)                        \
  type __real_##name parameters;                                               \
  type __wrap_##name parameters;                                               \
  type __wrap_##name parameters                                                \
  {                                                                            \
    return fails(#name, number) ? -1 : __real_##name arguments;                \
  }

/* The same of a call whose last argument is optional. */
#define WRAP_OPTIONAL(name, number, first_type)                                \
  int __real_##name(first_type first, int second, ...);                        \
  int __wrap_##name(first_type first, int second, ...);                        \
  int __wrap_##name(first_type first, int second, ...)                         \
  {                                                                            \
    va_list rest;                                                              \
    long third;                                                                \
                                                                               \
    va_start(rest, second);                                                    \
    third = va_arg(rest, long);                                                \
    va_end(rest);                                                              \
    return fails(#name, number) ? -1 : __real_##name(first, second, third);    \
  }

WRAP(int, epoll_create1, EMFILE, (int flags), (flags))
WRAP(ssize_t, getrandom, ENOSYS, (void *bytes, size_t size, unsigned flags),
     (bytes, size, flags))
WRAP(int, memfd_create, EMFILE, (const char *name, unsigned flags),
     (name, flags))
WRAP(int, pipe2, ENFILE, (int ends[2], int flags), (ends, flags))
WRAP(ssize_t, sendmsg, ENOBUFS,
     (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(int, socketpair, EMFILE, (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends))
WRAP(int, timerfd_create, EMFILE, (int clock, int flags), (clock, flags))
WRAP(ssize_t, write, ENOSPC, (int fd, const void *bytes, size_t size),
     (fd, bytes, size))
WRAP_OPTIONAL(fcntl, EMFILE, int)
WRAP_OPTIONAL(fcntl64, EMFILE, int)
WRAP_OPTIONAL(open, EMFILE, const char *)
WRAP_OPTIONAL(open64, EMFILE, const char *)

int __real_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);

/* Changing and deleting take nothing, so they have no reason to fail. */
int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
  if (operation == EPOLL_CTL_ADD && fails("epoll_ctl", ENOSPC))
    return -1;
  return __real_epoll_ctl(set, operation, fd, event);
}

int __real_clone(int (*run)(void *), void *stack, int flags, void *argument,
                 ...);
int __wrap_clone(int (*run)(void *), void *stack, int flags, void *argument,
                 ...);

PLAIN int __wrap_clone(int (*run)(void *), void *stack, int flags,
                       void *argument, ...)
{
  va_list rest;
  void *pid;

  if (fails("clone", EAGAIN))
    return -1;
  va_start(rest, argument);
  pid = va_arg(rest, void *);
  va_end(rest);
  return __real_clone(run, stack, flags, argument, pid, NULL, NULL);
}
