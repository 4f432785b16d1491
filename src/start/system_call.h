/* system_call.h -- system calls for a child that runs in its parent's memory.
**
** libc's write errno, which is the suspended parent's; these return -errno.
*/
#ifndef CELL_SYSTEM_CALL_H
#define CELL_SYSTEM_CALL_H

#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 8)
#define CELL_UNINSTRUMENTED                                                    \
  __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define CELL_UNINSTRUMENTED
#endif

#if defined(__x86_64__)

CELL_UNINSTRUMENTED static inline long cell_call5(long number, long a, long b,
                                                  long c, long d, long e)
{
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  long result;

  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

CELL_UNINSTRUMENTED static inline long cell_call5(long number, long a, long b,
                                                  long c, long d, long e)
{
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;

  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                   : "memory");
  return x0;
}

#else

#include <errno.h>
#include <unistd.h>

/* The starter of the children keeps its errno from them. */
CELL_UNINSTRUMENTED static inline long cell_call5(long number, long a, long b,
                                                  long c, long d, long e)
{
  long result = syscall(number, a, b, c, d, e);

  return result < 0 ? -errno : result;
}

#endif

#define cell_call0(number) cell_call5((number), 0, 0, 0, 0, 0)
#define cell_call1(number, a) cell_call5((number), (a), 0, 0, 0, 0)
#define cell_call3(number, a, b, c) cell_call5((number), (a), (b), (c), 0, 0)
#define cell_call4(number, a, b, c, d)                                         \
  cell_call5((number), (a), (b), (c), (d), 0)

#endif
