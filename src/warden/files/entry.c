/* entry.c -- see entry.h. */
#include "entry.h"

#include "../../wire/protocol.h"
#include "attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum cell_entry_type entry_type(mode_t mode)
{
  if (S_ISREG(mode))
    return CELL_ENTRY_FILE;
  if (S_ISDIR(mode))
    return CELL_ENTRY_DIRECTORY;
  return S_ISLNK(mode) ? CELL_ENTRY_LINK : CELL_ENTRY_OTHER;
}

int entry_pack(struct cell_packer *packer, const char *path, int directory,
               const char *name)
{
  unsigned char metadata[CELL_METADATA_MAX];
  char target[CELL_PATH_MAX];
  struct stat status;
  ssize_t length = 0;
  size_t count = 0;

  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) <
      0)
    return errno;
  if (S_ISLNK(status.st_mode))
    length = readlinkat(directory, name, target, sizeof target);
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
    count = attributes_read(directory, name, metadata, sizeof metadata);
  cell_pack_string(packer, path);
  cell_pack_u32(packer, entry_type(status.st_mode));
  cell_pack_u32(packer, status.st_mode & 07777);
  cell_pack_u64(packer, (uint64_t)status.st_size);
  cell_pack_u64(packer, (uint64_t)status.st_mtim.tv_sec * 1000000000u +
                          (uint64_t)status.st_mtim.tv_nsec);
  cell_pack_u32(packer, status.st_uid);
  cell_pack_u32(packer, status.st_gid);
  cell_pack_bytes(packer, target, length > 0 ? (size_t)length : 0);
  cell_pack_bytes(packer, metadata, count);
  return 0;
}
