/* skeleton.c -- see skeleton.h. */
#include "skeleton.h"

#include "../calls.h"
#include "etc.h"
#include "gpu.h"
#include "mount.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define READ_ONLY (MOUNT_READ_ONLY | MOUNT_NO_SETUID | MOUNT_NO_DEVICES)
#define SOURCE "source" /* where a folder with programs is read */

static const char *const directories[] = {
  "data",  "dev", "dev/pts", "dev/shm", "etc",       "home", "home/user",
  "media", "mnt", "opt",     "proc",    "root",      "run",  "srv",
  "tmp",   "usr", "var",     "work",    "workspace", NULL,
};

static const char *const links[][2] = {
  {"dev/fd", "/proc/self/fd"},
  {"dev/ptmx", "pts/ptmx"},
  {"dev/stderr", "/proc/self/fd/2"},
  {"dev/stdin", "/proc/self/fd/0"},
  {"dev/stdout", "/proc/self/fd/1"},
  {"var/tmp", "/tmp"},
  {NULL, NULL},
};

static const char *const nodes[] = {"null",    "zero", "full", "random",
                                    "urandom", "tty",  NULL};

/* On a merged system links into /usr, on others directories beside it. */
static const char *const top[] = {"bin",   "sbin",   "lib", "lib32",
                                  "lib64", "libx32", NULL};

static int fail_at(struct failure *failure, const char *stage, const char *path)
{
  fail(failure, stage);
  snprintf(failure->detail, sizeof failure->detail, "%s", path);
  return -1;
}

/* Of what is there when it is opened, once, and of no link: what a path
** leads to may change at any time.
*/
static int copy_directory(const char *path)
{
  int directory = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int tree, number;

  if (directory < 0)
    return -1;
  tree = mount_copy(directory, ".", READ_ONLY);
  number = errno;
  close(directory);
  errno = number;
  return tree;
}

int skeleton_open(struct skeleton_bind *source, struct skeleton_bind *binds,
                  size_t count, struct failure *failure)
{
  size_t i;

  if (source->path[0] != '\0' && source->tree < 0) {
    source->tree = copy_directory(source->path);
    if (source->tree < 0)
      return fail_at(failure, "template", source->path);
  }
  for (i = 0; i < count; i++) {
    if (binds[i].tree >= 0)
      continue;
    binds[i].tree = copy_directory(binds[i].path);
    if (binds[i].tree < 0)
      return fail_at(failure, "bind", binds[i].path);
  }
  return 0;
}

