/* opener.c -- see opener.h. */
#include "opener.h"

#include "../calls.h"
#include "../files/tree.h"
#include "../root/mount.h"
#include "../wire.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES_MAX 100000 /* looked at for sockets */
#define LEVELS_MAX 256

struct opener {
  int socket;
  int is_root;
  /* The last user namespace that was made for an owner. */
  int space;
  uid_t uid;
  gid_t gid;
  struct wire_message message;
};

/* ---- another owner ---- */

static int put_map(pid_t pid, const char *name, unsigned inside)
{
  char path[48], line[48];
  int fd, result;

  snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
  fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  snprintf(line, sizeof line, "%u %u 1\n", inside, (unsigned)CELL_PLAIN_UID);
  result = write(fd, line, strlen(line)) < 0 ? -1 : 0;
  close(fd);
  return result;
}

/* A user namespace in which `uid` and `gid` are who the code is outside. Its
** first process is needed for the maps alone.
*/
static int make_space(uid_t uid, gid_t gid)
{
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  char path[32];
  int space = -1, number;

  if (pid == 0)
    for (;;)
      pause();
  if (pid < 0)
    return -1;
  snprintf(path, sizeof path, "/proc/%ld/ns/user", (long)pid);
  if (put_map(pid, "uid_map", uid) == 0 && put_map(pid, "gid_map", gid) == 0)
    space = open(path, O_RDONLY | O_CLOEXEC);
  number = errno;
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
  errno = number;
  return space;
}

/* What belongs to the owner of the folder is the sandbox's user's in there. */
static int give_away(struct opener *opener, int tree, const struct stat *status)
{
  struct call_mount_attributes change = {MOUNT_OTHER_OWNERS, 0, 0, 0};

  if (opener->space < 0 || opener->uid != status->st_uid ||
      opener->gid != status->st_gid) {
    if (opener->space >= 0)
      close(opener->space);
    opener->space = make_space(status->st_uid, status->st_gid);
    opener->uid = status->st_uid;
    opener->gid = status->st_gid;
  }
  if (opener->space < 0)
    return -1;
  change.user_namespace = (uint64_t)opener->space;
  return call_mount_setattr(tree, 0, &change);
}

/* ---- sockets and pipes: who has one speaks with programs of the host ---- */

static int look_into(int fd, int *left, int level)
{
  DIR *directory = tree_open(fd);
  struct dirent *entry;
  struct stat status;
  int number = 0, type, below;

  if (directory == NULL)
    return errno;
  while (number == 0 && (entry = readdir(directory)) != NULL) {
    if (tree_is_dots(entry->d_name))
      continue;
    type = entry->d_type;
    if (type == DT_UNKNOWN && fstatat(dirfd(directory), entry->d_name, &status,
                                      AT_SYMLINK_NOFOLLOW) == 0)
      type = (int)(status.st_mode & S_IFMT) >> 12;
    if (type == DT_SOCK || type == DT_FIFO)
      number = EPERM;
    else if (--*left < 0 || level == LEVELS_MAX)
      number = E2BIG;
    if (number != 0 || type != DT_DIR)
      continue;
    below = openat(dirfd(directory), entry->d_name,
                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below >= 0)
      number = look_into(below, left, level + 1);
    else if (errno == EMFILE || errno == ENFILE)
      number = E2BIG; /* too deep for us */
    else if (errno == EACCES &&
             faccessat(dirfd(directory), entry->d_name, X_OK, 0) == 0)
      number = EACCES; /* the code might go through it */
  }
  closedir(directory);
  return number;
}

static int look_for_sockets(int tree)
{
  int left = ENTRIES_MAX;
  int fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return errno;
  return look_into(fd, &left, 1);
}

/* ---- the folder ---- */

static int open_folder(const struct opener_wish *wish, struct stat *status)
{
  int fd = open(wish->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0)
    return -1;
  if (fstat(fd, status) == 0 && (uint64_t)status->st_dev == wish->device &&
      (uint64_t)status->st_ino == wish->inode)
    return fd;
  close(fd);
  errno = ESTALE;
  return -1;
}

/* Whether it is the sandbox's user's already. */
static int is_plain(const struct stat *status)
{
  return status->st_uid == CELL_PLAIN_UID && status->st_gid == CELL_PLAIN_UID;
}

/* Of a folder whose file system knows no other owners, what everybody may read
** is left to read, and nothing to write.
*/
static int prepare(struct opener *opener, const struct opener_wish *wish,
                   int tree, const struct stat *status, struct failure *failure)
{
  struct call_mount_attributes change = {MOUNT_NO_SETUID | MOUNT_NO_DEVICES, 0,
                                         MOUNT_PROPAGATION_PRIVATE, 0};
  int found;

  if (wish->mode == CELL_MOUNT_READ)
    change.set |= MOUNT_READ_ONLY;
  if (opener->is_root && !is_plain(status) &&
      give_away(opener, tree, status) < 0 &&
      (wish->mode != CELL_MOUNT_READ || errno != EINVAL))
    return fail(failure, "mount owner");
  if (call_mount_setattr(tree, 0, &change) < 0)
    return fail(failure, "mount");
  if (wish->mode == CELL_MOUNT_OVERLAY || (wish->flags & CELL_MOUNT_SOCKETS))
    return 0;
  found = look_for_sockets(tree);
  if (found == 0)
    return 0;
  errno = found;
  return fail(failure, "mount sockets");
}

