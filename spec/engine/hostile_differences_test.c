/* hostile_differences_test.c -- what a warden that has been taken over could
** say of changes to folders of the host. #S054 #S060 #S066
*/
#include "hostile.h"

#define DIFFERENCE(what, expected, path, length, change, now, before, mode,    \
                   size, target)                                               \
  ANSWER(expected, what, CELL_DIFFER, CELL_DIFFERENCES, ASKED, "4b44448s", 1u, \
         path, (size_t)(length), change, now, before, mode, size, target)

static void names(void)
{
  static char path[CELL_PATH_MAX + 1];
  struct fake fake;
  const uint64_t one = 1;

  memset(path, 'a', sizeof path);
  DIFFERENCE("a difference", CELL_OK, "d/a\nb\xff", 6, 0u, 0u, 4u, 0644u, one,
             "");
  DIFFERENCE("a link, wherever it leads", CELL_OK, "a", 1, 1u, 2u, 2u, 0777u,
             one, "/etc/passwd");
  DIFFERENCE("a path that leads up #S060", CELL_PROTOCOL, "d/../../e", 9, 0u,
             0u, 4u, 0644u, one, "");
  DIFFERENCE("that is up", CELL_PROTOCOL, "..", 2, 0u, 0u, 4u, 0644u, one, "");
  DIFFERENCE("that begins at the root #S060", CELL_PROTOCOL, "/etc/passwd", 11,
             0u, 0u, 4u, 0644u, one, "");
  DIFFERENCE("that is the folder", CELL_PROTOCOL, ".", 1, 0u, 0u, 4u, 0644u,
             one, "");
  DIFFERENCE("that is none", CELL_PROTOCOL, "", 0, 0u, 0u, 4u, 0644u, one, "");
  DIFFERENCE("that has nothing in between", CELL_PROTOCOL, "d//e", 4, 0u, 0u,
             4u, 0644u, one, "");
  DIFFERENCE("with a NUL #S060", CELL_PROTOCOL, "a\0b", 3, 0u, 0u, 4u, 0644u,
             one, "");
  DIFFERENCE("that no system call takes", CELL_PROTOCOL, path, CELL_PATH_MAX,
             0u, 0u, 4u, 0644u, one, "");
}

static void values(void)
{
  struct fake fake;
  const uint64_t one = 1;

  DIFFERENCE("a change that there is not #S054", CELL_PROTOCOL, "a", 1, 4u, 0u,
             0u, 0644u, one, "");
  DIFFERENCE("a type that there is not #S054", CELL_PROTOCOL, "a", 1, 0u, 5u,
             4u, 0644u, one, "");
  DIFFERENCE("another that was not", CELL_PROTOCOL, "a", 1, 0u, 0u, 5u, 0644u,
             one, "");
  DIFFERENCE("a set-user-ID bit #S066", CELL_PROTOCOL, "a", 1, 0u, 0u, 4u,
             04755u, one, "");
  DIFFERENCE("a size of 2^63 #S054", CELL_PROTOCOL, "a", 1, 0u, 0u, 4u, 0644u,
             HUGE_COUNT, "");
  WRONG("more than it holds #S048", CELL_DIFFER, CELL_DIFFERENCES, ASKED, "4",
        0xffffffffu);
  WRONG("differences that nobody asked for", CELL_FILE_LIST, CELL_DIFFERENCES,
        ASKED, "4", 0u);
  WRONG("a listing instead", CELL_DIFFER, CELL_ENTRIES, ASKED, "4", 0u);
  RIGHT("no difference", CELL_DIFFER, CELL_DONE, ASKED, "4", 0u);
  RIGHT("more than were told", CELL_DIFFER, CELL_DONE, ASKED, "4", 7u);
}

int main(void)
{
  int descriptors = count_descriptors();

  names();
  values();
  check(count_descriptors() == descriptors, "and no descriptor stays");
  return check_status();
}
