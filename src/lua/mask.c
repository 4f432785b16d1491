/* mask.c -- codecell.Mask: secret values that nothing shows, and streams
** without them.
*/
#include "core.h"

struct mask {
  struct cell_mask *mask; /* kept; NULL: not complete */
};

#define MASKING "codecell.Masking"

struct masking {
  struct cell_mask *mask; /* kept; NULL: not complete, as the next */
  struct cell_masking *masking;
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

/* count(): how often a value was replaced so far. */
static int mask_count(lua_State *L)
{
  lcell_push_size(L, cell_mask_hidden(check_mask(L, 1)));
  return 1;
}

/* ---- a stream ---- */

/* stream(): what comes in pieces. */
static int mask_stream(lua_State *L)
{
  struct cell_mask *mask = check_mask(L, 1);
  struct masking *self = lcell_new_object(L, MASKING, sizeof *self);

  self->mask = cell_mask_keep(mask);
  self->masking = cell_masking_open(mask);
  if (self->masking == NULL)
    return lcell_failed(L, CELL_OUT_OF_MEMORY, 0, "hide secrets");
  return 1;
}

static struct masking *check_masking(lua_State *L)
{
  struct masking *self = luaL_checkudata(L, 1, MASKING);

  luaL_argcheck(L, self->masking != NULL, 1, "not a complete stream");
  return self;
}

/* feed(bytes): what of all so far may be shown now. */
static int masking_feed(lua_State *L)
{
  struct masking *self = check_masking(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  char *shown = lua_newuserdata(L, cell_mask_room(self->mask, length));

  lua_pushlstring(L, shown,
                  cell_masking_feed(self->masking, bytes, length, shown));
  return 1;
}

/* finish(): what was kept back, since nothing follows. */
static int masking_finish(lua_State *L)
{
  struct masking *self = check_masking(L);
  char *shown = lua_newuserdata(L, cell_mask_room(self->mask, 0));

  lua_pushlstring(L, shown, cell_masking_end(self->masking, shown));
  return 1;
}

static int masking_collect(lua_State *L)
{
  struct masking *self = luaL_checkudata(L, 1, MASKING);

  cell_masking_close(self->masking);
  cell_mask_release(self->mask);
  *self = (struct masking){NULL, NULL};
  return 0;
}

/* ---- for processes ---- */

/* _mask(mask) of a process: what it prints from now on. */
int lcell_process_mask(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  struct cell_error error = {0};

  return lcell_done(L, cell_process_mask(process, check_mask(L, 2), &error),
                    &error);
}

static const luaL_Reg methods[] = {
  {"count", mask_count},
  {"hide", mask_hide},
  {"stream", mask_stream},
  {NULL, NULL},
};

static const luaL_Reg masking_methods[] = {
  {"feed", masking_feed},
  {"finish", masking_finish},
  {NULL, NULL},
};

static const luaL_Reg masking_metamethods[] = {
  {"__gc", masking_collect},
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
  lcell_new_type(L, MASKING, masking_methods, masking_metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, mask_new);
  lua_setfield(L, -2, "mask");
}
