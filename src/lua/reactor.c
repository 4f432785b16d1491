/* reactor.c -- codecell.Reactor: what a Lua state waits on.
**
** Holds the stems too, because they are those of a Lua state. Collected first
** or last, the engine's counts keep what sandboxes still need.
*/
#include "core.h"

#include <limits.h>

struct reactor {
  struct cell_reactor *reactor; /* NULL once closed */
  struct cell_stems *stems;
  struct cell_timer alarm; /* the earliest deadline that Lua waits for */
};

static struct reactor *check_open(lua_State *L, int index)
{
  struct reactor *self = luaL_checkudata(L, index, LCELL_REACTOR);

  luaL_argcheck(L, self->reactor != NULL, index, "reactor is closed");
  return self;
}

struct cell_reactor *lcell_check_reactor(lua_State *L, int index)
{
  return check_open(L, index)->reactor;
}

struct cell_stems *lcell_check_stems(lua_State *L, int index)
{
  return check_open(L, index)->stems;
}

/* That of the host's programs, which is always there. */
static struct cell_stem *check_stem(lua_State *L)
{
  return cell_stems_find(check_open(L, 1)->stems, "", 0, NULL);
}

/* Waking the step is all that an alarm is for. */
static void ring(struct cell_timer *timer)
{
  (void)timer;
}

static int reactor_new(lua_State *L)
{
  struct reactor *self =
    lcell_new_object(L, LCELL_REACTOR, sizeof(struct reactor));
  struct cell_error error = {0};

  self->alarm.due = ring;
  self->reactor = cell_reactor_new(&error);
  if (self->reactor != NULL)
    self->stems = cell_stems_new(self->reactor, &error);
  if (self->stems == NULL)
    return lcell_fail(L, &error); /* what was made goes with the object */
  return 1;
}

static int reactor_close(lua_State *L)
{
  struct reactor *self = luaL_checkudata(L, 1, LCELL_REACTOR);

  if (self->reactor == NULL)
    return 0;
  cell_timer_disarm(self->reactor, &self->alarm);
  cell_stems_free(self->stems);
  cell_reactor_release(self->reactor);
  self->stems = NULL;
  self->reactor = NULL;
  return 0;
}

static int reactor_pollfd(lua_State *L)
{
  lua_pushinteger(L, cell_reactor_pollfd(check_open(L, 1)->reactor));
  return 1;
}

static int reactor_events(lua_State *L)
{
  check_open(L, 1);
  lua_pushliteral(L, "r");
  return 1;
}

static int reactor_timeout(lua_State *L)
{
  int milliseconds = cell_reactor_timeout(check_open(L, 1)->reactor);

  if (milliseconds < 0)
    return 0;
  lua_pushnumber(L, milliseconds / 1000.0);
  return 1;
}

static int reactor_try_step(lua_State *L)
{
  struct reactor *self = check_open(L, 1);
  struct cell_error error = {0};
  int timeout_ms = -1;
  int count;

  if (!lua_isnoneornil(L, 2)) {
    int64_t milliseconds = lcell_check_ms(L, 2);
    timeout_ms = milliseconds > INT_MAX ? INT_MAX : (int)milliseconds;
  }
  count = cell_reactor_step(self->reactor, timeout_ms, &error);
  if (count < 0)
    return lcell_fail(L, &error);
  lua_pushinteger(L, count);
  return 1;
}

static int reactor_take(lua_State *L)
{
  uint32_t token = cell_token_take(check_open(L, 1)->reactor);

  if (token == 0)
    return 0;
  lua_pushinteger(L, (lua_Integer)token);
  return 1;
}

static int reactor_now(lua_State *L)
{
  const struct cell_clock *clock =
    cell_reactor_clock(check_open(L, 1)->reactor);

  lua_pushnumber(L, (lua_Number)cell_clock_now(clock) / 1e9);
  return 1;
}

/* alarm(at): ring at that time of now(); alarm(nil): do not. */
static int reactor_alarm(lua_State *L)
{
  struct reactor *self = check_open(L, 1);
  struct cell_error error = {0};
  lua_Number at = luaL_optnumber(L, 2, -1);

  if (at < 0)
    cell_timer_disarm(self->reactor, &self->alarm);
  else if (cell_timer_arm(self->reactor, &self->alarm,
                          at < 9e9 ? (int64_t)(at * 1e9) : CELL_NEVER,
                          &error) < 0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

static int reactor_owned(lua_State *L)
{
  struct reactor *self = luaL_checkudata(L, 1, LCELL_REACTOR);

  lua_pushboolean(L,
                  self->reactor != NULL && cell_reactor_owned(self->reactor));
  return 1;
}

static int reactor_warm(lua_State *L)
{
  struct cell_error error = {0};

  return lcell_done(L, cell_stem_start(check_stem(L), &error), &error);
}

static int reactor_hold(lua_State *L)
{
  struct cell_stem *stem = check_stem(L);
  struct cell_error error = {0};

  luaL_checktype(L, 2, LUA_TBOOLEAN);
  return lcell_done(L, cell_stem_hold(stem, lua_toboolean(L, 2), &error),
                    &error);
}

static int reactor_set_binds(lua_State *L)
{
  struct cell_stem *stem = check_stem(L);
  struct cell_error error = {0};
  const char **paths;
  size_t count;

  lua_settop(L, 2);
  paths = lcell_top_strings(L, 2, CELL_BINDS_MAX, &count);
  return lcell_done(L, cell_stem_set_binds(stem, paths, count, &error), &error);
}

static const luaL_Reg methods[] = {
  {"_owned", reactor_owned},
  {"alarm", reactor_alarm},
  {"close", reactor_close},
  {"events", reactor_events},
  {"hold", reactor_hold},
  {"now", reactor_now},
  {"pollfd", reactor_pollfd},
  {"set_binds", reactor_set_binds},
  {"take", reactor_take},
  {"timeout", reactor_timeout},
  {"try_step", reactor_try_step},
  {"warm", reactor_warm},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", reactor_close},
  {"__gc", reactor_close},
  {NULL, NULL},
};

void lcell_open_reactor(lua_State *L)
{
  lcell_new_type(L, LCELL_REACTOR, methods, metamethods);
  lua_setfield(L, -2, "Reactor");
  lua_pushcfunction(L, reactor_new);
  lua_setfield(L, -2, "reactor");
}
