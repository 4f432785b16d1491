/* warden_test.c -- plays the host to the warden executable.
**
** warden_test [EXECUTABLE [RUNS]]: without an executable the embedded one; with
** RUNS it measures that many times from create to hello instead.
*/
#include "warden_host.h"

/* ---- questions ---- */

/* Sends and waits for the answer; returns its type, or 0. */
static uint32_t ask(struct sandbox *sandbox, uint32_t type,
                    const struct cell_packer *packer, int fd)
{
  uint64_t request = ++sandbox->request;

  say(sandbox->channel, type, request, packer, &fd, fd >= 0);
  if (hear(sandbox->channel, PATIENCE_MS) != 1 ||
      message.frame.request != request)
    return 0;
  return message.frame.type;
}

/* The errno of an answer of that type, or -1. */
static int answered(uint32_t type, uint32_t wanted)
{
  return type == wanted ? (int)number() : -1;
}

static int put_file(struct sandbox *sandbox, const char *path,
                    const char *content, uint32_t mode, uint32_t flags)
{
  struct cell_packer *packer = start_payload();

  cell_pack_string(packer, path);
  cell_pack_u32(packer, mode);
  cell_pack_u32(packer, flags);
  cell_pack_u64(packer, strlen(content));
  cell_pack_string(packer, content);
  cell_pack_string(packer, "");
  return answered(ask(sandbox, CELL_FILE_WRITE, packer, -1), CELL_ENTRY);
}

static int path_verb(struct sandbox *sandbox, uint32_t type, const char *path,
                     uint32_t answer)
{
  struct cell_packer *packer = start_payload();

  cell_pack_string(packer, path);
  if (type == CELL_FILE_MKDIR || type == CELL_FILE_STAT)
    cell_pack_u32(packer, 0);
  if (type == CELL_FILE_READ) {
    cell_pack_u64(packer, 0);
    cell_pack_u64(packer, UINT64_MAX);
  }
  return answered(ask(sandbox, type, packer, -1), answer);
}

static int two_paths(struct sandbox *sandbox, uint32_t type, const char *one,
                     const char *other, uint32_t answer)
{
  struct cell_packer *packer = start_payload();

  cell_pack_string(packer, one);
  cell_pack_string(packer, other);
  return answered(ask(sandbox, type, packer, -1), answer);
}

struct entry {
  const char *path, *target, *metadata;
  uint32_t type, mode, uid;
  uint64_t size;
  size_t noted; /* bytes of metadata */
};

static struct entry entry(void)
{
  struct entry result;

  result.path = text();
  result.type = number();
  result.mode = number();
  result.size = large();
  large();
  result.uid = number();
  number();
  result.target = text();
  result.metadata =
    (const char *)cell_unpack_bytes(&message.unpacker, &result.noted);
  return result;
}

static int read_is(struct sandbox *sandbox, const char *path,
                   const char *wanted)
{
  size_t length;
  const unsigned char *bytes;

  if (path_verb(sandbox, CELL_FILE_READ, path, CELL_CONTENT) != 0)
    return 0;
  large();
  number();
  bytes = cell_unpack_bytes(&message.unpacker, &length);
  return length == strlen(wanted) && memcmp(bytes, wanted, length) == 0;
}

static int signal_to(struct sandbox *sandbox, uint64_t request, int which,
                     enum cell_signal_scope scope)
{
  struct cell_packer *packer = start_payload();

  cell_pack_u64(packer, request);
  cell_pack_u32(packer, (uint32_t)which);
  cell_pack_u32(packer, scope);
  return answered(ask(sandbox, CELL_SIGNAL, packer, -1), CELL_DONE);
}

/* ---- cases ---- */

