/* lockdown.c -- see lockdown.h. */
#include "lockdown.h"

#include "../wire/protocol.h"
#include "calls.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>

#include "filter.h"
#include "filter_zygote.h"

/* NOROOT, NO_SETUID_FIXUP, NO_CAP_AMBIENT_RAISE set and locked, KEEP_CAPS
** clear and locked.
*/
#define SECURE_BITS 0xef

/* Landlock rights of ABI 1, then what later ones add. */
#define LAND_EXECUTE (1ull << 0)
#define LAND_READ_FILE (1ull << 2)
#define LAND_READ_DIRECTORY (1ull << 3)
#define LAND_ABI_1 ((1ull << 13) - 1)
#define LAND_REFER (1ull << 13)
#define LAND_TRUNCATE (1ull << 14)
#define LAND_DEVICE_IOCTL (1ull << 15)
#define LAND_SCOPE_ABSTRACT 1ull
#define LAND_RULE_PATH_BENEATH 1

struct land_rules {
  uint64_t files, network, scopes;
};

struct land_path {
  uint64_t allowed;
  int32_t parent;
} __attribute__((packed));

void lockdown_counters(int proc)
{
  static const char *const counters[][2] = {
    {"sys/user/max_user_namespaces", "0"},
    {"sys/user/max_inotify_instances", "16"},
    {"sys/user/max_inotify_watches", "16384"},
  };
  size_t i;
  int fd;

  for (i = 0; i < sizeof counters / sizeof counters[0]; i++) {
    fd = openat(proc, counters[i][0], O_WRONLY | O_CLOEXEC);
    if (fd < 0)
      continue; /* a kernel without this counter */
    if (write(fd, counters[i][1], strlen(counters[i][1])) < 0)
      errno = 0; /* the user's own limit holds */
    close(fd);
  }
}

int lockdown_capabilities(struct failure *failure)
{
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2];
  int capability;

  memset(none, 0, sizeof none);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
      prctl(PR_SET_SECUREBITS, SECURE_BITS, 0, 0, 0) < 0)
    return fail(failure, "lock-down");
  for (capability = 0;; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
      break;
  if (errno != EINVAL) /* of the first one that does not exist */
    return fail(failure, "lock-down");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &header, none) < 0 ||
      prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return fail(failure, "lock-down");
  return 0;
}

static int install(const struct sock_filter *filter, size_t length,
                   struct failure *failure)
{
  struct sock_fprog program;

  program.len = (unsigned short)length;
  program.filter = (struct sock_filter *)filter;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
    return fail(failure, "filter");
  return 0;
}

int lockdown_filter(struct failure *failure)
{
  return install(cell_filter, sizeof cell_filter / sizeof cell_filter[0],
                 failure);
}

int lockdown_filter_zygote(struct failure *failure)
{
  return install(cell_filter_zygote,
                 sizeof cell_filter_zygote / sizeof cell_filter_zygote[0],
                 failure);
}

unsigned lockdown_landlock_abi(void)
{
  long abi = syscall(CALL_LANDLOCK_CREATE_RULESET, NULL, 0, 1);

  return abi > 0 ? (unsigned)abi : 0;
}

static int allow(int ruleset, const char *path, uint64_t rights)
{
  struct land_path rule;
  int result;

  rule.allowed = rights;
  rule.parent = open(path, O_PATH | O_CLOEXEC);
  if (rule.parent < 0)
    return -1;
  result = (int)syscall(CALL_LANDLOCK_ADD_RULE, ruleset, LAND_RULE_PATH_BENEATH,
                        &rule, 0);
  close(rule.parent);
  return result;
}

/* Those outside of the home and /tmp; what may only be read is read already. */
static int allow_mounts(int ruleset, const struct mounts *mounts,
                        uint64_t rights)
{
  size_t i;

  for (i = 0; i < mounts->count; i++)
    if (mounts->list[i].mode != CELL_MOUNT_READ &&
        allow(ruleset, mounts->list[i].path, rights) < 0)
      return -1;
  return 0;
}

int lockdown_landlock_rules(unsigned abi, const struct mounts *mounts)
{
  struct land_rules rules = {LAND_ABI_1 | LAND_REFER, 0, 0};
  size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  uint64_t reading = LAND_EXECUTE | LAND_READ_FILE | LAND_READ_DIRECTORY;
  int ruleset;

  /* With ABI 1 every rename across directories fails. */
  if (abi < 2)
    return -1;
  if (abi >= 3)
    rules.files |= LAND_TRUNCATE;
  if (abi >= 5)
    rules.files |= LAND_DEVICE_IOCTL;
  /* Not signals: who starts a server in one command stops it in another. */
  if (abi >= 6)
    rules.scopes = LAND_SCOPE_ABSTRACT;
  ruleset = (int)syscall(CALL_LANDLOCK_CREATE_RULESET, &rules, size, 0);
  if (ruleset < 0)
    return -1;
  if (allow(ruleset, "/", reading) < 0 ||
      allow(ruleset, CELL_HOME, rules.files) < 0 ||
      allow(ruleset, "/tmp", rules.files) < 0 ||
      allow(ruleset, "/dev", rules.files & ~LAND_EXECUTE) < 0 ||
      allow(ruleset, "/proc", rules.files & ~LAND_EXECUTE) < 0 ||
      allow_mounts(ruleset, mounts, rules.files) < 0) {
    close(ruleset);
    return -1;
  }
  return ruleset;
}
