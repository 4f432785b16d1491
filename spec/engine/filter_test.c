/* filter_test.c -- the generated filter against what libseccomp makes of the
** same table, call by call. #S021 #S022 #S024 #S025 #S026 #S029 #S030 #S031
**
** libseccomp resolves the names and translates the rules, so nothing of the
** generator is used to judge it. An allow-list cannot say "any but these" in
** libseccomp: there are two of its filters, one of what is allowed and one of
** what is refused by argument, and the stricter answer counts, as the kernel
** has it.
*/
#include "check.h"
#include "interpreter.h"
#include "warden/filter.h"

#include <errno.h>
#include <libgen.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE "src/warden/filter.table"
#define LENGTH_MAX 4096
#define NUMBERS 1024
#define REFUSE(number) (SECCOMP_RET_ERRNO | (number))

struct program {
  struct sock_filter code[LENGTH_MAX];
  size_t length;
};

struct machine {
  const char *name;
  uint32_t token; /* SCMP_ARCH_... */
  uint32_t audit; /* AUDIT_ARCH_... */
  struct program ours, allows, refuses;
  char skipped[NUMBERS];
  int unknown_names;
  long compared;
  long differing;
};

/* The low word of an argument, as the kernel reads an int. */
#define LOW(argument, value)                                                   \
  SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, 0xffffffffu, (value))

/* ---- the table's plain sections, names resolved by libseccomp ---- */

/* As seccomp_rule_add wants it: the number on the machine that runs this, or
** libseccomp's own for what that machine lacks. -1: a call newer than this
** libseccomp, which therefore cannot translate it for another machine.
*/
static int call_number(struct machine *machine, const char *word)
{
  char name[64];
  const char *equals = strchr(word, '=');
  int number;

  snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
  number = seccomp_syscall_resolve_name(name);
  if (number != __NR_SCMP_ERROR)
    return number;
  if (equals == NULL) {
    printf("# libseccomp does not know %s\n", name);
    machine->unknown_names++;
    return -1;
  }
  if (machine->token == seccomp_arch_native())
    return atoi(equals + 1);
  machine->skipped[atoi(equals + 1)] = 1;
  return -1;
}

static int add_plain(struct machine *machine, scmp_filter_ctx allows)
{
  char line[256];
  uint32_t action = 0;
  int failed = 0;
  FILE *table = fopen(TABLE, "r");

  if (table == NULL)
    return -1;
  while (fgets(line, sizeof line, table) != NULL) {
    char *word;

    line[strcspn(line, "#")] = '\0';
    if (line[0] == '[')
      action = strncmp(line, "[allow]", 7) == 0   ? SCMP_ACT_ALLOW
               : strncmp(line, "[EPERM]", 7) == 0 ? SCMP_ACT_ERRNO(EPERM)
                                                  : 0;
    else
      for (word = strtok(line, " \n"); word && action;
           word = strtok(NULL, " \n")) {
        int number = call_number(machine, word);

        if (number != -1 && seccomp_rule_add(allows, action, number, 0) < 0)
          failed = -1;
      }
  }
  fclose(table);
  return failed;
}

/* ---- the argument rules, said once more in libseccomp's words ---- */

/* Only these are allowed. */
static int add_allowed_arguments(scmp_filter_ctx filter)
{
  static const uint32_t protocols[] = {0, 1, 6, 17, 58};
  static const uint32_t personalities[] = {0,       8,       0x20000,
                                           0x20008, 0x40000, 0xffffffff};
  int failed = 0;
  uint32_t i;

  failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                             LOW(0, AF_UNIX));
  for (i = 0; i < 5; i++) {
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                               LOW(0, AF_INET), LOW(2, protocols[i]));
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                               LOW(0, AF_INET6), LOW(2, protocols[i]));
  }
  failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                             LOW(0, AF_NETLINK), LOW(2, 0));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                             LOW(0, AF_UNIX));
  for (i = 0; i < 6; i++)
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
                               LOW(0, personalities[i]));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                             SCMP_A2(SCMP_CMP_EQ, 0, 0));
  failed |=
    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, LOW(0, 0));
  return failed;
}

