/* calls.h -- system calls that C libraries lack or name differently.
**
** Constants are spelled out: the kernel's headers are often older than the
** kernel, and <linux/mount.h> does not go with every C library's <sys/mount.h>.
** All return as syscall() does: -1 and errno.
*/
#ifndef CELL_CALLS_H
#define CELL_CALLS_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Numbers above 423 are the same on every architecture. */
#define CALL_OPEN_TREE 428
#define CALL_MOVE_MOUNT 429
#define CALL_FSOPEN 430
#define CALL_FSCONFIG 431
#define CALL_FSMOUNT 432
#define CALL_PIDFD_SEND_SIGNAL 424
#define CALL_PIDFD_OPEN 434
#define CALL_CLONE3 435
#define CALL_CLOSE_RANGE 436
#define CALL_OPENAT2 437
#define CALL_MOUNT_SETATTR 442
#define CALL_LANDLOCK_CREATE_RULESET 444
#define CALL_LANDLOCK_ADD_RULE 445
#define CALL_LANDLOCK_RESTRICT_SELF 446

#define TREE_CLONE 1u
#define TREE_CLOEXEC 02000000u
#define TREE_RECURSIVE 0x8000u   /* AT_RECURSIVE */
#define MOUNT_FROM_EMPTY_PATH 4u /* MOVE_MOUNT_F_EMPTY_PATH */
#define MOUNT_READ_ONLY 0x1u     /* MOUNT_ATTR_* */
#define MOUNT_NO_SETUID 0x2u
#define MOUNT_NO_DEVICES 0x4u
#define MOUNT_NO_EXEC 0x8u
#define MOUNT_OTHER_OWNERS 0x100000u /* MOUNT_ATTR_IDMAP */
#define MOUNT_PROPAGATION_PRIVATE (1u << 18)
#define CONFIG_SET_FLAG 0u /* FSCONFIG_* */
#define CONFIG_SET_STRING 1u
#define CONFIG_CREATE 6u
#define RESOLVE_NO_MAGIC_LINKS 2u
#define RESOLVE_NO_LINKS 4u
#define RESOLVE_BENEATH 8u
#define CLONE_FLAG_PIDFD 0x1000u
#define CLONE_FLAG_INTO_CGROUP 0x200000000ull

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

struct call_mount_attributes {
  uint64_t set, clear, propagation, user_namespace;
};

struct call_open_how {
  uint64_t flags, mode, resolve;
};

struct call_clone_arguments {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size,
    tls, set_tid, set_tid_size, cgroup;
};

static inline int call_fsopen(const char *type)
{
  return (int)syscall(CALL_FSOPEN, type, 1u);
}

static inline int call_fsconfig(int context, unsigned command, const char *key,
                                const char *value)
{
  return (int)syscall(CALL_FSCONFIG, context, command, key, value, 0);
}

static inline int call_fsmount(int context, unsigned attributes)
{
  return (int)syscall(CALL_FSMOUNT, context, 1u, attributes);
}

static inline int call_open_tree(int directory, const char *path,
                                 unsigned flags)
{
  return (int)syscall(CALL_OPEN_TREE, directory, path, flags);
}

static inline int call_move_mount(int tree, int directory, const char *path)
{
  return (int)syscall(CALL_MOVE_MOUNT, tree, "", directory, path,
                      MOUNT_FROM_EMPTY_PATH);
}

static inline int
call_mount_setattr(int tree, unsigned flags,
                   const struct call_mount_attributes *attributes)
{
  return (int)syscall(CALL_MOUNT_SETATTR, tree, "", flags | AT_EMPTY_PATH,
                      attributes, sizeof *attributes);
}

static inline int
call_mount_setattr_at(const char *path, unsigned flags,
                      const struct call_mount_attributes *attributes)
{
  return (int)syscall(CALL_MOUNT_SETATTR, AT_FDCWD, path, flags, attributes,
                      sizeof *attributes);
}

static inline int call_pivot_root(const char *root, const char *old)
{
  return (int)syscall(SYS_pivot_root, root, old);
}

static inline int call_pidfd_open(pid_t pid)
{
  return (int)syscall(CALL_PIDFD_OPEN, pid, 0);
}

static inline int call_close_range(unsigned first, unsigned last)
{
  return (int)syscall(CALL_CLOSE_RANGE, first, last, 0);
}

static inline int call_openat2(int directory, const char *path,
                               const struct call_open_how *how)
{
  return (int)syscall(CALL_OPENAT2, directory, path, how, sizeof *how);
}

static inline int call_landlock_restrict(int ruleset)
{
  return (int)syscall(CALL_LANDLOCK_RESTRICT_SELF, ruleset, 0);
}

#endif
