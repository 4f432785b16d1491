/* remedy.c -- see remedy.h. */
#include "remedy.h"

#include "../descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct remedy {
  const char *stage; /* NULL: any */
  int number;        /* 0: any */
  enum cell_kind kind;
  const char *hint;
};

/* The first row that fits. */
static const struct remedy remedies[] = {
  {NULL, EMFILE, CELL_SYSTEM, NULL}, /* cell_fail says what to do */
  {"namespaces", EINVAL, CELL_UNSUPPORTED,
   "this kernel has no user namespaces (CONFIG_USER_NS)"},
  {"namespaces", ENOSPC, CELL_UNSUPPORTED,
   "no namespace is left: raise the sysctls user.max_*_namespaces, or run less "
   "deeply nested"},
  {"namespaces", EUSERS, CELL_UNSUPPORTED, "run less deeply nested"},
  {"namespaces", EAGAIN, CELL_SYSTEM,
   "the user's limit of processes is reached: raise ulimit -u"},
  {"reaper", EAGAIN, CELL_SYSTEM,
   "the user's limit of processes is reached: raise ulimit -u"},
  {"namespaces", ENOSYS, CELL_UNSUPPORTED,
   "a system call filter forbids it: run the container with --security-opt "
   "seccomp=unconfined, or a profile that allows clone, unshare and mount"},
  {"namespaces", EPERM, CELL_UNSUPPORTED,
   "user namespaces are forbidden here by a container's system call filter, a "
   "chroot or a sysctl: run the container with --security-opt "
   "seccomp=unconfined, or leave the chroot"},
  {"maps", EROFS, CELL_UNSUPPORTED, "/proc must be writable"},
  {"maps", ENOENT, CELL_UNSUPPORTED, "/proc must be mounted"},
  {"proc", EPERM, CELL_UNSUPPORTED,
   "/proc is partly covered, as containers do: run the container with "
   "unmasked paths (--security-opt systempaths=unconfined)"},
  {"gpu", ENODEV, CELL_UNSUPPORTED,
   "this machine shows no GPU: there is no /dev/nvidia*, /dev/kfd or "
   "/dev/dri/renderD*; load its driver, or leave `gpu` out"},
  {"template", ENOENT, CELL_NOT_FOUND, "the folder must exist"},
  {"template", ENOTDIR, CELL_INVALID_ARGUMENT, "name a folder, not a link"},
  {"template", EACCES, CELL_PERMISSION_DENIED,
   "the folder must be readable for the user of the program"},
  {"overlay", EPERM, CELL_UNSUPPORTED,
   "an overlay in a sandbox needs Linux 5.11 or later: use mode = \"read\", or "
   "copy the folder with files:upload"},
  {"overlay", ENODEV, CELL_UNSUPPORTED,
   "this kernel has no overlayfs: load it (modprobe overlay), use mode = "
   "\"read\", or copy the folder with files:upload"},
  {"overlay", EINVAL, CELL_UNSUPPORTED,
   "this kernel lays no overlay over this folder (for a program of root that "
   "needs Linux 5.19 or later): use mode = \"read\", or copy the folder with "
   "files:upload"},
  {"mount owner", EINVAL, CELL_UNSUPPORTED,
   "the file system of the folder cannot show its files as another user's: run "
   "the program as their owner, give them to 200000:200000 (who code is of a "
   "program of root), or copy the folder with files:upload"},
  {"mount owner", ENOSYS, CELL_UNSUPPORTED,
   "for a program of root this needs Linux 5.12 or later: run it as the owner "
   "of the folder, or copy the folder with files:upload"},
  {"mount sockets", EPERM, CELL_DENIED_BY_POLICY,
   "there is a socket or a pipe in it, and a program of this machine may "
   "listen "
   "to it: use mode = \"overlay\", in which none is reached, or allow it with "
   "sockets = true"},
  {"mount sockets", EACCES, CELL_PERMISSION_DENIED,
   "a directory in it cannot be listed, and might hold a socket: chmod it, use "
   "mode = \"overlay\", in which none is reached, or allow them with sockets = "
   "true"},
  {"mount sockets", E2BIG, CELL_LIMIT_EXCEEDED,
   "it holds too much to be searched for sockets: use mode = \"overlay\", in "
   "which none is reached, or allow them with sockets = true"},
  {"mount", EINVAL, CELL_INVALID_ARGUMENT,
   "something is mounted below it: name a folder without that"},
  {"mount", ESTALE, CELL_NOT_FOUND,
   "another folder has come to its path meanwhile: try again"},
  {"mount", ENOTDIR, CELL_NOT_FOUND,
   "something else has come to its path meanwhile: try again"},
  {"mount", ENOENT, CELL_NOT_FOUND, "the folder must exist"},
  {"mount", EACCES, CELL_PERMISSION_DENIED,
   "the folder must be one that its user may open"},
  {"mount place", ENOTDIR, CELL_INVALID_ARGUMENT,
   "something else is at the path inside: choose another"},
  {"mount place", ELOOP, CELL_INVALID_ARGUMENT,
   "a link is at the path inside: choose another"},
  {"bind", ENOENT, CELL_INVALID_ARGUMENT, "the directory must exist"},
  {"bind", ENOTDIR, CELL_INVALID_ARGUMENT, "name a directory"},
  {NULL, EPERM, CELL_UNSUPPORTED,
   "the machine forbids a step that isolation needs; see codecell doctor"},
  {NULL, EACCES, CELL_UNSUPPORTED,
   "the machine forbids a step that isolation needs; see codecell doctor"},
  {NULL, ENOSYS, CELL_UNSUPPORTED, "Linux 5.10 or later is needed"},
  {NULL, ENODEV, CELL_UNSUPPORTED,
   "the kernel lacks a file system that isolation needs"},
  {NULL, ENOMEM, CELL_SYSTEM, "the machine is out of memory"},
  {NULL, EFBIG, CELL_SYSTEM,
   "raise the limit of the size of files (ulimit -f)"},
  {NULL, 0, CELL_SYSTEM, NULL},
};