/* Those of the first process, and of all processes of a user. */
static int add_refused_priorities(scmp_filter_ctx filter)
{
  int failed = 0;

  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             SCMP_SYS(ioprio_set), 1, LOW(1, 1));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             SCMP_SYS(ioprio_set), 1, LOW(0, 3));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             SCMP_SYS(setpriority), 1, LOW(1, 1));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             SCMP_SYS(setpriority), 1, LOW(0, 2));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             SCMP_SYS(sched_setaffinity), 1, LOW(0, 1));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             SCMP_SYS(sched_setattr), 1, LOW(0, 1));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             SCMP_SYS(sched_setparam), 1, LOW(0, 1));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                             SCMP_SYS(sched_setscheduler), 1, LOW(0, 1));
  return failed;
}

/* All but these are allowed. */
static int add_refused_arguments(scmp_filter_ctx filter)
{
  static const uint32_t requests[] = {0x5412, 0x541c, 0x541d, 0x5423};
  static const uint32_t drivers[] = {4, 8}; /* bits of types of a socket */
  static const uint32_t leases[] = {1024, 1040};
  const uint32_t closed = SCMP_ACT_ERRNO(ENOPROTOOPT);
  int failed = 0;
  uint32_t i;

  failed |= seccomp_rule_add(filter, closed, SCMP_SYS(setsockopt), 2,
                             LOW(1, SOL_SOCKET), LOW(2, SO_LINGER));
  failed |= seccomp_rule_add(filter, closed, SCMP_SYS(setsockopt), 2, LOW(1, 6),
                             LOW(2, 31));
  for (i = 0; i < 4; i++)
    failed |= seccomp_rule_add(
      filter, SCMP_ACT_ERRNO(EPROTONOSUPPORT), SCMP_SYS(socket), 2,
      LOW(0, i < 2 ? AF_INET : AF_INET6),
      SCMP_A1(SCMP_CMP_MASKED_EQ, drivers[i % 2], drivers[i % 2]));

  for (i = 0; i < 32; i++)
    if ((0x7e028080u >> i & 1) != 0)
      failed |=
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                         SCMP_A0(SCMP_CMP_MASKED_EQ, 1u << i, 1u << i));
  for (i = 0; i < 2; i++)
    failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fcntl),
                               1, LOW(1, leases[i]));
  for (i = 0; i < 4; i++)
    failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl),
                               1, LOW(1, requests[i]));
  failed |=
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(memfd_create), 1,
                     SCMP_A1(SCMP_CMP_MASKED_EQ, 4, 4));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOMEM), SCMP_SYS(mmap), 1,
                             SCMP_A3(SCMP_CMP_MASKED_EQ, 0x40000, 0x40000));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(shmget), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, 0x800, 0x800));
  failed |= add_refused_priorities(filter);
  failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setrlimit),
                             1, LOW(0, 4));
  /* A new core limit. With a comparison for a rule, a pointer is not null when
  ** one of its 64 bits is set. */
  for (i = 0; i < 64; i++)
    failed |= seccomp_rule_add(
      filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 2, LOW(1, 4),
      SCMP_A2(SCMP_CMP_MASKED_EQ, UINT64_C(1) << i, UINT64_C(1) << i));
  return failed;
}

static int add_unconditional(scmp_filter_ctx allows)
{
  static const int calls[] = {SCMP_SYS(clone),
                              SCMP_SYS(fcntl),
                              SCMP_SYS(ioctl),
                              SCMP_SYS(ioprio_set),
                              SCMP_SYS(memfd_create),
                              SCMP_SYS(mmap),
                              SCMP_SYS(shmget),
                              SCMP_SYS(setpriority),
                              SCMP_SYS(setrlimit),
                              SCMP_SYS(setsockopt),
                              SCMP_SYS(sched_setaffinity),
                              SCMP_SYS(sched_setattr),
                              SCMP_SYS(sched_setparam),
                              SCMP_SYS(sched_setscheduler)};
  size_t i;
  int failed = 0;

  for (i = 0; i < sizeof calls / sizeof *calls; i++)
    failed |= seccomp_rule_add(allows, SCMP_ACT_ALLOW, calls[i], 0);
  return failed;
}

