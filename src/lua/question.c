/* question.c -- questions to a warden, in Lua.
**
** They are asked and answered separately, so that waiting between them is the
** library's business.
*/
#include "../descriptor.h"
#include "core.h"

#include <string.h>

#define ANSWER "codecell.Answer"
#define SMALL_PAYLOAD (2u * CELL_PATH_MAX + CELL_METADATA_MAX + 64u)

/* ---- asking ---- */

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

static void pack_content(lua_State *L, struct question *question)
{
  uint64_t size = 0;
  size_t length = 0;
  const char *bytes = "";

  if (lua_type(L, 4) == LUA_TSTRING) {
    bytes = lua_tolstring(L, 4, &length);
    size = length;
  } else {
    question->fd = lcell_check_descriptor(L, 4, &size);
  }
  cell_pack_u64(&question->payload, size);
  cell_pack_bytes(&question->payload, bytes, length);
}

static size_t append(lua_State *L, int index, char *bytes, size_t used)
{
  size_t length;
  const char *text = luaL_checklstring(L, index, &length);

  luaL_argcheck(L, length < CELL_METADATA_MAX - used, 7,
                "metadata is too large");
  memcpy(bytes + used, text, length + 1);
  return used + length + 1;
}

/* Of a table of options: its `metadata`, names and values without NUL. */
static void pack_metadata(lua_State *L, int index, struct question *question)
{
  char bytes[CELL_METADATA_MAX];
  size_t used = 0;

  if (lua_istable(L, index)) {
    lua_getfield(L, index, "metadata");
    if (lua_istable(L, -1)) {
      lua_pushnil(L);
      while (lua_next(L, -2) != 0) {
        luaL_checktype(L, -2, LUA_TSTRING);
        used = append(L, -2, bytes, used);
        used = append(L, -1, bytes, used);
        lua_pop(L, 1);
      }
    }
    lua_pop(L, 1);
  }
  cell_pack_bytes(&question->payload, bytes, used);
}

/* write: path, data or Descriptor, mode, exclusive, {metadata}. */
static void ask_write(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_WRITE;
  pack_path(L, 3, question);
  pack_number(L, 5, question);
  cell_pack_u32(&question->payload,
                lua_toboolean(L, 6) ? CELL_WRITE_EXCLUSIVE : 0);
  pack_content(L, question);
  pack_metadata(L, 7, question);
}