static void test_processes(struct sandbox *sandbox)
{
  static const char *const cat[] = {"cat", NULL};
  static const char *const nothing[] = {"no-such-program", NULL};
  static const char *const sleeper[] = {"/bin/sh", "-c", "sleep 60", NULL};
  static const char *const wire[] = {"/bin/sh", "-c",
                                     "read line <&3; echo $line >&4", NULL};
  struct running running;
  char buffer[256];
  long status;

  check(strcmp(shell(sandbox, "echo hello; exit 3", &status), "hello\n") == 0 &&
          WEXITSTATUS(status) == 3,
        "a command runs and its status comes back");
  spawn(sandbox, &running, CELL_COMMAND, "", 1, cat);
  take_spawned(sandbox, &running);
  check(running.failure == 0 && running.pid > 1, "PATH is searched");
  check(write(running.in, "through\n", 8) == 8, "input is taken");
  close(running.in);
  running.in = -1;
  drain(running.out, buffer, sizeof buffer);
  check(strcmp(buffer, "through\n") == 0, "input comes through");
  take_exited(sandbox, &running, NULL);
  finish(&running);
  spawn(sandbox, &running, CELL_COMMAND, "", 0, nothing);
  take_spawned(sandbox, &running);
  check(running.failure == ENOENT && strcmp(running.stage, "program") == 0,
        "a missing program is told with its stage");
  finish(&running);
  spawn(sandbox, &running, CELL_COMMAND, "/nowhere", 0, cat);
  take_spawned(sandbox, &running);
  check(running.failure == ENOENT && strcmp(running.stage, "cwd") == 0,
        "a missing directory is told with its stage");
  finish(&running);
  spawn(sandbox, &running, CELL_COMMAND, "", 0, sleeper);
  take_spawned(sandbox, &running);
  check(signal_to(sandbox, running.request, SIGTERM, CELL_SCOPE_GROUP) == 0,
        "a group is signalled");
  status = take_exited(sandbox, &running, NULL);
  check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
        "the signal is in the status");
  check(signal_to(sandbox, running.request, SIGTERM, CELL_SCOPE_GROUP) == ESRCH,
        "what has ended cannot be signalled");
  finish(&running);
  spawn(sandbox, &running, CELL_KERNEL, "/tmp", 0, wire);
  take_spawned(sandbox, &running);
  check(write(running.to_kernel, "wired\n", 6) == 6 &&
          read(running.from_kernel, buffer, 6) == 6 &&
          memcmp(buffer, "wired\n", 6) == 0,
        "a kernel reads descriptor 3 and writes 4");
  take_exited(sandbox, &running, NULL);
  finish(&running);
  check(strcmp(shell(sandbox, "ls /proc/self/fd", NULL), "0\n1\n2\n3\n") == 0,
        "nothing but 0, 1, 2 is open (and the listing itself)");
}

static void test_signal_all(struct sandbox *sandbox)
{
  static const char *const daemons[] = {
    "/bin/sh", "-c",
    "for i in 1 2 3; do setsid sleep 60 & done; echo up; sleep 60", NULL};
  struct running running;
  char up[3];
  long status;

  spawn(sandbox, &running, CELL_COMMAND, "", 0, daemons);
  take_spawned(sandbox, &running);
  check(read(running.out, up, sizeof up) == sizeof up, "daemons are started");
  check(signal_to(sandbox, 0, SIGKILL, CELL_SCOPE_PROCESS) == 0,
        "everything is signalled at once");
  status = take_exited(sandbox, &running, NULL);
  check(WIFSIGNALED(status), "and ends");
  finish(&running);
  check(strcmp(shell(sandbox,
                     "for i in $(seq 2000); do set -- /proc/[0-9]*; "
                     "test $# -le 2 && break; sleep 0.01; done; echo $#",
                     NULL),
               "2\n") == 0,
        "its daemons too, and the reaper lives");
}

/* Read until the text is there, or nothing more comes. */
static size_t read_until(int fd, char *buffer, size_t size, const char *text)
{
  struct pollfd news = {fd, POLLIN, 0};
  size_t used = 0;
  ssize_t got = 1;

  buffer[0] = '\0';
  while (got > 0 && used + 1 < size && strstr(buffer, text) == NULL) {
    got = poll(&news, 1, PATIENCE_MS) > 0
            ? read(fd, buffer + used, size - 1 - used)
            : 0;
    used += got > 0 ? (size_t)got : 0;
    buffer[used] = '\0';
  }
  return used;
}

