/* lua_sandbox.c -- codecell.Sandbox: an anchor for what a sandbox owns.
**
** A local one holds its engine object; one of another backend holds nothing
** here. Questions to the warden are asked and answered separately, so that
** waiting between them is the library's business.
*/
#include "lua_core.h"

#include <errno.h>
#include <unistd.h>

#define ANSWER "codecell.Answer"
#define SMALL_PAYLOAD (2u * CELL_PATH_MAX + 64u)

struct sandbox {
  struct cell_sandbox *sandbox; /* NULL: of another backend, or collected */
  int connected;                /* another object made it: closing lets go */
  int closed;
};

static struct sandbox *check_object(lua_State *L, int index)
{
  return luaL_checkudata(L, index, LCELL_SANDBOX);
}

struct cell_sandbox *lcell_check_sandbox(lua_State *L, int index)
{
  struct sandbox *self = check_object(L, index);

  luaL_argcheck(L, !self->closed, index, "sandbox is closed");
  luaL_argcheck(L, self->sandbox != NULL, index, "not a local sandbox");
  return self->sandbox;
}

static int in_forked_copy(const struct cell_sandbox *sandbox)
{
  struct cell_sandbox *same = (struct cell_sandbox *)sandbox;

  return !cell_reactor_owned(cell_sandbox_reactor(same));
}

static int fail_forked(lua_State *L)
{
  struct cell_error error = {0};

  cell_fail(&error, CELL_SANDBOX_GONE, 0,
            "the sandbox belongs to the process that made it, not to a "
            "forked copy");
  snprintf(error.hint, sizeof error.hint, "create a sandbox after the fork");
  return lcell_fail(L, &error);
}

/* ---- create ---- */

static void check_options(lua_State *L, struct cell_sandbox_options *options)
{
  size_t length;
  const char *id;

  luaL_checktype(L, 2, LUA_TTABLE);
  memset(options, 0, sizeof *options);
  lua_getfield(L, 2, "id");
  id = luaL_checklstring(L, -1, &length);
  luaL_argcheck(L, length == CELL_ID_SIZE - 1, 2, "id has a wrong length");
  memcpy(options->id, id, length + 1);
  lua_getfield(L, 2, "timeout");
  options->timeout_ms = lcell_check_ms(L, -1);
  lua_getfield(L, 2, "root_view");
  options->root_view = lua_toboolean(L, -1);
  lua_getfield(L, 2, "cpu");
  options->cpu_milli = (uint32_t)(luaL_optnumber(L, -1, 0) * 1000);
  options->memory = lcell_size_field(L, 2, "memory", 0);
  options->disk = lcell_size_field(L, 2, "disk", 0);
  options->processes = (uint32_t)lcell_size_field(L, 2, "processes", 0);
  options->files = (uint32_t)lcell_size_field(L, 2, "files", 0);
  options->network = (uint32_t)lcell_size_field(L, 2, "network", 0);
}

static int sandbox_new(lua_State *L)
{
  struct cell_stem *stem;
  struct cell_sandbox_options options;
  struct cell_error error = {0};
  struct sandbox *self;

  lua_settop(L, 2);
  lcell_check_reactor(L, 1, &stem);
  if (!lua_isnil(L, 2))
    check_options(L, &options);
  self = lcell_new_object(L, LCELL_SANDBOX, sizeof *self);
  lua_pushliteral(L, "_reactor"); /* lives as long as the sandbox */
  lua_pushvalue(L, 1);
  lua_settable(L, -3);
  if (lua_isnil(L, 2))
    return 1;
  self->sandbox = cell_sandbox_create(stem, &options, &error);
  if (self->sandbox == NULL)
    return lcell_fail(L, &error);
  return 1;
}

/* ---- state ---- */