/* ---- the programs ---- */

static scmp_filter_ctx new_filter(const struct machine *machine,
                                  uint32_t otherwise)
{
  scmp_filter_ctx filter = seccomp_init(otherwise);

  if (filter == NULL)
    return NULL;
  seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (machine->token != seccomp_arch_native() &&
      (seccomp_arch_remove(filter, SCMP_ARCH_NATIVE) < 0 ||
       seccomp_arch_add(filter, machine->token) < 0)) {
    seccomp_release(filter);
    return NULL;
  }
  return filter;
}

static int export_filter(scmp_filter_ctx filter, struct program *program)
{
  int memory = memfd_create("filter", MFD_CLOEXEC);
  ssize_t size = -1;

  if (memory >= 0 && seccomp_export_bpf(filter, memory) == 0 &&
      lseek(memory, 0, SEEK_SET) == 0)
    size = read(memory, program->code, sizeof program->code);
  close(memory);
  program->length = size > 0 ? (size_t)size / sizeof *program->code : 0;
  return size > 0 ? 0 : -1;
}

static int make_reference(struct machine *machine)
{
  scmp_filter_ctx allows = new_filter(machine, SCMP_ACT_ERRNO(ENOSYS));
  scmp_filter_ctx refuses = new_filter(machine, SCMP_ACT_ALLOW);
  int failed =
    allows == NULL || refuses == NULL || add_plain(machine, allows) != 0 ||
    add_allowed_arguments(allows) != 0 || add_unconditional(allows) != 0 ||
    add_refused_arguments(refuses) != 0 ||
    export_filter(allows, &machine->allows) != 0 ||
    export_filter(refuses, &machine->refuses) != 0;

  seccomp_release(allows);
  seccomp_release(refuses);
  return failed ? -1 : 0;
}

/* The generator's filter for a machine that this is not: it reads numbers as
** macros, and libseccomp knows those of every machine.
*/
static int generate(struct machine *machine, const char *folder)
{
  static const char values[] =
    "#define __aarch64__ 1\n#define AF_UNIX 1\n#define AF_INET 2\n"
    "#define AF_INET6 10\n#define AF_NETLINK 16\n#define RLIMIT_CORE 4\n"
    "#define TIOCSTI 0x5412\n#define TIOCLINUX 0x541C\n"
    "#define TIOCCONS 0x541D\n#define TIOCSETD 0x5423\n#define SOL_SOCKET 1\n"
    "#define SO_LINGER 13\n#define EPERM 1\n#define ENOMEM 12\n"
    "#define ENOSYS 38\n"
    "#define ENOPROTOOPT 92\n#define EPROTONOSUPPORT 93\n"
    "#define EAFNOSUPPORT 97\n";
  char macros[] = "/tmp/filter_test.XXXXXX";
  char command[512], line[256];
  int fd = mkstemp(macros), number;
  FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

  if (file == NULL)
    return -1;
  fputs(values, file);
  for (number = 0; number < NUMBERS; number++) {
    char *name = seccomp_syscall_resolve_num_arch(machine->token, number);

    if (name != NULL)
      fprintf(file, "#define __NR_%s %d\n", name, number);
    free(name);
  }
  fclose(file);
  snprintf(command, sizeof command, "%s/../warden/filter_generator %s < %s",
           folder, TABLE, macros);
  file = popen(command, "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    unsigned code, yes, no, value;

    if (machine->ours.length < LENGTH_MAX &&
        sscanf(line, " {%x, %u, %u, %x}", &code, &yes, &no, &value) == 4)
      machine->ours.code[machine->ours.length++] =
        (struct sock_filter){(uint16_t)code, (uint8_t)yes, (uint8_t)no, value};
  }
  unlink(macros);
  return file != NULL && pclose(file) == 0 && machine->ours.length > 0 ? 0 : -1;
}