static void test_terminal(struct sandbox *sandbox)
{
  static const char *const argv[] = {
    "/bin/sh", "-c", "tty; stty size; read x; stty size; echo got $x", NULL};
  struct cell_packer *packer;
  struct running running;
  char buffer[1024];
  size_t used;

  spawn(sandbox, &running, CELL_TERMINAL, "", 0, argv);
  take_spawned(sandbox, &running);
  check(running.failure == 0 && isatty(running.master),
        "a terminal's master comes out");
  used = read_until(running.master, buffer, sizeof buffer, "24 80");
  packer = start_payload();
  cell_pack_u64(packer, running.request);
  cell_pack_u32(packer, 50);
  cell_pack_u32(packer, 132);
  check(answered(ask(sandbox, CELL_RESIZE, packer, -1), CELL_DONE) == 0,
        "it is resized");
  check(write(running.master, "line\n", 5) == 5, "it is typed into");
  take_exited(sandbox, &running, NULL);
  drain(running.master, buffer + used, sizeof buffer - used);
  check(strstr(buffer, "/dev/pts/0") != NULL &&
          strstr(buffer, "24 80") != NULL && strstr(buffer, "50 132") != NULL &&
          strstr(buffer, "got line") != NULL,
        "it is a controlling terminal with the sizes given");
  finish(&running);
}

static void test_files(struct sandbox *sandbox)
{
  struct entry found;

  check(put_file(sandbox, "a/b/c.txt", "content", 0, 0) == 0,
        "a file is written, its parents made");
  found = entry();
  check(found.size == 7 && found.mode == 0644 && found.uid == 1000 &&
          found.type == CELL_ENTRY_FILE,
        "and described");
  check(read_is(sandbox, "~/a/b/c.txt", "content") &&
          read_is(sandbox, CELL_HOME "/a/b/c.txt", "content"),
        "and read, by each way to name it");
  check(put_file(sandbox, "a/b/c.txt", "x", 0600, CELL_WRITE_EXCLUSIVE) ==
          EEXIST,
        "exclusive means that it must not be there");
  check(put_file(sandbox, "a/b/c.txt", "new", 0600, 0) == 0 &&
          read_is(sandbox, "a/b/c.txt", "new"),
        "its content is replaced");
  check(put_file(sandbox, "/etc/passwd", "x", 0, 0) == EROFS ||
          put_file(sandbox, "/etc/passwd", "x", 0, 0) == EACCES,
        "the root is read-only");
  check(put_file(sandbox, "a", "x", 0, 0) == EISDIR, "a directory is none");
  check(path_verb(sandbox, CELL_FILE_READ, "a", CELL_CONTENT) == EISDIR,
        "nor is it read");
  shell(sandbox, "mkfifo fifo; ln -s a/b/c.txt link; ln -s nowhere lost", NULL);
  check(path_verb(sandbox, CELL_FILE_READ, "fifo", CELL_CONTENT) == EINVAL &&
          path_verb(sandbox, CELL_FILE_READ, "/dev/zero", CELL_CONTENT) ==
            EINVAL &&
          put_file(sandbox, "fifo", "x", 0, 0) == EINVAL,
        "FIFOs and devices are refused and nobody waits");
  check(read_is(sandbox, "link", "new"), "a link is followed inside");
  check(path_verb(sandbox, CELL_FILE_STAT, "link", CELL_ENTRY) == 0,
        "a link is described");
  found = entry();
  check(found.type == CELL_ENTRY_LINK && strcmp(found.target, "a/b/c.txt") == 0,
        "with its target");
  check(path_verb(sandbox, CELL_FILE_READ, "lost", CELL_CONTENT) == ENOENT &&
          path_verb(sandbox, CELL_FILE_STAT, "gone", CELL_ENTRY) == ENOENT,
        "what is not there is not found");
  check(path_verb(sandbox, CELL_FILE_MKDIR, "d/e", CELL_DONE) == 0 &&
          path_verb(sandbox, CELL_FILE_MKDIR, "d/e", CELL_DONE) == EEXIST &&
          path_verb(sandbox, CELL_FILE_MKDIR, "link", CELL_DONE) == ENOTDIR,
        "directories are made");
  check(two_paths(sandbox, CELL_FILE_RENAME, "a/b/c.txt", "f/g.txt",
                  CELL_ENTRY) == 0 &&
          read_is(sandbox, "f/g.txt", "new"),
        "a file is renamed, parents made");
  check(two_paths(sandbox, CELL_FILE_RENAME, "f", "/tmp/x/f", CELL_ENTRY) ==
            0 &&
          two_paths(sandbox, CELL_FILE_RENAME, "/tmp/x/f", "/dev/shm/f",
                    CELL_ENTRY) == 0 &&
          two_paths(sandbox, CELL_FILE_RENAME, "/dev/shm/f", "f", CELL_ENTRY) ==
            0 &&
          read_is(sandbox, "f/g.txt", "new"),
        "and moved between home, /tmp and /dev/shm");
  check(two_paths(sandbox, CELL_FILE_RENAME, "f/g.txt", "/usr/x", CELL_ENTRY) ==
          EXDEV,
        "but nowhere else");
  check(two_paths(sandbox, CELL_FILE_RENAME, "none", "h/i", CELL_ENTRY) ==
          ENOENT,
        "not what is not there");
  check(two_paths(sandbox, CELL_FILE_LINK, "l/m", "../f/g.txt", CELL_DONE) ==
            0 &&
          read_is(sandbox, "l/m", "new"),
        "links are made");
}

