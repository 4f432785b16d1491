/* journal.c -- files of the host that grow by whole lines, in Lua. A journal is
** a Descriptor, which is its lock.
*/
#include "../host/journal.h"
#include "../descriptor.h"
#include "core.h"

/* journal(path): a Descriptor, locked; or nil, err. */
static int journal_open(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct cell_error error = {0};
  struct lcell_descriptor *self = lcell_new_descriptor(L);

  self->fd = cell_journal_open(path, &self->size, &error);
  return lcell_opened(L, self, &error);
}

/* journal_append(journal, size, bytes): true, or nil, err and nothing was
** added.
*/
static int journal_append(lua_State *L)
{
  uint64_t before, size = lcell_check_size(L, 2);
  int fd = lcell_check_descriptor(L, 1, &before);
  struct cell_error error = {0};
  size_t length;
  const char *bytes = luaL_checklstring(L, 3, &length);

  return lcell_done(L, cell_journal_append(fd, size, bytes, length, &error),
                    &error);
}

/* journal_cut(journal, size) */
static int journal_cut(lua_State *L)
{
  uint64_t before, size = lcell_check_size(L, 2);
  int fd = lcell_check_descriptor(L, 1, &before);
  struct cell_error error = {0};

  return lcell_done(L, cell_journal_cut(fd, size, &error), &error);
}

/* journal_note(path, bytes): a file beside it, which holds these bytes. */
static int journal_note(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct cell_error error = {0};
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);

  return lcell_done(L, cell_journal_note(path, bytes, length, &error), &error);
}

static const luaL_Reg functions[] = {
  {"journal", journal_open},
  {"journal_append", journal_append},
  {"journal_cut", journal_cut},
  {"journal_note", journal_note},
  {NULL, NULL},
};

void lcell_open_journal(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