/* ---- the comparison ---- */

/* In the kernel the strictest of several filters wins: with these answers the
** smallest as a signed number, KILL_PROCESS being the most negative.
*/
static uint32_t reference(const struct machine *machine,
                          const struct seccomp_data *data, uint32_t refusal)
{
  uint32_t allowed =
    interpret(machine->allows.code, machine->allows.length, data, NULL);
  uint32_t refused =
    interpret(machine->refuses.code, machine->refuses.length, data, NULL);

  if (allowed == REFUSE(ENOSYS) && refusal != 0)
    allowed = refusal;
  if (allowed == SECCOMP_RET_KILL_PROCESS)
    return allowed;
  return (int32_t)refused < (int32_t)allowed ? refused : allowed;
}

static int number_of(const struct machine *machine, const char *name)
{
  return seccomp_syscall_resolve_name_arch(machine->token, name);
}

/* libseccomp's list of allowed argument values says ENOSYS to the others. */
static uint32_t refusal_of(const struct machine *machine, int number)
{
  if (number < 0)
    return 0;
  if (number == number_of(machine, "socket") ||
      number == number_of(machine, "socketpair"))
    return REFUSE(EAFNOSUPPORT);
  if (number == number_of(machine, "personality") ||
      number == number_of(machine, "prlimit64"))
    return REFUSE(EPERM);
  return 0;
}

/* Of the internet's families another protocol is refused, not the family. */
static uint32_t refusal_now(const struct machine *machine,
                            const struct seccomp_data *data, uint32_t refusal)
{
  uint32_t family = (uint32_t)data->args[0];

  if (refusal == REFUSE(EAFNOSUPPORT) &&
      (family == AF_INET || family == AF_INET6) &&
      data->nr == number_of(machine, "socket"))
    return REFUSE(EPROTONOSUPPORT);
  return refusal;
}

static void compare(struct machine *machine, const struct seccomp_data *data)
{
  static const struct machine *asked;
  static int asked_number = -1;
  static uint32_t refusal;
  uint32_t ours =
    interpret(machine->ours.code, machine->ours.length, data, NULL);
  uint32_t theirs;

  if (asked != machine || asked_number != data->nr) {
    asked = machine;
    asked_number = data->nr;
    refusal = data->arch == machine->audit ? refusal_of(machine, data->nr) : 0;
  }
  theirs = reference(machine, data, refusal_now(machine, data, refusal));
  machine->compared++;
  if (ours == theirs)
    return;
  if (machine->differing++ < 20)
    printf("# %s call %#x (%#llx, %#llx, %#llx): %#x, libseccomp %#x\n",
           machine->name, (unsigned)data->nr, (unsigned long long)data->args[0],
           (unsigned long long)data->args[1], (unsigned long long)data->args[2],
           (unsigned)ours, (unsigned)theirs);
}

static const uint32_t words[] = {
  0,          1,          2,          3,         4,          5,
  6,          7,          8,          13,        10,         15,
  16,         17,         31,         58,        40,         45,
  0x80,       0x100,      0x800,      0x1000,    0x5411,     0x5412,
  0x5413,     0x541b,     0x541c,     0x541d,    0x5423,     0x20000,
  0x20008,    0x40000,    0x400000,   0x2000000, 0x4000000,  0x8000000,
  0x10000000, 0x20000000, 0x40000000, 0x3d0f00,  0x80000000, 0xfffffffe,
  0xffffffff};
static const uint64_t rubbish[] = {0, UINT64_C(1) << 32, UINT64_C(1) << 63,
                                   UINT64_C(0xffffffff) << 32};