static void test_trees(struct sandbox *sandbox)
{
  struct cell_packer *packer;
  uint32_t count = 0, i, type;
  int deep = 0;

  shell(sandbox,
        "mkdir -p t/u/v; touch t/1 t/u/2; for i in $(seq 900); do "
        "echo > t/u/v/$i; done; i=0; while [ $i -lt 150 ]; do mkdir d; cd d; "
        "i=$((i+1)); done; echo x > leaf",
        NULL);
  packer = start_payload();
  cell_pack_string(packer, "t");
  cell_pack_u32(packer, 1);
  cell_pack_u32(packer, 100);
  type = ask(sandbox, CELL_FILE_LIST, packer, -1);
  check(type == CELL_ENTRIES && number() == 2, "a directory is listed");
  hear(sandbox->channel, PATIENCE_MS);
  check(message.frame.type == CELL_DONE && number() == 0, "the listing ends");
  packer = start_payload();
  cell_pack_string(packer, "t");
  cell_pack_u32(packer, 9);
  cell_pack_u32(packer, 10000);
  type = ask(sandbox, CELL_FILE_LIST, packer, -1);
  while (type == CELL_ENTRIES) {
    for (i = number(), count += i; i > 0; i--)
      deep += strcmp(entry().path, "u/v/900") == 0;
    type = hear(sandbox->channel, PATIENCE_MS) == 1 ? message.frame.type : 0;
  }
  check(type == CELL_DONE && number() == 0 && count == 904 && deep == 1,
        "with all below it");
  packer = start_payload();
  cell_pack_string(packer, "t");
  cell_pack_u32(packer, 9);
  cell_pack_u32(packer, 300);
  type = ask(sandbox, CELL_FILE_LIST, packer, -1);
  for (count = 0; type == CELL_ENTRIES;) {
    count += number();
    type = hear(sandbox->channel, PATIENCE_MS) == 1 ? message.frame.type : 0;
  }
  check(type == CELL_DONE && number() == E2BIG && count == 300,
        "but not more than asked for");
  check(path_verb(sandbox, CELL_FILE_REMOVE, "t", CELL_DONE) == 0 &&
          path_verb(sandbox, CELL_FILE_STAT, "t", CELL_ENTRY) == ENOENT,
        "a tree is removed");
  check(path_verb(sandbox, CELL_FILE_REMOVE, "d", CELL_DONE) == 0 &&
          path_verb(sandbox, CELL_FILE_STAT, "d", CELL_ENTRY) == ENOENT,
        "a very deep one too");
  shell(sandbox, "mkdir k; touch k/keep; ln -s k gone", NULL);
  check(path_verb(sandbox, CELL_FILE_REMOVE, "gone", CELL_DONE) == 0 &&
          path_verb(sandbox, CELL_FILE_STAT, "k/keep", CELL_ENTRY) == 0,
        "removing a link leaves what it leads to");
}

