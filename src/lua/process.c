/* process.c -- codecell.Process: a program inside a local sandbox.
**
** A connected object looks at the process of another one, which it keeps
** alive, and only lets go when it is closed.
*/
#include "core.h"

#include <sys/ioctl.h>

#define SMALL 4096
#define READ_MAX ((uint64_t)1024 * 1024)

struct process {
  struct cell_process *process; /* NULL: closed, or another's (`origin`) */
  struct process *origin;       /* kept alive by the uservalue; NULL: own */
};

static struct cell_process *look(struct process *self)
{
  return self->origin != NULL ? self->origin->process : self->process;
}

struct cell_process *lcell_check_process(lua_State *L)
{
  struct process *self = luaL_checkudata(L, 1, LCELL_PROCESS);
  struct cell_process *process = look(self);

  luaL_argcheck(L, process != NULL, 1, "process is closed");
  return process;
}

static int check_which(lua_State *L, int index)
{
  lua_Integer which = luaL_checkinteger(L, index);

  luaL_argcheck(L, which == 0 || which == 1, index, "0 or 1 expected");
  return (int)which;
}

/* ---- spawn ---- */

static void check_options(lua_State *L, struct cell_process_options *options)
{
  static const char *const kinds[] = {"command", "kernel", "terminal", NULL};

  luaL_checktype(L, 2, LUA_TTABLE);
  memset(options, 0, sizeof *options);
  lua_getfield(L, 2, "kind");
  options->kind =
    (enum cell_spawn_kind)luaL_checkoption(L, lua_gettop(L), NULL, kinds);
  options->argv = lcell_check_strings(L, 2, "argv");
  options->envs = lcell_check_strings(L, 2, "envs");
  lua_getfield(L, 2, "cwd");
  options->cwd = luaL_optstring(L, -1, "");
  lua_getfield(L, 2, "input");
  options->input = lua_toboolean(L, -1);
  lua_getfield(L, 2, "is_session");
  options->is_session = lua_toboolean(L, -1);
  options->rows = (uint32_t)lcell_size_field(L, 2, "rows", 24);
  options->columns = (uint32_t)lcell_size_field(L, 2, "columns", 80);
  options->output_limit = (size_t)lcell_size_field(L, 2, "output", 0);
}

int lcell_process_spawn(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  struct cell_process_options options;
  struct cell_error error = {0};
  struct process *self;

  check_options(L, &options);
  self = lcell_new_object(L, LCELL_PROCESS, sizeof *self);
  lua_pushliteral(L, "_sandbox"); /* outlives its processes */
  lua_pushvalue(L, 1);
  lua_settable(L, -3);
  self->process = cell_process_spawn(sandbox, &options, &error);
  if (self->process == NULL)
    return lcell_fail(L, &error);
  return 1;
}

/* A second object for the same process, which closing only lets go. */
static int process_connect(lua_State *L)
{
  struct process *origin = luaL_checkudata(L, 1, LCELL_PROCESS);
  struct process *self = lcell_new_object(L, LCELL_PROCESS, sizeof *self);

  self->origin = origin->origin != NULL ? origin->origin : origin;
  lua_pushliteral(L, "_origin");
  lua_pushvalue(L, 1);
  lua_settable(L, -3);
  return 1;
}

/* close, __close and __gc: may run twice, never raise. */
static int process_close(lua_State *L)
{
  struct process *self = luaL_checkudata(L, 1, LCELL_PROCESS);

  if (self->process != NULL)
    cell_process_free(self->process);
  self->process = NULL;
  self->origin = NULL;
  return 0;
}

/* ---- state ---- */

static int process_closed(lua_State *L)
{
  lua_pushboolean(L, look(luaL_checkudata(L, 1, LCELL_PROCESS)) == NULL);
  return 1;
}

static int process_state(lua_State *L)
{
  static const char *const names[] = {"starting", "running", "exited",
                                      "failed"};
  struct cell_process *process = lcell_check_process(L);
  const struct cell_error *error = cell_process_error(process);

  if (!cell_process_owned(process)) {
    lua_pushliteral(L, "failed");
    lcell_fail_forked(L, "program");
    lua_remove(L, -2); /* the nil */
    return 2;
  }
  lua_pushstring(L, names[cell_process_state(process)]);
  if (error->kind == CELL_OK)
    return 1;
  lcell_push_error(L, error);
  return 2;
}

static int process_pid(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)cell_process_pid(lcell_check_process(L)));
  return 1;
}

static int process_token(lua_State *L)
{
  struct cell_process *process = look(luaL_checkudata(L, 1, LCELL_PROCESS));

  if (process == NULL)
    return 0;
  lua_pushinteger(L, (lua_Integer)cell_process_token(process));
  return 1;
}

static int process_exit(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  const struct cell_exit *status = cell_process_exit(process);

  if (cell_process_state(process) != CELL_PROCESS_EXITED) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, status->code);
  lua_setfield(L, -2, "code");
  lua_pushinteger(L, status->signal);
  lua_setfield(L, -2, "signal");
  lua_pushboolean(L, status->out_of_memory);
  lua_setfield(L, -2, "out_of_memory");
  lua_pushnumber(L, (lua_Number)status->cpu_us / 1e6);
  lua_setfield(L, -2, "cpu");
  lcell_push_size(L, status->memory_peak);
  lua_setfield(L, -2, "memory");
  return 1;
}

static int process_finished(lua_State *L)
{
  lua_pushboolean(L, cell_process_finished(lcell_check_process(L)));
  return 1;
}

/* ---- output ---- */

