/* check.h -- the one line that an engine test prints for each thing it shows.
**
** A test is a main() that calls check() with what it expects, written as a
** sentence, and returns check_status().
*/
#ifndef CELL_CHECK_H
#define CELL_CHECK_H

#include <stdarg.h>
#include <stdio.h>

struct check_count {
  int passed;
  int failed;
};

static struct check_count check_count;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3), unused))
#endif
static int
check(int holds, const char *format, ...)
{
  va_list arguments;

  if (holds)
    check_count.passed++;
  else
    check_count.failed++;
  fputs(holds ? "ok - " : "not ok - ", stdout);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
  return holds;
}

#if defined(__GNUC__)
__attribute__((unused))
#endif
static void
check_skip(const char *what, const char *why)
{
  printf("ok - %s # SKIP %s\n", what, why);
  fflush(stdout);
}

static int check_status(void)
{
  return check_count.failed == 0 && check_count.passed > 0 ? 0 : 1;
}

#endif