static void test_large(struct sandbox *sandbox)
{
  struct cell_packer *packer = start_payload();
  int source = memfd_create("large", MFD_CLOEXEC);
  struct stat status;
  struct entry found;

  check(ftruncate(source, 5 << 20) == 0 &&
          pwrite(source, "end", 3, (5 << 20) - 3) == 3,
        "a large source");
  cell_pack_string(packer, "large");
  cell_pack_u32(packer, 0);
  cell_pack_u32(packer, 0);
  cell_pack_u64(packer, 5 << 20);
  cell_pack_string(packer, "");
  cell_pack_string(packer, "");
  check(answered(ask(sandbox, CELL_FILE_WRITE, packer, source), CELL_ENTRY) ==
          0,
        "is copied from its descriptor");
  found = entry();
  check(found.size == 5 << 20, "all of it");
  close(source);
  check(path_verb(sandbox, CELL_FILE_READ, "large", CELL_CONTENT) == 0 &&
          large() == 5 << 20 && number() == 1 && message.fd >= 0,
        "and is read by a descriptor");
  check(fstat(message.fd, &status) == 0 && S_ISREG(status.st_mode) &&
          (fcntl(message.fd, F_GETFL) & O_ACCMODE) == O_RDONLY,
        "that can only be read");
  close(message.fd);
}

static int put_metadata(struct sandbox *sandbox, const char *bytes,
                        size_t count, uint32_t flags)
{
  struct cell_packer *packer = start_payload();

  cell_pack_string(packer, "noted");
  cell_pack_u32(packer, 0);
  cell_pack_u32(packer, flags);
  cell_pack_u64(packer, 2);
  cell_pack_string(packer, "ab");
  cell_pack_bytes(packer, bytes, count);
  return answered(ask(sandbox, CELL_FILE_WRITE, packer, -1), CELL_ENTRY);
}

static void test_metadata(struct sandbox *sandbox)
{
  int number = put_metadata(sandbox, "a\0b", 4, 0);

  if (number == EOPNOTSUPP) {
    check(1, "# SKIP no attributes in this kernel's memory files");
    return;
  }
  check(number == 0 && strcmp(entry().metadata, "a") == 0,
        "metadata is kept with a file");
  check(path_verb(sandbox, CELL_FILE_STAT, "noted", CELL_ENTRY) == 0 &&
          strcmp(entry().metadata, "a") == 0,
        "and told with it");
  check(put_metadata(sandbox, "", 0, CELL_WRITE_APPEND) == 0 &&
          strcmp(entry().metadata, "a") == 0 &&
          read_is(sandbox, "noted", "abab"),
        "what is appended leaves it");
  check(put_metadata(sandbox, "c\0d\0e", 5, 0) == EINVAL &&
          read_is(sandbox, "noted", "abab"),
        "half a pair is none, and nothing is written");
  check(put_metadata(sandbox, "", 0, 0) == 0 && entry().noted == 0 &&
          read_is(sandbox, "noted", "ab"),
        "without any it is gone");
  check(put_metadata(sandbox, "", 0, CELL_WRITE_APPEND) == 0 &&
          path_verb(sandbox, CELL_FILE_REMOVE, "noted", CELL_DONE) == 0 &&
          put_metadata(sandbox, "", 0, CELL_WRITE_APPEND) == ENOENT,
        "nothing is appended to what is not there");
}

static void test_full_disk(struct sandbox *sandbox)
{
  struct cell_packer *packer;
  int source = memfd_create("huge", MFD_CLOEXEC), i;

  put_file(sandbox, "old", "old content", 0, 0);
  for (i = 0; i < 2; i++) {
    if (ftruncate(source, 400 << 20) < 0)
      exit(2);
    packer = start_payload();
    cell_pack_string(packer, i == 0 ? "old" : "new");
    cell_pack_u32(packer, 0);
    cell_pack_u32(packer, 0);
    cell_pack_u64(packer, 400 << 20);
    cell_pack_string(packer, "");
    cell_pack_string(packer, "");
    check(answered(ask(sandbox, CELL_FILE_WRITE, packer, source), CELL_ENTRY) ==
            ENOSPC,
          "what does not fit is refused");
  }
  check(read_is(sandbox, "old", "old content"), "an old file is as it was");
  check(path_verb(sandbox, CELL_FILE_STAT, "new", CELL_ENTRY) == ENOENT,
        "a new one is not there");
  close(source);
}