static int sandbox_state(lua_State *L)
{
  static const char *const names[] = {"starting", "running", "ending", "gone"};
  struct sandbox *self = check_object(L, 1);
  const struct cell_error *error;

  if (self->sandbox == NULL) {
    lua_pushstring(L, self->closed ? "gone" : "running");
    return 1;
  }
  if (in_forked_copy(self->sandbox)) {
    lua_pushliteral(L, "gone");
    fail_forked(L);
    lua_remove(L, -2); /* the nil */
    return 2;
  }
  lua_pushstring(L, names[cell_sandbox_state(self->sandbox)]);
  error = cell_sandbox_error(self->sandbox);
  if (error->kind == CELL_OK)
    return 1;
  lcell_push_error(L, error);
  return 2;
}

static int sandbox_closed(lua_State *L)
{
  lua_pushboolean(L, check_object(L, 1)->closed);
  return 1;
}

static int sandbox_token(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  if (self->sandbox == NULL)
    return 0;
  lua_pushinteger(L, (lua_Integer)cell_sandbox_token(self->sandbox));
  return 1;
}

static void set_mechanism(lua_State *L, const char *limit, uint32_t mechanism)
{
  static const char *const names[] = {"none",   "cgroup2",  "cgroup1",
                                      "rlimit", "watchdog", "tmpfs"};

  lua_pushstring(L, mechanism < sizeof names / sizeof *names ? names[mechanism]
                                                             : "none");
  lua_setfield(L, -2, limit);
}

static int sandbox_hello(lua_State *L)
{
  const struct cell_hello *hello =
    cell_sandbox_hello(lcell_check_sandbox(L, 1));

  lua_createtable(L, 0, 7);
  set_mechanism(L, "memory", hello->memory_by);
  set_mechanism(L, "processes", hello->processes_by);
  set_mechanism(L, "cpu", hello->cpu_by);
  set_mechanism(L, "disk", hello->disk_by);
  set_mechanism(L, "files", hello->files_by);
  lua_pushinteger(L, (lua_Integer)hello->landlock_abi);
  lua_setfield(L, -2, "landlock_abi");
  lua_pushinteger(L, (lua_Integer)hello->groups_kept);
  lua_setfield(L, -2, "groups_kept");
  return 1;
}

