/* zygote_test.c -- a stem with a zygote, asked by a host: any interpreter with
** shared libraries can be one. Here it is Perl, whose fork is the C library's.
*/
#include "warden_host.h"

#define PERL "/usr/bin/perl"

/* What the zygote runs: it is sealed by the second fork, not by the first. */
static const char program[] =
  "my $pid = fork(); exit 3 if !$pid; waitpid $pid, 0; my $first = $? >> 8;"
  "srand(1); $ENV{CODECELL_SEALED} = 1; fork();"
  "open my $in, '<&=', 3; open my $out, '>&=', 4; select $out; $| = 1;"
  "print \"$first $$ \", getppid, \" $ENV{WORD}$ENV{LD_PRELOAD}\\n\";"
  "while (my $line = <$in>) {"
  "  if ($line =~ /fork/) { my $p = fork(); if (!$p) { exit 5 }"
  "    waitpid $p, 0; print $? >> 8, \"\\n\" }"
  "  elsif ($line =~ /exit (.*)/) { exit $1 }"
  "  else { print `$line`, \".\\n\" } }";

static int memory_of(const void *bytes, size_t size)
{
  int fd = memfd_create("seed", MFD_CLOEXEC);

  if (fd < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
    exit(2);
  return fd;
}

static void pack_list(struct cell_packer *packer, const char *const *list)
{
  uint32_t count = 0, i;

  while (list[count] != NULL)
    count++;
  cell_pack_u32(packer, count);
  for (i = 0; i < count; i++)
    cell_pack_bytes(packer, list[i], strlen(list[i]) + 1);
}

/* Starts a stem whose zygote runs `code` in Perl. Its channel. */
static int start(pid_t *pid, const char *code)
{
  const char *argv[] = {PERL, "-e", NULL, NULL};
  static const char *const envs[] = {"WORD=word", "HOME=/home/user", NULL};
  struct cell_packer *packer = start_payload();
  int channel = -1, fds[2];

  argv[2] = code;
  *pid = start_stem(&channel);
  cell_pack_u32(packer, CELL_SETUP_SEEDED);
  cell_pack_string(packer, "");
  cell_pack_u32(packer, 0);
  say(channel, CELL_STEM_SETUP, 0, packer, NULL, 0);
  packer = start_payload();
  cell_pack_u64(packer, usual.memory);
  pack_list(packer, argv);
  pack_list(packer, envs);
  fds[0] = memory_of("", 0);
  fds[1] = memory_of(cell_zygote_library, cell_zygote_library_size);
  say(channel, CELL_STEM_SEED, 0, packer, fds, 2);
  close(fds[0]);
  close(fds[1]);
  if (hear(channel, PATIENCE_MS) != 1 ||
      message.frame.type != CELL_STEM_READY || number() != 0)
    printf("# the stem is not ready\n");
  return channel;
}

/* What is said of it: "" once it is sealed. */
static const char *state_of(int stem)
{
  while (hear(stem, PATIENCE_MS) == 1)
    if (message.frame.type == CELL_STEM_ZYGOTE)
      return number() == 0 ? "" : text();
  return "nothing";
}

static void end(int stem, pid_t pid)
{
  int status = -1;

  close(stem);
  waitpid(pid, &status, 0);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the stem ends");
}

static void spawn_session(struct sandbox *sandbox, struct running *session)
{
  static const char *const argv[] = {PERL, NULL};

  spawn(sandbox, session, CELL_KERNEL, "", CELL_SPAWN_FORK, argv);
}

static const char *answer(const struct running *session, const char *line)
{
  static char buffer[4096];
  struct pollfd poller = {session->from_kernel, POLLIN, 0};
  size_t used = 0;
  ssize_t length;

  if (write(session->to_kernel, line, strlen(line)) < 0)
    return "";
  buffer[0] = '\0';
  while (strchr(buffer, '\n') == NULL && used < sizeof buffer - 1 &&
         poll(&poller, 1, PATIENCE_MS) == 1) {
    length =
      read(session->from_kernel, buffer + used, sizeof buffer - 1 - used);
    if (length <= 0)
      break;
    used += (size_t)length;
    buffer[used] = '\0';
  }
  return buffer;
}

static void test_session(int stem)
{
  struct sandbox sandbox, other;
  struct running session, second;
  const char *said;
  long status;

  check(create(stem, &sandbox, &usual) == 0 &&
          create(stem, &other, &usual) == 0,
        "a stem with a zygote makes sandboxes");
  spawn_session(&sandbox, &session);
  spawn_session(&other, &second);
  check(take_spawned(&sandbox, &session) == 0 && session.failure == 0 &&
          session.pid == 2,
        "a session is the first process of its sandbox");
  check(take_spawned(&other, &second) == 0 && second.failure == 0,
        "and so is another one of its own");
  said = answer(&session, "");
  check(strcmp(said, "3 2 0 word\n") == 0,
        "a fork before the seal was the library's: %s", said);
  said = answer(&session, "echo $WORD $CODECELL_SEALED $LD_PRELOAD\n");
  check(strncmp(said, "word\n", 5) == 0, "nothing tells its children of it: %s",
        said);
  said = answer(&session, "fork\n");
  check(strcmp(said, "5\n") == 0, "and so is one in a session: %s", said);
  said = answer(&session, "hostname; echo $(id -u) $(pwd)\n");
  check(strncmp(said, "sandbox\n", 8) == 0, "it has the sandbox's names");
  answer(&session, "exit 7\n");
  status = take_exited(&sandbox, &session, NULL);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 7,
        "its end is told as that of any kernel");
  finish(&session);
  spawn_session(&sandbox, &session);
  check(take_spawned(&sandbox, &session) == 0 && session.failure == ENOTCONN &&
          strcmp(session.stage, "zygote") == 0,
        "there is no second one in a sandbox #S120");
  finish(&session);
  check(strcmp(shell(&sandbox, "echo on", NULL), "on\n") == 0,
        "and everything else goes on");
  finish(&second);
  status = take_exited(&other, &second, NULL);
  check(WIFEXITED(status), "a session ends with its wire");
  release(&sandbox);
  release(&other);
}