static void test_metrics(struct sandbox *sandbox)
{
  uint32_t type = ask(sandbox, CELL_METRICS, NULL, -1);
  uint64_t used, total;

  large();
  check(type == CELL_METRICS_ARE && number() <= 64, "metrics come");
  number();
  large();
  large();
  used = large();
  total = large();
  check(used >= 5 << 20 && total == usual.disk &&
          cell_unpack_done(&message.unpacker),
        "the disk is used and bounded");
}

static void test_dial(struct sandbox *sandbox)
{
  static const char server[] = "import socket\n"
                               "s = socket.create_server(('127.0.0.1', 4242))\n"
                               "print('ready', flush=True)\n"
                               "c, _ = s.accept()\n"
                               "c.sendall(b'served')\n";
  const char *argv[] = {"python3", "-c", server, NULL};
  struct cell_packer *packer = start_payload();
  struct running running;
  char buffer[16];

  cell_pack_u32(packer, 4242);
  check(answered(ask(sandbox, CELL_DIAL, packer, -1), CELL_DONE) ==
          ECONNREFUSED,
        "nobody listens yet");
  spawn(sandbox, &running, CELL_COMMAND, "", 0, argv);
  take_spawned(sandbox, &running);
  check(read(running.out, buffer, 5) == 5, "a server starts");
  packer = start_payload();
  cell_pack_u32(packer, 4242);
  check(answered(ask(sandbox, CELL_DIAL, packer, -1), CELL_DONE) == 0 &&
          message.fd >= 0,
        "a connection to it comes out");
  drain(message.fd, buffer, 7);
  check(memcmp(buffer, "served", 6) == 0, "and carries its bytes");
  close(message.fd);
  take_exited(sandbox, &running, NULL);
  finish(&running);
}

static void test_limits(struct sandbox *sandbox)
{
  check(strcmp(shell(sandbox,
                     "ulimit -c; ulimit -n; echo $(nproc) > /dev/null;"
                     "ulimit -Hc",
                     NULL),
               "0\n256\n0\n") == 0 ||
          strstr(shell(sandbox, "cat /proc/self/limits", NULL),
                 "Max core file size        1 ") != NULL,
        "the core limit is one byte");
  check(strcmp(shell(sandbox,
                     "grep -E '^(Cap|NoNew|Seccomp:)' "
                     "/proc/self/status | tr -d '\\t\\n'",
                     NULL),
               "CapInh:0000000000000000CapPrm:0000000000000000"
               "CapEff:0000000000000000CapBnd:0000000000000000"
               "CapAmb:0000000000000000NoNewPrivs:1Seccomp:2") == 0,
        "no capability, no new privileges, the filter");
  check(strstr(shell(sandbox,
                     "head -c 300M /dev/zero 2>&1 > /tmp/big; "
                     "stat -c %s /tmp/big; rm /tmp/big",
                     NULL),
               "No space left") != NULL,
        "the disk has an end");
  check(
    strstr(shell(sandbox, "for i in $(seq 100); do sleep 3 & done 2>&1", NULL),
           "fork") != NULL,
    "processes have an end");
  signal_to(sandbox, 0, SIGKILL, CELL_SCOPE_PROCESS);
  check(strcmp(shell(sandbox, "hostname; cat /proc/sys/kernel/hostname", NULL),
               "sandbox\nsandbox\n") == 0,
        "its name is sandbox");
  check(strcmp(shell(sandbox,
                     "cd /proc/sys/user; cat max_user_namespaces "
                     "max_inotify_instances; (echo 9 > max_user_namespaces) "
                     "2> /dev/null || echo refused",
                     NULL),
               "0\n16\nrefused\n") == 0,
        "the counters of its user are low and cannot be raised");
}

static void test_memory(int stem)
{
  static const char *const hog[] = {
    "python3", "-c",
    "import mmap, os\n"
    "m = mmap.mmap(-1, 400 << 20)\n"
    "for i in range(0, 400 << 20, 4096): m[i] = 1\n"
    "import time; time.sleep(5)\n",
    NULL};
  struct options options = usual;
  struct sandbox sandbox;
  struct running running;
  uint32_t out_of_memory = 0;
  long status;

  options.memory = 128 << 20;
  if (create(stem, &sandbox, &options) < 0) {
    check(0, "a sandbox with little memory");
    return;
  }
  printf("# memory by %u, processes by %u, cpu by %u\n", sandbox.hello[0],
         sandbox.hello[1], sandbox.hello[2]);
  spawn(&sandbox, &running, CELL_COMMAND, "", 0, hog);
  take_spawned(&sandbox, &running);
  status = take_exited(&sandbox, &running, &out_of_memory);
  check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && out_of_memory,
        "who takes too much memory is killed, and that is told");
  finish(&running);
  check(strcmp(shell(&sandbox, "echo on", NULL), "on\n") == 0,
        "the sandbox goes on");
  release(&sandbox);
}

