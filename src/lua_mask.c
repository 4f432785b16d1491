/* lua_mask.c -- codecell.Mask: secret values that nothing shows. */
#include "lua_core.h"

struct mask {
  struct cell_mask *mask; /* kept; NULL: not complete */
};

static struct cell_mask *check_mask(lua_State *L, int index)
{
  struct mask *self = luaL_checkudata(L, index, LCELL_MASK);

  luaL_argcheck(L, self->mask != NULL, index, "not a complete mask");
  return self->mask;
}

/* mask(values): or nil, err. */
static int mask_new(lua_State *L)
{
  struct cell_error error = {0};
  struct mask *self;
  size_t count, length, i;
  const char *value;

  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  self = lcell_new_object(L, LCELL_MASK, sizeof *self);
  self->mask = cell_mask_new(&error);
  if (self->mask == NULL)
    return lcell_fail(L, &error);
  count = lua_rawlen(L, 1);
  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, (int)i);
    value = luaL_checklstring(L, -1, &length);
    if (cell_mask_add(self->mask, value, length, &error) < 0)
      return lcell_fail(L, &error);
    lua_pop(L, 1);
  }
  if (cell_mask_seal(self->mask, &error) < 0)
    return lcell_fail(L, &error);
  return 1;
}

static int mask_collect(lua_State *L)
{
  struct mask *self = luaL_checkudata(L, 1, LCELL_MASK);

  cell_mask_release(self->mask);
  self->mask = NULL;
  return 0;
}

/* hide(text): the text without the values. */
static int mask_hide(lua_State *L)
{
  struct cell_mask *mask = check_mask(L, 1);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  char *hidden = lua_newuserdata(L, cell_mask_room(mask, length));
  long count = cell_mask_hide(mask, text, length, hidden);

  if (count < 0)
    return lcell_failed(L, CELL_OUT_OF_MEMORY, 0, "hide secrets");
  lua_pushlstring(L, hidden, (size_t)count);
  return 1;
}

/* _mask(mask) of a process: what it prints from now on. */
int lcell_process_mask(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  struct cell_error error = {0};

  if (cell_process_mask(process, check_mask(L, 2), &error) < 0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg methods[] = {
  {"hide", mask_hide},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__gc", mask_collect},
  {NULL, NULL},
};

void lcell_open_mask(lua_State *L)
{
  lcell_new_type(L, LCELL_MASK, methods, metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, mask_new);
  lua_setfield(L, -2, "mask");
}
