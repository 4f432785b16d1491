/* question.c -- questions to a warden, in Lua.
**
** They are asked and answered separately, so that waiting between them is the
** library's business.
*/
#include "core.h"

#include <string.h>

#define SMALL_PAYLOAD (2u * CELL_PATH_MAX + CELL_METADATA_MAX + 64u)

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

/* listen: at any port of 127.0.0.1 that is free */
static void ask_listen(lua_State *L, struct question *question)
{
  (void)L;
  question->type = CELL_LISTEN;
  cell_pack_u32(&question->payload, 0);
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
  {"append", ask_append}, {"changes", ask_changes},
  {"dial", ask_dial},     {"differences", ask_differences},
  {"link", ask_link},     {"list", ask_list},
  {"listen", ask_listen}, {"metrics", ask_metrics},
  {"mkdir", ask_mkdir},   {"read", ask_read},
  {"remove", ask_remove}, {"rename", ask_rename},
  {"signal", ask_signal}, {"stat", ask_stat},
  {"touch", ask_touch},   {"unpack", ask_unpack},
  {"write", ask_write},   {NULL, NULL},
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

int lcell_sandbox_forget(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_any_sandbox(L, 1);

  if (sandbox != NULL)
    cell_sandbox_forget(sandbox, lcell_check_size(L, 2));
  return 0;
}
