/* stem.c -- codecell.Stem: a stem of its own, with a zygote.
**
** Its sandboxes keep the object: it tells how they ended.
*/
#include "../start/seed.h"
#include "../wire/frame.h"
#include "core.h"

#include <string.h>

struct stem {
  struct cell_stem *stem;
  struct cell_seed *seed; /* of the stem */
  int closed;
};

static struct stem *check_object(lua_State *L, int index)
{
  return luaL_checkudata(L, index, LCELL_STEM);
}

static struct stem *check_open(lua_State *L, int index)
{
  struct stem *self = check_object(L, index);

  luaL_argcheck(L, !self->closed && self->stem != NULL, index,
                "stem is closed");
  return self;
}

struct cell_stem *lcell_check_stem(lua_State *L, int index)
{
  return check_open(L, index)->stem;
}

/* The frames that the zygote reads: its program, and the cells that it
** rehearses before it is sealed. In a userdata on the stack.
*/
static void push_wire(lua_State *L, struct cell_packer *wire)
{
  struct cell_packer program, cells;
  unsigned char *bytes;

  lua_getfield(L, 2, "language");
  lcell_push_program(L, luaL_checkstring(L, -1), &program);
  lua_getfield(L, 2, "cells");
  luaL_checktype(L, -1, LUA_TTABLE);
  lcell_push_parts(L, lua_gettop(L), &cells);
  wire->used = wire->size =
    2 * (size_t)CELL_FRAME_HEADER + program.used + cells.used;
  wire->bytes = bytes = lua_newuserdata(L, wire->size);
  cell_frame_header(bytes, (uint32_t)program.used, CELL_KERNEL_PROGRAM, 0);
  bytes += CELL_FRAME_HEADER;
  memcpy(bytes, program.bytes, program.used);
  bytes += program.used;
  cell_frame_header(bytes, (uint32_t)cells.used, CELL_KERNEL_SEAL, 0);
  memcpy(bytes + CELL_FRAME_HEADER, cells.bytes, cells.used);
}

static int set_binds(lua_State *L, struct cell_stem *stem,
                     struct cell_error *error)
{
  const char **paths = lcell_check_strings(L, 2, "binds");
  size_t count = 0;

  while (paths[count] != NULL)
    count++;
  return cell_stem_set_binds(stem, paths, count, error);
}

/* stem(reactor, {mounts, binds, argv, envs, memory, language, cells}) */
static int stem_new(lua_State *L)
{
  struct cell_reactor *reactor = lcell_check_reactor(L, 1);
  struct cell_error error = {0};
  struct cell_packer wire;
  const char **argv, **envs;
  struct stem *self;

  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  self = lcell_new_object(L, LCELL_STEM, sizeof *self);
  argv = lcell_check_strings(L, 2, "argv");
  envs = lcell_check_strings(L, 2, "envs");
  push_wire(L, &wire);
  self->stem = cell_stem_new(reactor, "", &error);
  if (self->stem == NULL)
    return lcell_fail(L, &error);
  self->seed =
    cell_seed_new(reactor, argv, envs, lcell_size_field(L, 2, "memory", 0),
                  wire.bytes, wire.used, &error);
  if (self->seed == NULL)
    return lcell_fail(L, &error);
  cell_stem_plant(self->stem, self->seed);
  lua_getfield(L, 2, "mounts");
  if (lua_toboolean(L, -1))
    cell_stem_want_mounts(self->stem);
  if (set_binds(L, self->stem, &error) < 0 ||
      cell_stem_hold(self->stem, 1, &error) < 0 ||
      cell_stem_start(self->stem, &error) < 0)
    return lcell_fail(L, &error);
  lua_settop(L, 3);
  return 1;
}

/* _zygote(): "starting", "ready", or "failed" and why. */
static int stem_zygote(lua_State *L)
{
  static const char *const names[] = {"starting", "ready", "failed"};
  struct stem *self = check_open(L, 1);

  lua_pushstring(L, names[self->seed->zygote]);
  if (self->seed->zygote != CELL_ZYGOTE_FAILED)
    return 1;
  lua_pushstring(L, self->seed->why);
  return 2;
}

static int stem_token(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_open(L, 1)->seed->token);
  return 1;
}

/* It makes no more sandboxes and its zygote ends; those that live are told of.
 */
static int stem_close(lua_State *L)
{
  struct stem *self = check_object(L, 1);

  if (!self->closed && self->stem != NULL &&
      cell_reactor_owned(cell_stem_reactor(self->stem)))
    cell_stem_hold(self->stem, 0, NULL);
  self->closed = 1;
  return 0;
}

static int stem_collect(lua_State *L)
{
  struct stem *self = check_object(L, 1);

  self->closed = 1;
  cell_stem_free(self->stem);
  self->stem = NULL;
  return 0;
}

static const luaL_Reg methods[] = {
  {"_token", stem_token},
  {"_zygote", stem_zygote},
  {"close", stem_close},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", stem_close},
  {"__gc", stem_collect},
  {NULL, NULL},
};

void lcell_open_stem(lua_State *L)
{
  lcell_new_type(L, LCELL_STEM, methods, metamethods);
  lua_setfield(L, -2, "Stem");
  lua_pushcfunction(L, stem_new);
  lua_setfield(L, -2, "stem");
}
