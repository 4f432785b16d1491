/* mount.c -- see mount.h. */
#include "mount.h"

#include "../calls.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

static int close_keeping_errno(int fd, int result)
{
  int number = errno;

  if (fd >= 0)
    close(fd);
  errno = number;
  return result;
}

int mount_new(const char *type, const struct mount_option *options,
              unsigned attributes)
{
  int context = call_fsopen(type);
  int tree = -1;

  if (context < 0)
    return -1;
  for (; options != NULL && options->key != NULL; options++) {
    unsigned command =
      options->value != NULL ? CONFIG_SET_STRING : CONFIG_SET_FLAG;

    if (call_fsconfig(context, command, options->key, options->value) < 0)
      return close_keeping_errno(context, -1);
  }
  if (call_fsconfig(context, CONFIG_CREATE, NULL, NULL) == 0)
    tree = call_fsmount(context, attributes);
  return close_keeping_errno(context, tree);
}

int mount_copy(int directory, const char *source, unsigned attributes)
{
  struct call_mount_attributes change;
  int tree = call_open_tree(directory, source,
                            TREE_CLONE | TREE_CLOEXEC | TREE_RECURSIVE);

  if (tree < 0)
    return -1;
  memset(&change, 0, sizeof change);
  change.set = attributes;
  change.propagation = MOUNT_PROPAGATION_PRIVATE;
  if (call_mount_setattr(tree, TREE_RECURSIVE, &change) < 0)
    return close_keeping_errno(tree, -1);
  return tree;
}

int mount_attach(int tree, int directory, const char *path)
{
  return call_move_mount(tree, directory, path);
}

int mount_new_at(const char *type, const struct mount_option *options,
                 unsigned attributes, int directory, const char *path)
{
  int tree = mount_new(type, options, attributes);

  if (tree < 0)
    return -1;
  return close_keeping_errno(tree, mount_attach(tree, directory, path));
}

int mount_copy_at(int from, const char *source, unsigned attributes,
                  int directory, const char *path)
{
  int tree = mount_copy(from, source, attributes);

  if (tree < 0)
    return -1;
  return close_keeping_errno(tree, mount_attach(tree, directory, path));
}

int mount_bind(const char *source, const char *path, unsigned attributes)
{
  struct call_mount_attributes change;

  if (mount(source, path, NULL, MS_BIND | MS_REC, NULL) < 0)
    return -1;
  if (attributes == 0)
    return 0;
  memset(&change, 0, sizeof change);
  change.set = attributes;
  return call_mount_setattr_at(path, TREE_RECURSIVE, &change);
}
