/* descriptor.c -- codecell.Descriptor: a file or directory that was
** passed out of a sandbox, or that the caller named on the host.
**
** Reading is at an own offset, so one file may be read by several objects.
*/
#include "../descriptor.h"
#include "../host/list.h"
#include "../host/store.h"
#include "../host/tree.h"
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LISTING "codecell.Listing"
#define READ_MAX ((uint64_t)1024 * 1024)
#define COPY_MAX ((uint64_t)4 * 1024 * 1024)

static struct lcell_descriptor *check_open(lua_State *L, int index)
{
  struct lcell_descriptor *self = luaL_checkudata(L, index, LCELL_DESCRIPTOR);

  luaL_argcheck(L, self->fd >= 0, index, "descriptor is closed");
  return self;
}

struct lcell_descriptor *lcell_new_descriptor(lua_State *L)
{
  struct lcell_descriptor *self =
    lcell_new_object(L, LCELL_DESCRIPTOR, sizeof(struct lcell_descriptor));

  self->fd = -1;
  return self;
}

int lcell_opened(lua_State *L, const struct lcell_descriptor *descriptor,
                 const struct cell_error *error)
{
  return descriptor->fd >= 0 ? 1 : lcell_fail(L, error);
}

int lcell_check_descriptor(lua_State *L, int index, uint64_t *size)
{
  struct lcell_descriptor *self = check_open(L, index);

  *size = self->size;
  return self->fd;
}

int lcell_take_descriptor(lua_State *L, int index)
{
  return cell_fd_take(&check_open(L, index)->fd);
}

static int descriptor_close(lua_State *L)
{
  struct lcell_descriptor *self = luaL_checkudata(L, 1, LCELL_DESCRIPTOR);

  cell_fd_close(&self->fd);
  return 0;
}

static int descriptor_size(lua_State *L)
{
  lcell_push_size(L, check_open(L, 1)->size);
  return 1;
}

static int descriptor_seek(lua_State *L)
{
  check_open(L, 1)->offset = lcell_check_size(L, 2);
  return 0;
}

/* read(count): at most so many bytes, and 1 MiB; nil at the end. */
static int descriptor_read(lua_State *L)
{
  struct lcell_descriptor *self = check_open(L, 1);
  uint64_t count = lcell_check_size(L, 2);
  ssize_t got;
  char *buffer;

  if (count > READ_MAX)
    count = READ_MAX;
  buffer = lua_newuserdata(L, (size_t)count + 1);
  do
    got = pread(self->fd, buffer, (size_t)count, (off_t)self->offset);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return lcell_failed(L, cell_kind_of(errno), errno, "read");
  if (got == 0)
    return 0;
  self->offset += (uint64_t)got;
  lua_pushlstring(L, buffer, (size_t)got);
  return 1;
}

/* copy_to(descriptor): at most 4 MiB from here on; the count, 0 at the end. */
static int descriptor_copy_to(lua_State *L)
{
  struct lcell_descriptor *self = check_open(L, 1);
  struct lcell_descriptor *to = check_open(L, 2);
  struct cell_error error = {0};
  long count =
    cell_tree_copy(self->fd, &self->offset, to->fd, COPY_MAX, &error);

  if (count < 0)
    return lcell_fail(L, &error);
  lua_pushinteger(L, count);
  return 1;
}

/* ---- the host's files ---- */

/* A directory: make_file(name, mode) -> Descriptor for writing. */
static int descriptor_make_file(lua_State *L)
{
  struct lcell_descriptor *root = check_open(L, 1);
  const char *name = luaL_checkstring(L, 2);
  uint32_t mode = (uint32_t)lcell_check_size(L, 3);
  struct cell_error error = {0};
  struct lcell_descriptor *self = lcell_new_descriptor(L);

  self->fd = cell_tree_file(root->fd, name, mode, &error);
  return lcell_opened(L, self, &error);
}

static int descriptor_make_directory(lua_State *L)
{
  struct lcell_descriptor *root = check_open(L, 1);
  const char *name = luaL_checkstring(L, 2);
  uint32_t mode = (uint32_t)lcell_check_size(L, 3);
  struct cell_error error = {0};

  return lcell_done(L, cell_tree_directory(root->fd, name, mode, &error),
                    &error);
}

static int descriptor_make_link(lua_State *L)
{
  struct lcell_descriptor *root = check_open(L, 1);
  const char *name = luaL_checkstring(L, 2);
  const char *target = luaL_checkstring(L, 3);
  struct cell_error error = {0};

  return lcell_done(L, cell_tree_link(root->fd, name, target, &error), &error);
}

/* make_link_as_is(name, target): whatever the target is. */
static int descriptor_make_link_as_is(lua_State *L)
{
  struct lcell_descriptor *root = check_open(L, 1);
  const char *name = luaL_checkstring(L, 2);
  const char *target = luaL_checkstring(L, 3);
  struct cell_error error = {0};

  return lcell_done(L, cell_tree_link_as_is(root->fd, name, target, &error),
                    &error);
}

/* make_hard_link(name, other) */
static int descriptor_make_hard_link(lua_State *L)
{
  struct lcell_descriptor *root = check_open(L, 1);
  const char *name = luaL_checkstring(L, 2);
  const char *other = luaL_checkstring(L, 3);
  struct cell_error error = {0};

  return lcell_done(L, cell_tree_hard_link(root->fd, name, other, &error),
                    &error);
}

