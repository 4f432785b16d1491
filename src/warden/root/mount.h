/* mount.h -- making and attaching mounts, by descriptor.
**
** Nothing is reachable by a path while it is half built.
*/
#ifndef CELL_MOUNT_H
#define CELL_MOUNT_H

/* Key and value of a file system option; value NULL for a flag. */
struct mount_option {
  const char *key;
  const char *value;
};

/* A new file system, not attached; options end with a NULL key.
** Returns a descriptor or -1.
*/
int mount_new(const char *type, const struct mount_option *options,
              unsigned attributes);
/* A private copy of what is mounted at `source`, with everything below it and
** `attributes` added to what it has. Not attached.
*/
int mount_copy(int directory, const char *source, unsigned attributes);
/* Attach the mount at directory/path. */
int mount_attach(int tree, int directory, const char *path);
/* mount_new and mount_attach, mount_copy and mount_attach. */
int mount_new_at(const char *type, const struct mount_option *options,
                 unsigned attributes, int directory, const char *path);
int mount_copy_at(int from, const char *source, unsigned attributes,
                  int directory, const char *path);

/* The same by paths, in the namespace of a warden, where nobody looks yet: one
** call instead of four, and where `path` is missing no detached copy whose end
** would wait for all processors. Attributes are added to what is bound.
*/
int mount_bind(const char *source, const char *path, unsigned attributes);

#endif