/* _read(which, size): text that is there, false (not yet), nil (the end). */
static int process_read(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  int which = check_which(L, 2);
  struct cell_stream *stream = cell_process_stream(process, which);
  uint64_t size = lcell_check_size(L, 3);
  uint64_t skipped;
  char small[SMALL];
  char *buffer = small;
  size_t count;
  int end = 0;

  if (stream == NULL)
    return 0;
  if (!cell_process_owned(process) ||
      (stream->fd >= 0 && stream->position == stream->total &&
       cell_process_state(process) == CELL_PROCESS_STARTING)) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (size > READ_MAX)
    size = READ_MAX;
  if (size > SMALL && cell_stream_there(stream) <= SMALL)
    size = SMALL; /* most reads find little or nothing, and cost no garbage */
  else if (size > SMALL)
    buffer = lua_newuserdata(L, (size_t)size);
  count = cell_process_read(process, which, buffer, (size_t)size,
                            lua_toboolean(L, 4), &end, &skipped);
  if (count > 0)
    lua_pushlstring(L, buffer, count);
  else if (end)
    lua_pushnil(L);
  else
    lua_pushboolean(L, 0);
  return 1;
}

/* _hold(which, held): a stream that is called for is not read ahead of the
** calls, so that the program waits for them and nothing is dropped unseen.
*/
static int process_hold(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  int which = (int)luaL_checkinteger(L, 2);
  struct cell_stream *stream = cell_process_stream(process, which);

  if (stream != NULL && stream->fd >= 0 && cell_process_owned(process))
    cell_stream_hold(stream, lua_toboolean(L, 3));
  return 0;
}

/* Read what the pipes hold at this moment, so that the kept bytes are whole:
** a program that never stops writing must not keep us here.
*/
static int process_drain(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  int which;

  for (which = 0; which < 2; which++) {
    struct cell_stream *stream = cell_process_stream(process, which);
    int there = 0;
    if (stream == NULL || stream->fd < 0 || !cell_process_owned(process))
      continue;
    if (ioctl(stream->fd, FIONREAD, &there) == 0 && there > 0)
      cell_stream_drain(stream, (size_t)there);
  }
  return 0;
}

/* _kept(which): head, tail (nil if nothing was dropped), total. */
static int process_kept(lua_State *L)
{
  struct cell_stream *stream =
    cell_process_stream(lcell_check_process(L), check_which(L, 2));
  const unsigned char *head = NULL;
  const unsigned char *tail = NULL;
  size_t head_length = 0, tail_length = 0;
  uint64_t total = 0;

  if (stream != NULL)
    cell_stream_kept(stream, &head, &head_length, &tail, &tail_length, &total);
  lua_pushlstring(L, head != NULL ? (const char *)head : "", head_length);
  if (tail_length > 0)
    lua_pushlstring(L, (const char *)tail, tail_length);
  else
    lua_pushnil(L);
  lcell_push_size(L, total);
  return 3;
}

/* Both streams start anew: what came before belongs to an earlier cell. */
static int process_restart(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  int which;

  for (which = 0; which < 2; which++) {
    struct cell_stream *stream = cell_process_stream(process, which);
    if (stream != NULL)
      cell_stream_restart(stream);
  }
  return 0;
}

/* ---- input, signals, terminal ---- */

/* _write(data, from): how many bytes after the first `from` were taken. */
static int process_write(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  struct cell_error error = {0};
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  uint64_t from = lcell_check_size(L, 3);
  long count;

  luaL_argcheck(L, from <= length, 3, "past the end");
  count =
    cell_process_write(process, bytes + from, length - (size_t)from, &error);
  if (count < 0)
    return lcell_fail(L, &error);
  lua_pushinteger(L, count);
  return 1;
}

static int process_close_input(lua_State *L)
{
  cell_process_close_input(lcell_check_process(L));
  return 0;
}

static int push_request(lua_State *L, uint64_t request,
                        const struct cell_error *error)
{
  if (request == 0)
    return lcell_fail(L, error);
  lcell_push_size(L, request);
  return 1;
}

static int process_signal(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  struct cell_error error = {0};
  enum cell_signal_scope scope =
    lua_toboolean(L, 3) ? CELL_SCOPE_GROUP : CELL_SCOPE_PROCESS;

  return push_request(
    L,
    cell_process_signal(process, (int)luaL_checkinteger(L, 2), scope, &error),
    &error);
}

static int process_resize(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  struct cell_error error = {0};
  uint32_t rows = (uint32_t)lcell_check_size(L, 2);
  uint32_t columns = (uint32_t)lcell_check_size(L, 3);

  return push_request(L, cell_process_resize(process, rows, columns, &error),
                      &error);
}

static const luaL_Reg methods[] = {
  {"_close_input", process_close_input},
  {"_closed", process_closed},
  {"_connect", process_connect},
  {"_drain", process_drain},
  {"_exit", process_exit},
  {"_finished", process_finished},
  {"_hold", process_hold},
  {"_kept", process_kept},
  {"_mask", lcell_process_mask},
  {"_pid", process_pid},
  {"_read", process_read},
  {"_receive", lcell_process_receive},
  {"_resize", process_resize},
  {"_restart", process_restart},
  {"_send", lcell_process_send},
  {"_send_program", lcell_process_send_program},
  {"_signal", process_signal},
  {"_state", process_state},
  {"_token", process_token},
  {"_write", process_write},
  {"close", process_close},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", process_close},
  {"__gc", process_close},
  {NULL, NULL},
};

void lcell_open_process(lua_State *L)
{
  lcell_new_type(L, LCELL_PROCESS, methods, metamethods);
  lua_setfield(L, -2, "Process");
}