static void test_ends(int stem)
{
  struct options options = usual;
  struct sandbox sandbox;
  struct cell_packer *packer;

  options.timeout_ms = 200;
  check(create(stem, &sandbox, &options) == 0 && gone(&sandbox, PATIENCE_MS),
        "a sandbox ends at its deadline");
  hear(stem, PATIENCE_MS);
  check(message.frame.type == CELL_STEM_ENDED &&
          message.frame.request == sandbox.number &&
          WEXITSTATUS(number()) == CELL_EXIT_DEADLINE,
        "the stem says so");
  release(&sandbox);
  create(stem, &sandbox, &usual);
  packer = start_payload();
  cell_pack_u64(packer, 100);
  cell_pack_u32(packer, CELL_DEADLINE_ENDS);
  check(answered(ask(&sandbox, CELL_DEADLINE, packer, -1), CELL_DONE) == 0 &&
          gone(&sandbox, PATIENCE_MS),
        "the deadline is moved");
  hear(stem, PATIENCE_MS);
  release(&sandbox);
  create(stem, &sandbox, &usual);
  say(sandbox.channel, CELL_GOODBYE, 0, NULL, NULL, 0);
  check(gone(&sandbox, PATIENCE_MS), "it ends at goodbye");
  hear(stem, PATIENCE_MS);
  release(&sandbox);
  create(stem, &sandbox, &usual);
  shutdown(sandbox.channel, SHUT_RDWR);
  check(gone(&sandbox, PATIENCE_MS), "it ends with its channel");
  hear(stem, PATIENCE_MS);
  release(&sandbox);
  options.uid = 0;
  create(stem, &sandbox, &options);
  options.timeout_ms = usual.timeout_ms;
  release(&sandbox);
  hear(stem, PATIENCE_MS);
  create(stem, &sandbox, &options);
  check(
    strcmp(shell(&sandbox, "id -un; chown 5 /tmp 2>/dev/null || echo no", NULL),
           "root\nno\n") == 0,
    "the root view is only a view");
  release(&sandbox);
  hear(stem, PATIENCE_MS);
}

static void test_stem(void)
{
  struct sandbox sandbox;
  struct cell_packer *packer;
  pid_t pid;
  int stem;

  pid = start_stem(&stem);
  check(set_up(stem, "/opt") == 0, "a stem with a bind");
  create(stem, &sandbox, &usual);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  check(strcmp(shell(&sandbox, "echo on", NULL), "on\n") == 0,
        "sandboxes outlive their stem");
  close(sandbox.channel);
  sandbox.channel = -1;
  check(gone(&sandbox, PATIENCE_MS), "and still end with their channel");
  release(&sandbox);
  close(stem);
  pid = start_stem(&stem);
  check(set_up(stem, "/no/such/place") < 0, "a missing bind is an error");
  close(stem);
  waitpid(pid, NULL, 0);
  pid = start_stem(&stem);
  set_up(stem, NULL);
  create(stem, &sandbox, &usual);
  packer = start_payload();
  cell_pack_u32(packer, 0);
  say(stem, CELL_STEM_KEEP, 0, packer, NULL, 0);
  release(&sandbox);
  check(waitpid(pid, NULL, 0) == pid, "it ends by itself after the last one");
  close(stem);
}