/* Show a directory of the source, if there is one, at the same place. -1 with
** ENOTDIR for anything else, a link too.
*/
static int share_directory(int source, int root, const char *name)
{
  int directory =
    openat(source, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int result, number;

  if (directory < 0)
    return errno == ENOENT ? 0 : -1;
  result = mkdirat(root, name, 0755) < 0 && errno != EEXIST
             ? -1
             : mount_copy_at(directory, ".", READ_ONLY, root, name);
  number = errno;
  close(directory);
  errno = number;
  return result;
}

static int copy_link(int source, int root, const char *name)
{
  char target[256];
  ssize_t length = readlinkat(source, name, target, sizeof target - 1);

  if (length < 0)
    return -1;
  target[length] = '\0';
  return symlinkat(target, root, name);
}

static int copy_top(int source, int root, struct failure *failure)
{
  struct stat status;
  int i, result;

  if (share_directory(source, root, "usr") < 0)
    return fail_at(failure, "root", "/usr");
  for (i = 0; top[i] != NULL; i++) {
    if (fstatat(source, top[i], &status, AT_SYMLINK_NOFOLLOW) < 0)
      continue;
    result = 0;
    if (S_ISLNK(status.st_mode))
      result = copy_link(source, root, top[i]);
    else if (S_ISDIR(status.st_mode))
      result = share_directory(source, root, top[i]);
    if (result < 0)
      return fail_at(failure, "root", top[i]);
  }
  return 0;
}

static int copy_nodes(int root, struct failure *failure)
{
  char source[24];
  struct stat status;
  int i, fd;

  for (i = 0; nodes[i] != NULL; i++) {
    snprintf(source, sizeof source, "/dev/%s", nodes[i]);
    fd = openat(root, source + 1, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0)
      return fail_at(failure, "root", source);
    close(fd);
    if (mount_copy_at(AT_FDCWD, source, MOUNT_NO_SETUID | MOUNT_NO_EXEC, root,
                      source + 1) < 0)
      return fail_at(failure, "root", source);
    /* What hides parts of /proc must be a device, not a file to be written. */
    if (fstatat(root, source + 1, &status, 0) < 0 || !S_ISCHR(status.st_mode)) {
      errno = ENODEV;
      return fail_at(failure, "root", source);
    }
  }
  return 0;
}

/* Programs and models type `python`, which Debian leaves to its users. */
static int copy_python(int source, int root)
{
  static const char *const others[] = {"usr/local/bin/python", "usr/bin/python",
                                       "bin/python", NULL};
  struct stat status;
  int i;

  if (fstatat(source, "usr/bin/python3", &status, AT_SYMLINK_NOFOLLOW) < 0)
    return 0;
  for (i = 0; others[i] != NULL; i++)
    if (fstatat(source, others[i], &status, AT_SYMLINK_NOFOLLOW) == 0)
      return 0;
  if (mkdirat(root, "run/bin", 0755) < 0)
    return -1;
  return symlinkat("/usr/bin/python3", root, "run/bin/python");
}

/* Every missing directory on the way to `path`, itself included. */
static int make_way(int root, const char *path)
{
  char part[4096];
  size_t i, length = strlen(path);

  if (length == 0 || length >= sizeof part) {
    errno = ENAMETOOLONG;
    return -1;
  }
  for (i = 1; i <= length; i++) {
    if (path[i] != '/' && path[i] != '\0')
      continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (mkdirat(root, part, 0755) < 0 && errno != EEXIST)
      return -1;
  }
  return 0;
}

static int attach_binds(int root, struct skeleton_bind *binds, size_t count,
                        struct failure *failure)
{
  const char *path;
  size_t i;

  for (i = 0; i < count; i++) {
    path = binds[i].path + 1;
    if (make_way(root, path) < 0 || mount_attach(binds[i].tree, root, path) < 0)
      return fail_at(failure, "bind", binds[i].path);
    close(binds[i].tree);
    binds[i].tree = -1;
  }
  return 0;
}

/* A proc of a PID namespace that has ended shows no process, yet it is the
** visible one which the kernel demands before a warden may mount its own.
*/
static int mount_dead_proc(int root, struct failure *failure)
{
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
  int status;

  if (pid < 0)
    return fail(failure, "namespaces");
  if (pid == 0) {
    errno = 0;
    mount_new_at("proc", NULL,
                 MOUNT_NO_SETUID | MOUNT_NO_DEVICES | MOUNT_NO_EXEC, root,
                 "proc");
    _exit(errno);
  }
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return fail(failure, "proc");
  if (status != 0) {
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return fail(failure, "proc");
  }
  return 0;
}

/* An existing directory below which none of our sources lies. */
static int attach_root(int root)
{
  static const char *const places[] = {"/tmp", "/mnt",  "/run",
                                       "/var", "/home", NULL};
  int i;

  for (i = 0; places[i] != NULL; i++)
    if (mount_attach(root, AT_FDCWD, places[i]) == 0)
      return 0;
  return -1;
}

static int fill(int source, int root, int gpu, struct failure *failure)
{
  int i;

  for (i = 0; directories[i] != NULL; i++)
    if (mkdirat(root, directories[i], 0755) < 0)
      return fail_at(failure, "root", directories[i]);
  for (i = 0; links[i][0] != NULL; i++)
    if (symlinkat(links[i][1], root, links[i][0]) < 0)
      return fail_at(failure, "root", links[i][0]);
  if (copy_top(source, root, failure) < 0 || copy_nodes(root, failure) < 0 ||
      (gpu && gpu_bind(root, failure) < 0))
    return -1;
  if (etc_build(source, root) < 0)
    return fail_at(failure, "root", "/etc");
  if (copy_python(source, root) < 0)
    return fail_at(failure, "root", "/run/bin");
  return mount_dead_proc(root, failure);
}

/* The directory that the programs come from. A folder's tree is attached in the
** new root while it is read: parts of a tree that is attached nowhere cannot be
** copied before Linux 6.15.
*/
static int open_source(struct skeleton_bind *source, int root)
{
  if (source->path[0] == '\0')
    return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (mkdirat(root, SOURCE, 0755) < 0 ||
      mount_attach(source->tree, root, SOURCE) < 0)
    return -1;
  close(source->tree);
  source->tree = -1;
  return openat(root, SOURCE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Fill the root from where the programs are. It is the working directory. */
static int fill_from(struct skeleton_bind *source, int root, int gpu,
                     struct failure *failure)
{
  int from = open_source(source, root), result;

  if (from < 0)
    return fail_at(failure, "template", source->path);
  result = fill(from, root, gpu, failure);
  if (result == 0 && source->path[0] != '\0') {
    if (share_directory(from, root, "opt") < 0 && errno != ENOTDIR)
      result = fail_at(failure, "root", "/opt");
    else if (umount2(SOURCE, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ||
             unlinkat(root, SOURCE, AT_REMOVEDIR) < 0)
      result = fail_at(failure, "template", source->path);
  }
  close(from);
  return result;
}

int skeleton_build(struct skeleton_bind *source, struct skeleton_bind *binds,
                   size_t count, int gpu, struct failure *failure)
{
  static const struct mount_option options[] = {
    {"size", "16m"}, {"nr_inodes", "4096"}, {"mode", "0755"}, {NULL, NULL}};
  struct call_mount_attributes read_only = {MOUNT_READ_ONLY, 0, 0, 0};
  int root, result = -1;

  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
    return fail(failure, "root");
  if (skeleton_open(source, binds, count, failure) < 0)
    return -1;
  root = mount_new("tmpfs", options, MOUNT_NO_SETUID | MOUNT_NO_DEVICES);
  if (root < 0)
    return fail(failure, "root");
  if (attach_root(root) < 0 || fchdir(root) < 0) {
    fail(failure, "root");
    goto done;
  }
  if (fill_from(source, root, gpu, failure) < 0 ||
      attach_binds(root, binds, count, failure) < 0)
    goto done;
  if (call_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
      chdir("/") < 0 || call_mount_setattr(root, 0, &read_only) < 0) {
    fail(failure, "root");
    goto done;
  }
  result = 0;

done:
  close(root);
  return result;
}
