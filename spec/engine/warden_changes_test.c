/* warden_changes_test.c -- changed files and watched directories, asked of the
** warden itself.
*/
#include "warden_host.h"

#include <sys/ioctl.h>

static int watch = -1; /* passed with the first CHANGES */

static uint32_t ask(struct sandbox *sandbox, uint32_t type,
                    const struct cell_packer *packer)
{
  uint64_t request = ++sandbox->request;

  say(sandbox->channel, type, request, packer, NULL, 0);
  if (hear(sandbox->channel, PATIENCE_MS) != 1 ||
      message.frame.request != request)
    return 0;
  return message.frame.type;
}

/* ---- changes ---- */

/* "0 path size, ..." of the changes; "?" when nobody knows. */
static const char *changes(struct sandbox *sandbox, uint32_t flags)
{
  static char list[8192];
  struct cell_packer *packer = start_payload();
  uint32_t answered, count, change;
  size_t used = 0;
  const char *path;

  cell_pack_u32(packer, flags);
  if (ask(sandbox, CELL_CHANGES, packer) != CELL_CHANGES_ARE || number() != 0)
    return "no answer";
  answered = number();
  if ((answered & CELL_CHANGED_PASSED) && message.fd >= 0)
    watch = message.fd;
  number();
  list[0] = '\0';
  for (count = number(); count > 0; count--) {
    path = text();
    change = number();
    used +=
      (size_t)snprintf(list + used, sizeof list - used, "%s%u %s %u",
                       used > 0 ? ", " : "", change, path, (unsigned)large());
  }
  return answered & CELL_CHANGED_UNKNOWN ? "?" : list;
}

static int waiting(void)
{
  int count = 0;

  ioctl(watch, FIONREAD, &count);
  return count > 0;
}

static void test_changes(struct sandbox *sandbox)
{
  check(strcmp(changes(sandbox, CELL_CHANGES_PASS | CELL_CHANGES_RESTART),
               "") == 0 &&
          watch >= 0,
        "the first question is answered with a watch, and no change");
  check(!waiting(), "of which nothing can be read yet");
  shell(sandbox, "echo 1 > a; mkdir d", NULL);
  check(waiting(), "until something changes");
  check(strcmp(changes(sandbox, 0), "0 a 2") == 0, "which is told");
  check(!waiting(), "once");
  shell(sandbox, "echo 22 > d/b; printf x > a", NULL);
  check(waiting() && strcmp(changes(sandbox, 0), "1 a 1, 0 d/b 3") == 0,
        "new directories are watched, and paths are in order");
  shell(sandbox, "rm a; mv d e", NULL);
  check(strcmp(changes(sandbox, CELL_CHANGES_RESTART), "") == 0,
        "beginning anew tells nothing");
  check(strcmp(changes(sandbox, 0), "") == 0, "also not later");
  shell(sandbox, "chmod 600 e/b; ln -s /etc/passwd link", NULL);
  check(strcmp(changes(sandbox, 0), "0 link 11") == 0,
        "new permissions are no change; a link is not followed");
  shell(sandbox, "rm -r e link; ln -s /usr e", NULL);
  check(strcmp(changes(sandbox, 0), "0 e 4, 2 e/b 0, 2 link 0") == 0,
        "nor is one in the place of a directory #S059");
}

/* A directory that becomes a link and a directory again, all the time. */
static void test_race(struct sandbox *sandbox)
{
  static const char *const argv[] = {
    "python3", "-c",
    "import os\n"
    "os.mkdir('real'); os.symlink('/usr/share', 'link')\n"
    "print('on', flush=True)\n"
    "while True: os.rename('real', 'x'); os.rename('link', 'real'); "
    "os.rename('real', 'link'); os.rename('x', 'real')",
    NULL};
  static char line[8];
  struct running running;
  const char *list;
  int i, right = 1;

  spawn(sandbox, &running, CELL_COMMAND, "", 0, argv);
  take_spawned(sandbox, &running);
  if (read(running.out, line, 3) != 3)
    right = 0;
  for (i = 0; i < 2000; i++) {
    list = changes(sandbox, 0);
    right =
      right && strcmp(list, "no answer") != 0 && strchr(list, '/') == NULL;
  }
  check(right, "a directory that becomes a link is never left by it #S059");
  finish(&running);
}

static void test_many(struct sandbox *sandbox)
{
  int i = 0;

  shell(sandbox, "mkdir many; cd many; mkdir $(seq 8200); echo > 1/file", NULL);
  check(strcmp(changes(sandbox, 0), "?") == 0,
        "more directories than are kept: nobody knows #S067");
  shell(sandbox, "rm -r many", NULL);
  while (strcmp(changes(sandbox, 0), "?") == 0 && i++ < 10000)
    usleep(1000);
  shell(sandbox, "echo > again", NULL);
  check(strcmp(changes(sandbox, 0), "0 again 1") == 0, "until they are fewer");
}