static int sandbox_deadline(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  struct cell_error error = {0};

  if (cell_sandbox_set_deadline(sandbox, lcell_check_ms(L, 2), &error) < 0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

/* close and __close: may run twice, never raise. */
static int sandbox_close(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  if (!self->closed && !self->connected && self->sandbox != NULL)
    cell_sandbox_close(self->sandbox);
  self->closed = 1;
  return 0;
}

/* Ends it, whoever made it; the object stays open to say so. */
static int sandbox_kill(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  if (self->sandbox != NULL)
    cell_sandbox_close(self->sandbox);
  return 0;
}

/* A second object for the same sandbox, which shares all that Lua keeps of it.
 */
static int sandbox_connect(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  struct sandbox *self = lcell_new_object(L, LCELL_SANDBOX, sizeof *self);

  lcell_getuservalue(L, 1);
  lcell_setuservalue(L, -2);
  self->sandbox = cell_sandbox_keep(sandbox);
  self->connected = 1;
  return 1;
}

static int sandbox_collect(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  sandbox_close(L);
  if (self->sandbox != NULL)
    cell_sandbox_release(self->sandbox);
  self->sandbox = NULL;
  return 0;
}

/* ---- questions ---- */

struct question {
  uint32_t type;
  struct cell_packer payload;
  int fd; /* borrowed, passed along; -1: none */
};

static void pack_path(lua_State *L, int index, struct question *question)
{
  size_t length;
  const char *path = luaL_checklstring(L, index, &length);

  cell_pack_bytes(&question->payload, path, length);
}

static void pack_number(lua_State *L, int index, struct question *question)
{
  cell_pack_u32(&question->payload, (uint32_t)lcell_check_size(L, index));
}

static void ask_stat(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_STAT;
  pack_path(L, 3, question);
  cell_pack_u32(&question->payload, (uint32_t)lua_toboolean(L, 4));
}

static void ask_list(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_LIST;
  pack_path(L, 3, question);
  pack_number(L, 4, question);
  pack_number(L, 5, question);
}

static void ask_read(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_READ;
  pack_path(L, 3, question);
  cell_pack_u64(&question->payload, lcell_check_size(L, 4));
  cell_pack_u64(&question->payload,
                lua_isnoneornil(L, 5) ? UINT64_MAX : lcell_check_size(L, 5));
}

/* write: path, data or Descriptor, mode, exclusive. */
static void ask_write(lua_State *L, struct question *question)
{
  uint64_t size = 0;
  size_t length = 0;
  const char *bytes = "";

  question->type = CELL_FILE_WRITE;
  pack_path(L, 3, question);
  pack_number(L, 5, question);
  cell_pack_u32(&question->payload,
                lua_toboolean(L, 6) ? CELL_WRITE_EXCLUSIVE : 0);
  if (lua_type(L, 4) == LUA_TSTRING) {
    bytes = lua_tolstring(L, 4, &length);
    size = length;
  } else {
    question->fd = lcell_check_descriptor(L, 4, &size);
  }
  cell_pack_u64(&question->payload, size);
  cell_pack_bytes(&question->payload, bytes, length);
}

static void ask_mkdir(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_MKDIR;
  pack_path(L, 3, question);
  pack_number(L, 4, question);
}

static void ask_remove(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_REMOVE;
  pack_path(L, 3, question);
}

static void ask_rename(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_RENAME;
  pack_path(L, 3, question);
  pack_path(L, 4, question);
}

static void ask_link(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_LINK;
  pack_path(L, 3, question);
  pack_path(L, 4, question);
}

static void ask_metrics(lua_State *L, struct question *question)
{
  (void)L;
  question->type = CELL_METRICS;
}

static void ask_dial(lua_State *L, struct question *question)
{
  question->type = CELL_DIAL;
  pack_number(L, 3, question);
}

/* signal: request of the spawn (0: all that the code started), number, group */
static void ask_signal(lua_State *L, struct question *question)
{
  question->type = CELL_SIGNAL;
  cell_pack_u64(&question->payload, lcell_check_size(L, 3));
  pack_number(L, 4, question);
  cell_pack_u32(&question->payload,
                lua_toboolean(L, 5) ? CELL_SCOPE_GROUP : CELL_SCOPE_PROCESS);
}

static const struct {
  const char *name;
  void (*pack)(lua_State *L, struct question *question);
} operations[] = {
  {"dial", ask_dial},       {"link", ask_link},     {"list", ask_list},
  {"metrics", ask_metrics}, {"mkdir", ask_mkdir},   {"read", ask_read},
  {"remove", ask_remove},   {"rename", ask_rename}, {"signal", ask_signal},
  {"stat", ask_stat},       {"write", ask_write},   {NULL, NULL},
};

/* Room for what the operation packs; a string to write comes inline. */
static void *payload_room(lua_State *L, size_t *size)
{
  *size = SMALL_PAYLOAD;
  if (lua_type(L, 4) == LUA_TSTRING)
    *size += lua_rawlen(L, 4);
  if (lua_type(L, 3) == LUA_TSTRING)
    *size += lua_rawlen(L, 3);
  return lua_newuserdata(L, *size);
}

static int sandbox_ask(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  const char *name = luaL_checkstring(L, 2);
  struct question question = {0};
  struct cell_error error = {0};
  uint64_t request;
  size_t size;
  void *room;
  int i;

  if (in_forked_copy(sandbox))
    return fail_forked(L);
  for (i = 0; operations[i].name != NULL; i++)
    if (strcmp(operations[i].name, name) == 0)
      break;
  luaL_argcheck(L, operations[i].name != NULL, 2, "unknown operation");
  lua_settop(L, 6);
  room = payload_room(L, &size);
  cell_pack_start(&question.payload, room, size);
  question.fd = -1;
  operations[i].pack(L, &question);
  if (question.payload.failed || question.payload.used > CELL_MESSAGE_MAX)
    return lcell_failed(L, CELL_INVALID_ARGUMENT, 0, "%s: too long", name);
  request = cell_sandbox_ask(sandbox, question.type, &question.payload,
                             &question.fd, question.fd >= 0 ? 1 : 0, &error);
  if (request == 0)
    return lcell_fail(L, &error);
  lcell_push_size(L, request);
  return 1;
}

/* ---- answers ---- */

static int answer_collect(lua_State *L)
{
  cell_answer_clear(luaL_checkudata(L, 1, ANSWER));
  return 0;
}

static void set_size(lua_State *L, const char *name, uint64_t value)
{
  lcell_push_size(L, value);
  lua_setfield(L, -2, name);
}

static void push_entry(lua_State *L, struct cell_unpacker *unpacker)
{
  static const char *const types[] = {"file", "dir", "symlink", "other"};
  size_t length;
  const unsigned char *bytes = cell_unpack_bytes(unpacker, &length);
  uint32_t type;

  lua_createtable(L, 0, 8);
  lua_pushlstring(L, (const char *)bytes, length);
  lua_setfield(L, -2, "path");
  type = cell_unpack_u32(unpacker);
  lua_pushstring(L, types[type <= CELL_ENTRY_OTHER ? type : CELL_ENTRY_OTHER]);
  lua_setfield(L, -2, "type");
  set_size(L, "mode", cell_unpack_u32(unpacker) & 07777u);
  set_size(L, "size", cell_unpack_u64(unpacker));
  lua_pushnumber(L, (lua_Number)(int64_t)cell_unpack_u64(unpacker) / 1e9);
  lua_setfield(L, -2, "modified_time");
  set_size(L, "uid", cell_unpack_u32(unpacker));
  set_size(L, "gid", cell_unpack_u32(unpacker));
  bytes = cell_unpack_bytes(unpacker, &length);
  if (type == CELL_ENTRY_LINK) {
    lua_pushlstring(L, (const char *)bytes, length);
    lua_setfield(L, -2, "symlink_target");
  }
}

/* All ENTRIES messages, then the errno of their DONE. */
static void push_entries(lua_State *L, struct cell_unpacker *unpacker,
                         uint32_t messages)
{
  int place = 0;

  lua_newtable(L);
  for (; messages > 1 && !unpacker->failed; messages--) {
    uint32_t count = cell_unpack_u32(unpacker);
    for (; count > 0 && !unpacker->failed; count--) {
      push_entry(L, unpacker);
      lua_rawseti(L, -2, ++place);
    }
  }
}

static void push_content(lua_State *L, struct cell_unpacker *unpacker,
                         struct cell_answer *answer)
{
  uint64_t size = cell_unpack_u64(unpacker);
  uint32_t by_descriptor = cell_unpack_u32(unpacker);
  size_t length;
  const unsigned char *bytes = cell_unpack_bytes(unpacker, &length);

  if (by_descriptor && answer->fd >= 0)
    lcell_push_descriptor(L, &answer->fd, size);
  else
    lua_pushlstring(L, (const char *)bytes, length);
}

static void push_metrics(lua_State *L, struct cell_unpacker *unpacker)
{
  lua_createtable(L, 0, 7);
  lua_pushnumber(L, (lua_Number)cell_unpack_u64(unpacker) / 1e6);
  lua_setfield(L, -2, "cpu_seconds");
  set_size(L, "processes", cell_unpack_u32(unpacker));
  set_size(L, "processes_peak", cell_unpack_u32(unpacker));
  set_size(L, "memory", cell_unpack_u64(unpacker));
  set_size(L, "memory_peak", cell_unpack_u64(unpacker));
  set_size(L, "disk_used", cell_unpack_u64(unpacker));
  set_size(L, "disk_total", cell_unpack_u64(unpacker));
}

/* One value for what the messages say; *number is the errno in them. */
static void push_answer(lua_State *L, struct cell_answer *answer,
                        struct cell_unpacker *unpacker, uint32_t *number)
{
  *number = 0;
  switch (answer->type) {
  case CELL_METRICS_ARE:
    push_metrics(L, unpacker);
    return;
  case CELL_ENTRY:
    *number = cell_unpack_u32(unpacker);
    if (*number == 0)
      push_entry(L, unpacker);
    break;
  case CELL_CONTENT:
    *number = cell_unpack_u32(unpacker);
    if (*number == 0)
      push_content(L, unpacker, answer);
    break;
  case CELL_DONE:
    if (answer->messages > 1)
      push_entries(L, unpacker, answer->messages);
    *number = cell_unpack_u32(unpacker);
    if (*number == 0 && answer->messages <= 1 && answer->fd >= 0)
      lcell_push_descriptor(L, &answer->fd, 0);
    else if (*number == 0 && answer->messages <= 1)
      lua_pushboolean(L, 1);
    break;
  default:
    unpacker->failed = 1;
  }
}

/* _answer(request, what): the value, false, or nil, err that begins with
** `what`.
*/
static int sandbox_answer(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);
  uint64_t request = lcell_check_size(L, 2);
  const char *what = luaL_optstring(L, 3, "sandbox");
  struct cell_answer *answer;
  struct cell_unpacker unpacker;
  struct cell_error error = {0};
  uint32_t number = 0;
  int state;

  if (self->sandbox == NULL)
    return lcell_failed(L, CELL_CANCELLED, 0, "%s: sandbox is closed", what);
  if (in_forked_copy(self->sandbox))
    return fail_forked(L);
  answer = lua_newuserdata(L, sizeof *answer);
  memset(answer, 0, sizeof *answer);
  answer->fd = -1;
  luaL_setmetatable(L, ANSWER);
  state = cell_sandbox_answer(self->sandbox, request, answer, &error);
  if (state < 0)
    return lcell_fail(L, &error);
  if (state == 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  cell_unpack_start(&unpacker, answer->payload, answer->length);
  push_answer(L, answer, &unpacker, &number);
  if (unpacker.failed)
    return lcell_failed(L, CELL_PROTOCOL, 0, "%s: malformed answer", what);
  if (number != 0)
    return lcell_failed(L, cell_kind_of((int)number), (int)number, "%s", what);
  cell_answer_clear(answer);
  return 1;
}

static int sandbox_forget(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  if (self->sandbox != NULL)
    cell_sandbox_forget(self->sandbox, lcell_check_size(L, 2));
  return 0;
}

static const luaL_Reg methods[] = {
  {"_answer", sandbox_answer},
  {"_ask", sandbox_ask},
  {"_closed", sandbox_closed},
  {"_connect", sandbox_connect},
  {"_deadline", sandbox_deadline},
  {"_forget", sandbox_forget},
  {"_hello", sandbox_hello},
  {"_kill", sandbox_kill},
  {"_spawn", lcell_process_spawn},
  {"_state", sandbox_state},
  {"_token", sandbox_token},
  {"close", sandbox_close},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", sandbox_close},
  {"__gc", sandbox_collect},
  {NULL, NULL},
};

void lcell_open_sandbox(lua_State *L)
{
  luaL_newmetatable(L, ANSWER);
  lua_pushcfunction(L, answer_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lcell_new_type(L, LCELL_SANDBOX, methods, metamethods);
  lua_setfield(L, -2, "Sandbox");
  lua_pushcfunction(L, sandbox_new);
  lua_setfield(L, -2, "sandbox");
}
