/* answer.c -- what a warden answers to questions, in Lua. */
#include "../descriptor.h"
#include "core.h"

#include <string.h>

#define ANSWER "codecell.Answer"

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

void lcell_open_answer(lua_State *L)
{
  luaL_newmetatable(L, ANSWER);
  lua_pushcfunction(L, answer_collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}