/* describe(name, mode or nil, time): set its permission bits and time. */
static int descriptor_describe(lua_State *L)
{
  struct lcell_descriptor *root = check_open(L, 1);
  const char *name = luaL_checkstring(L, 2);
  int mode = lua_isnil(L, 3) ? -1 : (int)lcell_check_size(L, 3) & 0777;
  int64_t modified = (int64_t)luaL_checknumber(L, 4);
  struct cell_error error = {0};

  return lcell_done(
    L, cell_tree_describe(root->fd, name, mode, modified, &error), &error);
}

/* sync(): what was written to the file system of this directory is on disk. */
static int descriptor_sync(lua_State *L)
{
  struct cell_error error = {0};

  return lcell_done(L, cell_store_sync(check_open(L, 1)->fd, &error), &error);
}

/* flush(): what was written to this file, or which names this directory has, is
** on disk.
*/
static int descriptor_flush(lua_State *L)
{
  struct cell_error error = {0};

  return lcell_done(L, cell_store_flush(check_open(L, 1)->fd, &error), &error);
}

/* write(bytes): all of them, at the end. */
static int descriptor_write(lua_State *L)
{
  struct lcell_descriptor *self = check_open(L, 1);
  struct cell_error error = {0};
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);

  return lcell_done(L, cell_tree_write(self->fd, bytes, length, &error),
                    &error);
}

/* host_directory(path, make) */
static int host_directory(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  int make = lua_toboolean(L, 2);
  struct cell_error error = {0};
  struct lcell_descriptor *self = lcell_new_descriptor(L);

  self->fd = cell_tree_open(path, make, &error);
  return lcell_opened(L, self, &error);
}

/* host_file(path): Descriptor, mode */
static int host_file(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct cell_error error = {0};
  struct lcell_descriptor *self = lcell_new_descriptor(L);
  uint32_t mode = 0;

  self->fd = cell_tree_source(path, &self->size, &mode, &error);
  if (self->fd < 0)
    return lcell_fail(L, &error);
  lua_pushinteger(L, (lua_Integer)mode);
  return 2;
}

/* The listing in progress, owned by a userdata: no error can leak it. */
struct listing {
  struct cell_host_list *list;
};

static int listing_collect(lua_State *L)
{
  struct listing *listing = luaL_checkudata(L, 1, LISTING);

  cell_host_list_close(listing->list);
  listing->list = NULL;
  return 0;
}

static void push_entry(lua_State *L, const struct cell_host_entry *entry)
{
  lua_createtable(L, 0, 6);
  lua_pushstring(L, entry->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, entry->is_directory ? "dir"
                    : entry->is_link    ? "symlink"
                                        : "file");
  lua_setfield(L, -2, "type");
  lua_pushinteger(L, (lua_Integer)entry->mode);
  lua_setfield(L, -2, "mode");
  lcell_push_size(L, entry->size);
  lua_setfield(L, -2, "size");
  lua_pushnumber(L, (lua_Number)entry->modified);
  lua_setfield(L, -2, "modified_time");
  if (entry->is_link) {
    lua_pushstring(L, entry->target);
    lua_setfield(L, -2, "target");
  }
}

/* host_list(path): list of {name, type, mode, size, modified_time, target} */
static int host_list(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct listing *listing = lua_newuserdata(L, sizeof *listing);
  struct cell_host_entry entry;
  struct cell_error error = {0};
  int place = 0, state;

  listing->list = NULL;
  luaL_setmetatable(L, LISTING);
  listing->list = cell_host_list_open(path, &error);
  if (listing->list == NULL)
    return lcell_fail(L, &error);
  lua_newtable(L);
  while ((state = cell_host_list_next(listing->list, &entry, &error)) > 0) {
    push_entry(L, &entry);
    lua_rawseti(L, -2, ++place);
  }
  if (state < 0)
    return lcell_fail(L, &error);
  cell_host_list_close(listing->list);
  listing->list = NULL;
  return 1;
}

/* memory(data): a Descriptor of a file in memory that holds the bytes. */
static int core_memory(lua_State *L)
{
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  struct lcell_descriptor *self = lcell_new_descriptor(L);

  self->fd = cell_fd_memory("codecell", bytes, length);
  if (self->fd < 0)
    return lcell_failed(L, cell_kind_of(errno), errno, "write to memory");
  self->size = length;
  return 1;
}

static const luaL_Reg methods[] = {
  {"close", descriptor_close},
  {"copy_to", descriptor_copy_to},
  {"describe", descriptor_describe},
  {"flush", descriptor_flush},
  {"make_directory", descriptor_make_directory},
  {"make_file", descriptor_make_file},
  {"make_hard_link", descriptor_make_hard_link},
  {"make_link", descriptor_make_link},
  {"make_link_as_is", descriptor_make_link_as_is},
  {"read", descriptor_read},
  {"seek", descriptor_seek},
  {"size", descriptor_size},
  {"sync", descriptor_sync},
  {"write", descriptor_write},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", descriptor_close},
  {"__gc", descriptor_close},
  {NULL, NULL},
};

static const luaL_Reg functions[] = {
  {"host_directory", host_directory},
  {"host_file", host_file},
  {"host_list", host_list},
  {"memory", core_memory},
  {NULL, NULL},
};

void lcell_open_descriptor(lua_State *L)
{
  luaL_newmetatable(L, LISTING);
  lua_pushcfunction(L, listing_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
  lcell_new_type(L, LCELL_DESCRIPTOR, methods, metamethods);
  lua_setfield(L, -2, "Descriptor");
}