static void test_kill(int stem)
{
  struct sandbox sandbox;
  struct running session;
  struct cell_packer *packer;
  long status;

  create(stem, &sandbox, &usual);
  spawn_session(&sandbox, &session);
  packer = start_payload();
  cell_pack_u64(packer, session.request);
  cell_pack_u32(packer, SIGKILL);
  cell_pack_u32(packer, CELL_SCOPE_GROUP);
  say(sandbox.channel, CELL_SIGNAL, ++sandbox.request, packer, NULL, 0);
  while (hear(sandbox.channel, PATIENCE_MS) == 1 &&
         message.frame.type != CELL_EXITED)
    ;
  status = (long)number();
  check(message.frame.type == CELL_EXITED && WIFSIGNALED(status) &&
          WTERMSIG(status) == SIGKILL,
        "one that is killed while it is forked does not live on");
  finish(&session);
  release(&sandbox);
  create(stem, &sandbox, &usual);
  check(strcmp(shell(&sandbox, "echo 1", NULL), "1\n") == 0,
        "a sandbox that wants no session needs none");
  spawn_session(&sandbox, &session);
  check(take_spawned(&sandbox, &session) == 0 && session.failure == ENOTCONN,
        "none is forked into a sandbox where code has run #S120");
  finish(&session);
  release(&sandbox);
}

static void test_many(int stem)
{
  enum { MANY = 3 * 16 };
  static struct sandbox sandboxes[MANY];
  static struct running sessions[MANY];
  int i, right = 1;

  for (i = 0; i < MANY; i++) {
    right = right && create(stem, &sandboxes[i], &usual) == 0;
    spawn_session(&sandboxes[i], &sessions[i]);
  }
  for (i = 0; i < MANY; i++)
    right = right && take_spawned(&sandboxes[i], &sessions[i]) == 0 &&
            sessions[i].failure == 0;
  check(right, "many are asked for at once, and each is made");
  for (i = 0; i < MANY; i++) {
    finish(&sessions[i]);
    release(&sandboxes[i]);
  }
}

static void test_failures(void)
{
  struct sandbox sandbox;
  struct running session;
  const char *why;
  pid_t pid;
  int stem = start(&pid, "exit 1");

  why = state_of(stem);
  check(strcmp(why, "it has ended") == 0, "one that ends is told of: %s", why);
  check(create(stem, &sandbox, &usual) == 0 &&
          strcmp(shell(&sandbox, "echo 1", NULL), "1\n") == 0,
        "sandboxes are made all the same");
  release(&sandbox);
  create(stem, &sandbox, &usual);
  spawn_session(&sandbox, &session);
  check(take_spawned(&sandbox, &session) == 0 && session.failure == ECHILD,
        "and sessions are refused");
  finish(&session);
  release(&sandbox);
  end(stem, pid);
}

int main(void)
{
  pid_t pid;
  int stem;

  if (access(PERL, X_OK) < 0) {
    printf("ok - a zygote # SKIP there is no %s\n", PERL);
    return 0;
  }
  signal(SIGPIPE, SIG_IGN);
  executable = memfd_create("warden", MFD_CLOEXEC);
  if (write(executable, cell_warden_program, cell_warden_program_size) < 0)
    return 1;
  stem = start(&pid, program);
  check(state_of(stem)[0] == '\0', "an interpreter is sealed");
  test_session(stem);
  test_kill(stem);
  test_many(stem);
  end(stem, pid);
  test_failures();
  return failures != 0;
}
