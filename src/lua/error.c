/* error.c -- codecell.Error: why a verb failed, as a Lua table.
**
** Fields kind and message always; errno, stage and hint where they apply. Its
** text is the message. The library makes more of the same type by the shared
** metatable, core.error_metatable, and knows errno by the names in core.errno.
*/
#include "core.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define ERROR "codecell.Error"

static void set_text(lua_State *L, const char *name, const char *text)
{
  if (text[0] == '\0')
    return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

void lcell_push_error(lua_State *L, const struct cell_error *error)
{
  lua_createtable(L, 0, 5);
  set_text(L, "kind", cell_kind_name(error->kind));
  set_text(L, "message", error->message);
  set_text(L, "stage", error->stage);
  set_text(L, "hint", error->hint);
  if (error->number != 0) {
    lua_pushinteger(L, error->number);
    lua_setfield(L, -2, "errno");
  }
  luaL_setmetatable(L, ERROR);
}

int lcell_fail(lua_State *L, const struct cell_error *error)
{
  lua_pushnil(L);
  lcell_push_error(L, error);
  return 2;
}

int lcell_done(lua_State *L, int result, const struct cell_error *error)
{
  if (result < 0)
    return lcell_fail(L, error);
  lua_pushboolean(L, 1);
  return 1;
}

int lcell_failed(lua_State *L, enum cell_kind kind, int number,
                 const char *format, ...)
{
  struct cell_error error = {0};
  char text[sizeof error.message];
  va_list values;

  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  cell_fail(&error, kind, number, "%s", text);
  return lcell_fail(L, &error);
}

static int error_tostring(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "message");
  if (!lua_isstring(L, -1))
    lua_pushliteral(L, ERROR);
  return 1;
}

/* Those that the library tells apart; their numbers differ between machines. */
static const struct {
  const char *name;
  int number;
} numbers[] = {
  {"EADDRNOTAVAIL", EADDRNOTAVAIL},
  {"EBUSY", EBUSY},
  {"ECONNREFUSED", ECONNREFUSED},
  {"EEXIST", EEXIST},
  {"EINTR", EINTR},
  {"EISDIR", EISDIR},
  {"ELOOP", ELOOP},
  {"EMFILE", EMFILE},
  {"ENOTDIR", ENOTDIR},
  {"ENOTEMPTY", ENOTEMPTY},
  {"ESRCH", ESRCH},
  {"EPIPE", EPIPE},
  {"EXDEV", EXDEV},
};

void lcell_open_error(lua_State *L)
{
  size_t i;

  luaL_newmetatable(L, ERROR);
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, ERROR);
  lua_setfield(L, -2, "__name");
  lua_setfield(L, -2, "error_metatable");
  lua_newtable(L);
  for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    lua_pushinteger(L, numbers[i].number);
    lua_setfield(L, -2, numbers[i].name);
  }
  lua_setfield(L, -2, "errno");
}