/* Pictures made of the last one are as good as those that are all new. */
static void test_moves(struct sandbox *sandbox)
{
  shell(sandbox, "mkdir -p m/a/b m/c; echo > m/a/b/f; echo > m/c/g", NULL);
  changes(sandbox, 0);
  shell(sandbox, "mv m/a m/d; echo 1 > m/d/b/f; mkdir m/a; echo > m/a/x", NULL);
  check(strcmp(changes(sandbox, 0), "2 m/a/b/f 0, 0 m/a/x 1, 0 m/d/b/f 2") == 0,
        "a directory that is moved, and one that takes its name");
  shell(sandbox, "echo 22 > m/d/b/f; echo > m/c/h", NULL);
  check(strcmp(changes(sandbox, 0), "0 m/c/h 1, 1 m/d/b/f 3") == 0,
        "what is in it is watched as before");
  shell(sandbox, "mv m/d m/t; mv m/c m/d; mv m/t m/c; echo > m/d/i", NULL);
  check(strcmp(changes(sandbox, 0),
               "0 m/c/b/f 3, 2 m/c/g 0, 2 m/c/h 0, 2 m/d/b/f 0, 0 m/d/g 1, "
               "0 m/d/h 1, 0 m/d/i 1") == 0,
        "two that change their names");
  shell(sandbox, "chmod 0 m/c; echo > m/d/j", NULL);
  check(strcmp(changes(sandbox, 0), "0 m/d/j 1") == 0,
        "what is in one that is closed is as it was");
  shell(sandbox, "chmod 755 m/c; rm m/c/b/f", NULL);
  check(strcmp(changes(sandbox, 0), "2 m/c/b/f 0") == 0, "until it is opened");
  shell(sandbox, "mv m /tmp/m; echo > /tmp/m/d/k", NULL);
  check(strcmp(changes(sandbox, 0), "2 m/a/x 0, 2 m/d/g 0, 2 m/d/h 0, "
                                    "2 m/d/i 0, 2 m/d/j 0") == 0,
        "what leaves the home is removed");
  shell(sandbox, "echo > /tmp/m/d/l", NULL);
  check(!waiting(), "and heard of no more");
  shell(sandbox, "mv /tmp/m .", NULL);
  check(strstr(changes(sandbox, 0), "0 m/d/k 1, 0 m/d/l 1") != NULL,
        "and comes back whole");
}

/* ---- watches ---- */

static uint32_t start_watch(struct sandbox *sandbox, const char *path,
                            uint32_t recursive, uint64_t *request)
{
  struct cell_packer *packer = start_payload();
  uint32_t type;

  cell_pack_string(packer, path);
  cell_pack_u32(packer, recursive);
  type = ask(sandbox, CELL_WATCH, packer);
  *request = sandbox->request;
  return type == CELL_DONE ? number() : 9999;
}

static uint64_t say_about(struct sandbox *sandbox, uint32_t type,
                          uint64_t request)
{
  struct cell_packer *packer = start_payload();

  cell_pack_u64(packer, request);
  say(sandbox->channel, type, ++sandbox->request, packer, NULL, 0);
  return sandbox->request;
}

/* Of the message in hand: "0 name, ..." or "errno N" or "lost" or "ended". */
static const char *events(void)
{
  static char list[65536];
  uint32_t failure = number(), flags, count, event;
  size_t used = 0;
  const char *name;

  if (failure != 0) {
    snprintf(list, sizeof list, "errno %u", failure);
    return list;
  }
  flags = number();
  list[0] = '\0';
  for (count = number(); count > 0; count--) {
    name = text();
    event = number();
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%u %s",
                             used > 0 ? ", " : "", event, name);
  }
  return flags & CELL_EVENTS_LOST    ? "lost"
         : flags & CELL_EVENTS_ENDED ? "ended"
                                     : list;
}

static const char *next(struct sandbox *sandbox, uint64_t request)
{
  uint64_t number_asked = say_about(sandbox, CELL_WATCH_NEXT, request);

  return hear(sandbox->channel, PATIENCE_MS) == 1 &&
             message.frame.request == number_asked
           ? events()
           : "no answer";
}

/* Asks until it is told: what was done to one file may come in parts. */
static int hears_of(struct sandbox *sandbox, uint64_t request,
                    const char *event)
{
  const char *list;

  do {
    list = next(sandbox, request);
    if (strstr(list, event) != NULL)
      return 1;
  } while (strcmp(list, "no answer") != 0);
  return 0;
}