/* append: path of a file that is there, data or Descriptor. */
static void ask_append(lua_State *L, struct question *question)
{
  question->type = CELL_FILE_WRITE;
  pack_path(L, 3, question);
  cell_pack_u32(&question->payload, 0);
  cell_pack_u32(&question->payload, CELL_WRITE_APPEND);
  pack_content(L, question);
  cell_pack_bytes(&question->payload, "", 0);
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

/* touch: path, mode, seconds since 1970 (nil: leave the time as it is) */
static void ask_touch(lua_State *L, struct question *question)
{
  lua_Number modified = luaL_optnumber(L, 5, -1);

  question->type = CELL_FILE_TOUCH;
  pack_path(L, 3, question);
  pack_number(L, 4, question);
  cell_pack_u64(&question->payload, modified >= 0 && modified < 1e10
                                      ? (uint64_t)(modified * 1e9)
                                      : UINT64_MAX);
}

/* unpack: path of a directory, Descriptor of a tar stream. */
static void ask_unpack(lua_State *L, struct question *question)
{
  uint64_t size;

  question->type = CELL_FILE_UNPACK;
  pack_path(L, 3, question);
  question->fd = lcell_check_descriptor(L, 4, &size);
  cell_pack_u64(&question->payload, size);
}

/* changes: whether to begin anew, and to pass what tells of changes. */
static void ask_changes(lua_State *L, struct question *question)
{
  question->type = CELL_CHANGES;
  cell_pack_u32(&question->payload,
                (lua_toboolean(L, 3) ? CELL_CHANGES_RESTART : 0u) |
                  (lua_toboolean(L, 4) ? CELL_CHANGES_PASS : 0u));
}

/* differences: place of the overlay in the mounts, from 1; most */
static void ask_differences(lua_State *L, struct question *question)
{
  question->type = CELL_DIFFER;
  cell_pack_u32(&question->payload, (uint32_t)lcell_check_size(L, 3) - 1);
  pack_number(L, 4, question);
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
  {"append", ask_append},
  {"changes", ask_changes},
  {"dial", ask_dial},
  {"differences", ask_differences},
  {"link", ask_link},
  {"list", ask_list},
  {"metrics", ask_metrics},
  {"mkdir", ask_mkdir},
  {"read", ask_read},
  {"remove", ask_remove},
  {"rename", ask_rename},
  {"signal", ask_signal},
  {"stat", ask_stat},
  {"touch", ask_touch},
  {"unpack", ask_unpack},
  {"write", ask_write},
  {NULL, NULL},
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

int lcell_sandbox_ask(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  const char *name = luaL_checkstring(L, 2);
  struct question question = {0};
  struct cell_error error = {0};
  uint64_t request;
  size_t size;
  void *room;
  int i;

  if (lcell_in_forked_copy(sandbox))
    return lcell_fail_forked(L, "sandbox");
  for (i = 0; operations[i].name != NULL; i++)
    if (strcmp(operations[i].name, name) == 0)
      break;
  luaL_argcheck(L, operations[i].name != NULL, 2, "unknown operation");
  lua_settop(L, 7);
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

static void push_descriptor(lua_State *L, struct cell_answer *answer,
                            uint64_t size)
{
  struct lcell_descriptor *descriptor = lcell_new_descriptor(L);

  descriptor->fd = cell_fd_take(&answer->fd);
  descriptor->size = size;
}

static void set_size(lua_State *L, const char *name, uint64_t value)
{
  lcell_push_size(L, value);
  lua_setfield(L, -2, name);
}

/* Sets `metadata` of the table on top, if there is any. */
static void set_metadata(lua_State *L, const char *bytes, size_t length)
{
  const char *name, *value, *end = bytes + length;

  if (length == 0)
    return;
  lua_newtable(L);
  while (bytes < end) {
    name = bytes;
    value = name + strlen(name) + 1;
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
    bytes = value + strlen(value) + 1;
  }
  lua_setfield(L, -2, "metadata");
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
  bytes = cell_unpack_bytes(unpacker, &length);
  set_metadata(L, (const char *)bytes, length);
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
    push_descriptor(L, answer, size);
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

/* {total, unknown, then each {path, op, size}} */
static void push_changes(lua_State *L, struct cell_unpacker *unpacker)
{
  static const char *const names[] = {"create", "write", "remove"};
  uint32_t flags = cell_unpack_u32(unpacker), change, count;
  int place = 0;
  size_t length;
  const unsigned char *path;

  lua_newtable(L);
  set_size(L, "total", cell_unpack_u32(unpacker));
  lua_pushboolean(L, (flags & CELL_CHANGED_UNKNOWN) != 0);
  lua_setfield(L, -2, "unknown");
  for (count = cell_unpack_u32(unpacker); count > 0; count--) {
    lua_createtable(L, 0, 3);
    path = cell_unpack_bytes(unpacker, &length);
    lua_pushlstring(L, (const char *)path, length);
    lua_setfield(L, -2, "path");
    change = cell_unpack_u32(unpacker);
    lua_pushstring(L, names[change <= CELL_CHANGE_REMOVE ? change : 0]);
    lua_setfield(L, -2, "op");
    set_size(L, "size", cell_unpack_u64(unpacker));
    lua_rawseti(L, -2, ++place);
  }
}

/* {lost, ended, then each {name, type}} */
static void push_events(lua_State *L, struct cell_unpacker *unpacker)
{
  static const char *const names[] = {"create", "write", "remove", "rename",
                                      "chmod"};
  uint32_t flags = cell_unpack_u32(unpacker), event, count;
  int place = 0;
  size_t length;
  const unsigned char *name;

  lua_newtable(L);
  lua_pushboolean(L, (flags & CELL_EVENTS_LOST) != 0);
  lua_setfield(L, -2, "lost");
  lua_pushboolean(L, (flags & CELL_EVENTS_ENDED) != 0);
  lua_setfield(L, -2, "ended");
  for (count = cell_unpack_u32(unpacker); count > 0; count--) {
    lua_createtable(L, 0, 2);
    name = cell_unpack_bytes(unpacker, &length);
    lua_pushlstring(L, (const char *)name, length);
    lua_setfield(L, -2, "name");
    event = cell_unpack_u32(unpacker);
    lua_pushstring(L, names[event <= CELL_EVENT_CHMOD ? event : 0]);
    lua_setfield(L, -2, "type");
    lua_rawseti(L, -2, ++place);
  }
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
  case CELL_CHANGES_ARE:
    *number = cell_unpack_u32(unpacker);
    if (*number == 0)
      push_changes(L, unpacker);
    break;
  case CELL_EVENTS:
    *number = cell_unpack_u32(unpacker);
    if (*number == 0)
      push_events(L, unpacker);
    break;
  case CELL_DONE:
    if (answer->question == CELL_DIFFER) {
      *number = lcell_push_differences(L, unpacker, answer->messages);
      break;
    }
    if (answer->messages > 1)
      push_entries(L, unpacker, answer->messages);
    *number = cell_unpack_u32(unpacker);
    if (*number == 0 && answer->messages <= 1 && answer->fd >= 0)
      push_descriptor(L, answer, 0);
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
int lcell_sandbox_answer(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_any_sandbox(L, 1);
  uint64_t request = lcell_check_size(L, 2);
  const char *what = luaL_optstring(L, 3, "sandbox");
  struct cell_answer *answer;
  struct cell_unpacker unpacker;
  struct cell_error error = {0};
  uint32_t number = 0;
  int state;

  if (sandbox == NULL)
    return lcell_failed(L, CELL_CANCELLED, 0, "%s: sandbox is closed", what);
  if (lcell_in_forked_copy(sandbox))
    return lcell_fail_forked(L, "sandbox");
  answer = lua_newuserdata(L, sizeof *answer);
  memset(answer, 0, sizeof *answer);
  answer->fd = -1;
  luaL_setmetatable(L, ANSWER);
  state = cell_sandbox_answer(sandbox, request, answer, &error);
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

int lcell_sandbox_forget(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_any_sandbox(L, 1);

  if (sandbox != NULL)
    cell_sandbox_forget(sandbox, lcell_check_size(L, 2));
  return 0;
}

void lcell_open_question(lua_State *L)
{
  luaL_newmetatable(L, ANSWER);
  lua_pushcfunction(L, answer_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