/* A host that is killed while a forked copy of it holds every channel. */
static void test_host_killed(void)
{
  struct sandbox sandbox;
  int stem, pipes[2], pidfd = -1;
  pid_t host;
  char byte;
  struct pollfd poller;

  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pipes) < 0)
    exit(2);
  host = fork();
  if (host == 0) {
    start_stem(&stem);
    set_up(stem, NULL);
    create(stem, &sandbox, &usual);
    say(pipes[1], 1, 0, NULL, &sandbox.pidfd, 1);
    if (fork() == 0) {
      sleep(2);
      _exit(0);
    }
    pause();
  }
  close(pipes[1]);
  if (hear(pipes[0], PATIENCE_MS) == 1)
    pidfd = message.fd;
  kill(host, SIGKILL);
  waitpid(host, NULL, 0);
  poller.fd = pidfd;
  poller.events = POLLIN;
  check(pidfd >= 0 && poll(&poller, 1, 1000) == 1,
        "sandboxes end with their host, even if a copy of it lives");
  close(pidfd);
  while (read(pipes[0], &byte, 1) > 0)
    ;
  close(pipes[0]);
}

static void run_cases(void)
{
  struct sandbox sandbox;
  int stem;

  start_stem(&stem);
  check(set_up(stem, NULL) == 0, "the stem prepares");
  check(create(stem, &sandbox, &usual) == 0, "a sandbox says hello");
  test_processes(&sandbox);
  test_signal_all(&sandbox);
  test_terminal(&sandbox);
  test_files(&sandbox);
  test_trees(&sandbox);
  test_large(&sandbox);
  test_metadata(&sandbox);
  test_full_disk(&sandbox);
  test_metrics(&sandbox);
  test_dial(&sandbox);
  test_limits(&sandbox);
  release(&sandbox);
  hear(stem, PATIENCE_MS);
  test_memory(stem);
  hear(stem, PATIENCE_MS);
  test_ends(stem);
  close(stem);
  test_stem();
  test_host_killed();
}

static int compare(const void *one, const void *other)
{
  double a = *(const double *)one, b = *(const double *)other;

  return a < b ? -1 : a > b;
}

static void print_times(const char *name, double *times, int count)
{
  qsort(times, (size_t)count, sizeof *times, compare);
  printf("%-24s p10 %6.0f  p50 %6.0f  p90 %6.0f us\n", name,
         times[count / 10] * 1e6, times[count / 2] * 1e6,
         times[count * 9 / 10] * 1e6);
}

static void measure(int runs)
{
  static const char *const argv[] = {"/bin/true", NULL};
  double *hello = calloc((size_t)runs, sizeof *hello);
  double *blocked = calloc((size_t)runs, sizeof *blocked);
  double *end = calloc((size_t)runs, sizeof *end);
  double *exec = calloc((size_t)runs, sizeof *exec);
  struct sandbox sandbox;
  struct running running;
  double began;
  int stem, i;

  began = now();
  start_stem(&stem);
  if (set_up(stem, NULL) < 0)
    exit(1);
  printf("%-24s %6.0f us\n", "stem ready", (now() - began) * 1e6);
  for (i = 0; i < runs; i++) {
    usleep(30000);
    began = now();
    send_create(stem, &sandbox, &usual);
    blocked[i] = now() - began;
    if (take_hello(&sandbox) < 0)
      exit(1);
    hello[i] = now() - began;
    take_created(stem, &sandbox);
    usleep(2000);
    began = now();
    spawn(&sandbox, &running, CELL_COMMAND, "", 0, argv);
    take_spawned(&sandbox, &running);
    take_exited(&sandbox, &running, NULL);
    exec[i] = now() - began;
    finish(&running);
    began = now();
    syscall(SYS_pidfd_send_signal, sandbox.pidfd, SIGKILL, NULL, 0);
    gone(&sandbox, PATIENCE_MS);
    end[i] = now() - began;
    release(&sandbox);
  }
  print_times("host blocked", blocked, runs);
  print_times("create to hello", hello, runs);
  print_times("spawn true to exited", exec, runs);
  print_times("kill to gone", end, runs);
}

int main(int argc, char **argv)
{
  if (argc > 1) {
    executable = open(argv[1], O_RDONLY | O_CLOEXEC);
  } else {
    executable = memfd_create("warden", MFD_CLOEXEC);
    if (write(executable, cell_warden_program, cell_warden_program_size) < 0)
      return 2;
  }
  if (executable < 0) {
    perror(argv[1]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  if (argc > 2)
    measure(atoi(argv[2]));
  else
    run_cases();
  return failures > 0;
}