static int make_tree(struct opener *opener, const struct opener_wish *wish,
                     struct failure *failure)
{
  struct stat status;
  int folder = open_folder(wish, &status), tree;

  if (folder < 0) {
    fail(failure, "mount");
    return -1;
  }
  tree = call_open_tree(folder, "", TREE_CLONE | TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0)
    fail(failure, "mount");
  close(folder);
  if (tree >= 0 && prepare(opener, wish, tree, &status, failure) < 0) {
    close(tree);
    tree = -1;
  }
  return tree;
}

/* ---- the process, and the stem's side ---- */

static int read_wish(const struct cell_frame *frame, struct opener_wish *wish,
                     char path[CELL_PATH_MAX])
{
  struct cell_unpacker unpacker;

  cell_unpack_start(&unpacker, frame->payload, frame->length);
  wish->mode = cell_unpack_u32(&unpacker);
  wish->flags = cell_unpack_u32(&unpacker);
  wish->device = cell_unpack_u64(&unpacker);
  wish->inode = cell_unpack_u64(&unpacker);
  cell_unpack_string(&unpacker, path, CELL_PATH_MAX);
  wish->path = path;
  return cell_unpack_done(&unpacker) ? 0 : -1;
}

/* Ends with the stem, whose end of the socket is then closed. */
static void serve(struct opener *opener, const struct self_title *title)
{
  struct opener_wish wish;
  char path[CELL_PATH_MAX];
  unsigned char bytes[64];
  struct cell_packer packer;
  int tree;

  self_name(title, "codecell-folders", "");
  prctl(PR_SET_NAME, "codecell-folder", 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  self_keep_only(&opener->socket, 1);
  while (wire_receive(opener->socket, &opener->message, 1) == 1) {
    struct failure failure = {0, "", ""};

    if (read_wish(&opener->message.frame, &wish, path) < 0)
      break;
    tree = make_tree(opener, &wish, &failure);
    cell_pack_start(&packer, bytes, sizeof bytes);
    cell_pack_u32(&packer, (uint32_t)failure.number);
    cell_pack_string(&packer, failure.stage);
    if (wire_send(opener->socket, 0, 0, &packer, tree) < 0)
      break;
    if (tree >= 0)
      close(tree);
  }
  _exit(0);
}

int opener_start(int is_root, const struct self_title *title)
{
  static struct opener opener; /* large: the message is in it */
  int ends[2], number;
  pid_t pid;

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return -errno;
  pid = (pid_t)syscall(SYS_clone, (is_root ? 0 : CLONE_NEWNS) | SIGCHLD, 0, 0,
                       0, 0);
  if (pid == 0) {
    opener.socket = ends[1];
    opener.is_root = is_root;
    opener.space = -1;
    /* As a slave it sees what the host mounts later, and lets go with it. */
    if (!is_root && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
      _exit(1);
    serve(&opener, title);
  }
  number = errno;
  close(ends[1]);
  if (pid > 0)
    return ends[0];
  close(ends[0]);
  return -number;
}

/* What the opener said. Without one a stem is of no use: it ends, as if it had
** been killed, and the host makes another.
*/
static int receive(int opener, struct failure *failure)
{
  static struct wire_message message;
  static char stage[24];
  struct cell_unpacker unpacker;
  int tree;

  if (wire_receive(opener, &message, 1) != 1)
    _exit(1);
  cell_unpack_start(&unpacker, message.frame.payload, message.frame.length);
  failure->number = (int)cell_unpack_u32(&unpacker);
  cell_unpack_string(&unpacker, stage, sizeof stage);
  failure->stage = stage;
  tree = wire_take(&message, 0);
  if (tree < 0 && failure->number == 0) {
    errno = message.lost ? EMFILE : EPROTO;
    return fail(failure, "mount");
  }
  return tree;
}

int opener_open(int opener, const struct opener_wish *wish,
                struct failure *failure)
{
  unsigned char bytes[CELL_PATH_MAX + 64];
  struct cell_packer packer;

  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u32(&packer, wish->mode);
  cell_pack_u32(&packer, wish->flags);
  cell_pack_u64(&packer, wish->device);
  cell_pack_u64(&packer, wish->inode);
  cell_pack_string(&packer, wish->path);
  if (opener < 0 || packer.failed) {
    errno = opener < 0 ? -opener : ENAMETOOLONG;
    return fail(failure, "mount");
  }
  wire_send(opener, 0, 0, &packer, -1);
  return receive(opener, failure);
}