#define WORDS (sizeof words / sizeof *words)
#define RUBBISH (sizeof rubbish / sizeof *rubbish)

/* Each argument of the call with each value, the others 0; then all mixed. */
static void compare_call(struct machine *machine, int number)
{
  struct seccomp_data data = {number, machine->audit, 0, {0}};
  uint64_t state = 88172645463325252u;
  size_t i, j, k;

  for (i = 0; i < 6; i++) {
    for (j = 0; j < WORDS; j++)
      for (k = 0; k < RUBBISH; k++) {
        data.args[i] = words[j] | rubbish[k];
        compare(machine, &data);
      }
    data.args[i] = 0;
  }
  for (i = 0; i < 400; i++) {
    for (j = 0; j < 3; j++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      data.args[j] =
        words[state % WORDS] | rubbish[state >> 32 & (RUBBISH - 1)];
    }
    compare(machine, &data);
  }
}

static void compare_all(struct machine *machine)
{
  static const int others[] = {NUMBERS,   0x0fffffff, 0x3fffffff, 0x7fffffff,
                               INT32_MIN, -2,         -1};
  static const uint32_t foreign[] = {0,
                                     AUDIT_ARCH_I386,
                                     AUDIT_ARCH_X86_64,
                                     AUDIT_ARCH_AARCH64,
                                     AUDIT_ARCH_ARM,
                                     0x40000003u ^ 0x80000000u};
  size_t i;
  int number;

  for (number = 0; number < NUMBERS; number++) {
    if (machine->skipped[number])
      continue;
    compare_call(machine, number);
    compare_call(machine, number | 0x40000000);
  }
  for (i = 0; i < sizeof others / sizeof *others; i++)
    compare_call(machine, others[i]);
  for (i = 0; i < sizeof foreign / sizeof *foreign; i++)
    for (number = 0; number < NUMBERS; number++) {
      struct seccomp_data data = {number, foreign[i], 0, {0}};

      if (foreign[i] != machine->audit)
        compare(machine, &data);
    }
}

static void judge(struct machine *machine)
{
  if (!check(make_reference(machine) == 0,
             "libseccomp can express the table for %s", machine->name))
    return;
  compare_all(machine);
  check(machine->unknown_names == 0,
        "libseccomp knows every name in the table for %s", machine->name);
  check(machine->compared > 1000000 && machine->differing == 0,
        "%s: the same answer as libseccomp's in %ld cases (%ld differ)",
        machine->name, machine->compared, machine->differing);
}

/* The kernel runs a new filter once for each call number: the path counts. */
static int longest_path(const struct machine *machine)
{
  struct seccomp_data data = {0, machine->audit, 0, {0}};
  int longest = 0;

  for (data.nr = 0; data.nr < 500; data.nr++) {
    int steps = 0;

    interpret(machine->ours.code, machine->ours.length, &data, &steps);
    longest = steps > longest ? steps : longest;
  }
  return longest;
}

int main(int count, char **arguments)
{
  static struct machine native, foreign;

  (void)count;
#if defined(__x86_64__)
  native.name = "x86_64";
  native.audit = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
  native.name = "aarch64";
  native.audit = AUDIT_ARCH_AARCH64;
#endif
  native.token = seccomp_arch_native();
  native.ours.length = CELL_FILTER_LENGTH;
  memcpy(native.ours.code, cell_filter, sizeof cell_filter);
  check(native.ours.length <= 200, "the filter has %zu instructions",
        native.ours.length);
  check(longest_path(&native) <= 24, "no call runs more than %d of them",
        longest_path(&native));
  judge(&native);
  if (native.token != SCMP_ARCH_X86_64)
    return check_status();
  foreign.name = "aarch64";
  foreign.token = SCMP_ARCH_AARCH64;
  foreign.audit = AUDIT_ARCH_AARCH64;
  if (check(generate(&foreign, dirname(arguments[0])) == 0,
            "the generator makes a filter for aarch64"))
    judge(&foreign);
  return check_status();
}