static void test_watch(struct sandbox *sandbox)
{
  uint64_t one, asked, again;

  check(start_watch(sandbox, "missing", 0, &one) == ENOENT &&
          start_watch(sandbox, "/etc/passwd", 0, &one) == ENOTDIR,
        "what is no directory cannot be watched");
  shell(sandbox, "mkdir w", NULL);
  check(start_watch(sandbox, "w", 1, &one) == 0, "a directory can");
  shell(sandbox, "mkdir -p w/d/e; echo 1 > w/d/e/f; rm w/d/e/f", NULL);
  check(strncmp(next(sandbox, one), "0 d, 0 d/e", 10) == 0,
        "what happens is told, below it too");
  shell(sandbox, "echo > w/g", NULL);
  check(hears_of(sandbox, one, "0 g"), "a new file");
  shell(sandbox, "rm w/g", NULL);
  check(hears_of(sandbox, one, "2 g"), "and its end");
  asked = say_about(sandbox, CELL_WATCH_NEXT, one);
  again = say_about(sandbox, CELL_WATCH_NEXT, one);
  check(hear(sandbox->channel, PATIENCE_MS) == 1 &&
          message.frame.request == again && strcmp(events(), "errno 16") == 0,
        "one question waits at a time");
  say_about(sandbox, CELL_UNWATCH, one);
  check(hear(sandbox->channel, PATIENCE_MS) == 1 &&
          message.frame.request == asked && strcmp(events(), "errno 125") == 0,
        "it is cancelled with the watch");
  check(hear(sandbox->channel, PATIENCE_MS) == 1 &&
          message.frame.type == CELL_DONE && number() == 0,
        "which is done then");
  check(strcmp(next(sandbox, one), "errno 3") == 0, "and known no more");
}

/* Whether it says that it could not keep all of 9999 files, before the last of
** them: who is asked often enough while the warden reads of them keeps up.
*/
static int loses_some(struct sandbox *sandbox, uint64_t request)
{
  int patience = 10000;
  const char *list;

  do {
    list = next(sandbox, request);
    if (strcmp(list, "lost") == 0)
      return 1;
  } while (strstr(list, "0 9999") == NULL && --patience > 0);
  return 0;
}

/* Whether new directories are told of. The warden may still be reading of the
** files: what is lost with them is made again.
*/
static int goes_on(struct sandbox *sandbox, uint64_t request)
{
  int patience = 10000;
  const char *list;

  shell(sandbox, "mktemp -d /tmp/xXXXXXX", NULL);
  do {
    list = next(sandbox, request);
    if (strstr(list, "0 x") != NULL)
      return 1;
    if (strcmp(list, "lost") == 0)
      shell(sandbox, "mktemp -d /tmp/xXXXXXX", NULL);
  } while (strcmp(list, "no answer") != 0 && --patience > 0);
  return 0;
}

static void test_watch_bounds(struct sandbox *sandbox)
{
  uint64_t watches[CELL_WATCHERS_MAX], more;
  int i, first = 1, right = 1;

  for (i = 0; i < CELL_WATCHERS_MAX; i++)
    right = right && start_watch(sandbox, "/tmp", 1, &watches[i]) == 0;
  check(right && start_watch(sandbox, "/tmp", 0, &more) == EAGAIN,
        "there are so many watchers and no more #S067");
  shell(sandbox, "cd /tmp; touch $(seq 9999)", NULL);
  for (i = 0, right = 0; i < CELL_WATCHERS_MAX; i++) {
    first = first && strncmp(next(sandbox, watches[i]), "0 1", 3) == 0;
    right += loses_some(sandbox, watches[i]);
  }
  check(first && right > 0,
        "they say that they could not keep all that happened #S067");
  for (i = 0, right = 1; i < CELL_WATCHERS_MAX; i++)
    right = right && goes_on(sandbox, watches[i]);
  check(right, "and goes on");
  for (i = 0, right = 1; i < CELL_WATCHERS_MAX; i++) {
    say_about(sandbox, CELL_UNWATCH, watches[i]);
    right = right && hear(sandbox->channel, PATIENCE_MS) == 1 && number() == 0;
  }
  shell(sandbox, "mkdir /tmp/end", NULL);
  check(right && start_watch(sandbox, "/tmp/end", 0, &more) == 0 &&
          strcmp(shell(sandbox, "rmdir /tmp/end && echo gone", NULL),
                 "gone\n") == 0 &&
          strcmp(next(sandbox, more), "ended") == 0,
        "a directory that is removed ends its watch");
}

int main(void)
{
  struct sandbox sandbox;
  pid_t pid;
  int stem = -1;

  executable = memfd_create("warden", MFD_CLOEXEC);
  if (write(executable, cell_warden_program, cell_warden_program_size) < 0)
    return 1;
  pid = start_stem(&stem);
  if (set_up(stem, NULL) < 0 || create(stem, &sandbox, &usual) < 0) {
    check(0, "a sandbox");
    return 1;
  }
  test_changes(&sandbox);
  test_moves(&sandbox);
  test_many(&sandbox);
  test_watch(&sandbox);
  test_watch_bounds(&sandbox);
  test_race(&sandbox);
  close(sandbox.channel);
  sandbox.channel = -1;
  check(gone(&sandbox, PATIENCE_MS), "it ends as always");
  release(&sandbox);
  close(stem);
  waitpid(pid, NULL, 0);
  return failures != 0;
}