/* A sysctl's number, or `missing`. Asked only after a failure: the setting
** alone says neither that it works nor that it does not. */
static long read_setting(const char *path, long missing)
{
  char text[32];
  int fd = cell_fd_above_stdio(open(path, O_RDONLY | O_CLOEXEC));
  long got;

  if (fd < 0)
    return missing;
  got = read(fd, text, sizeof text - 1);
  cell_fd_close(&fd);
  if (got <= 0)
    return missing;
  text[got] = '\0';
  return strtol(text, NULL, 10);
}

/* The setting that explains it, if one does. */
static const char *explain(const char *stage, int number)
{
  int refused = number == EPERM || number == EACCES;

  if (strcmp(stage, "namespaces") == 0 && refused &&
      read_setting("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
    return "set the sysctl kernel.unprivileged_userns_clone to 1";
  if (strcmp(stage, "namespaces") == 0 && number == ENOSPC &&
      read_setting("/proc/sys/user/max_user_namespaces", 1) == 0)
    return "the sysctl user.max_user_namespaces is 0: raise it";
  if (refused &&
      read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                   0) == 1)
    return "AppArmor restricts user namespaces: give the program that embeds "
           "codecell a profile with `userns,` (codecell doctor prints one), or "
           "set kernel.apparmor_restrict_unprivileged_userns to 0";
  return NULL;
}

static const struct remedy *find(const char *stage, int number)
{
  const struct remedy *remedy = remedies;

  while ((remedy->stage != NULL && strcmp(remedy->stage, stage) != 0) ||
         (remedy->number != 0 && remedy->number != number))
    remedy++;
  return remedy;
}

int cell_remedy(struct cell_error *error, const char *stage, int number,
                const char *detail)
{
  const struct remedy *remedy = find(stage, number);
  const char *hint = explain(stage, number);

  cell_fail(error, remedy->kind, number, "start a sandbox (%s%s%s)", stage,
            detail[0] != '\0' ? " " : "", detail);
  if (error == NULL)
    return -1;
  snprintf(error->stage, sizeof error->stage, "%s", stage);
  if (hint == NULL)
    hint = remedy->hint;
  if (hint != NULL)
    snprintf(error->hint, sizeof error->hint, "%s", hint);
  return -1;
}
