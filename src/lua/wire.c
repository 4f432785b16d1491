/* wire.c -- frames to and from a kernel's process, as lists in Lua. */
#include "../embedded.h"
#include "core.h"

/* Parts of a frame, names and values: a kernel sends 40 formats at most. */
#define PARTS_MAX 512

void lcell_push_parts(lua_State *L, int index, struct cell_packer *packer)
{
  size_t count = lua_rawlen(L, index);
  size_t size = 0, length, i;
  const char *bytes;

  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, index, (int)i);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, index,
                  "parts are strings");
    size += 4 + lua_rawlen(L, -1);
    lua_pop(L, 1);
  }
  cell_pack_start(packer, lua_newuserdata(L, size + 1), size);
  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, index, (int)i);
    bytes = lua_tolstring(L, -1, &length);
    cell_pack_bytes(packer, bytes, length);
    lua_pop(L, 1);
  }
}

/* _send(type, id, parts): parts is a list, or a string sent as it is. */
int lcell_process_send(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  uint32_t type = (uint32_t)lcell_check_size(L, 2);
  uint64_t id = lcell_check_size(L, 3);
  struct cell_error error = {0};
  struct cell_packer packer = {0};
  const void *payload;
  size_t length;

  if (lua_type(L, 4) == LUA_TSTRING) {
    payload = lua_tolstring(L, 4, &length);
  } else {
    luaL_checktype(L, 4, LUA_TTABLE);
    lcell_push_parts(L, 4, &packer);
    payload = packer.bytes;
    length = packer.used;
  }
  return lcell_done(
    L, cell_process_send(process, type, id, payload, length, &error), &error);
}

static int is_program_of(const struct cell_embedded_kernel *kernel,
                         const char *language, size_t length)
{
  return strncmp(kernel->name, language, length) == 0 &&
         strcmp(kernel->name + length, ".boot") != 0;
}

void lcell_push_program(lua_State *L, const char *language,
                        struct cell_packer *packer)
{
  const struct cell_embedded_kernel *kernel;
  size_t length = strlen(language), size = 0;

  for (kernel = cell_embedded_kernels; kernel->name != NULL; kernel++)
    if (is_program_of(kernel, language, length))
      size += 8 + strlen(kernel->name) + kernel->size;
  cell_pack_start(packer, lua_newuserdata(L, size + 1), size);
  for (kernel = cell_embedded_kernels; kernel->name != NULL; kernel++)
    if (is_program_of(kernel, language, length)) {
      cell_pack_string(packer, kernel->name);
      cell_pack_bytes(packer, kernel->bytes, kernel->size);
    }
}

/* _send_program(language) */
int lcell_process_send_program(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  struct cell_error error = {0};
  struct cell_packer packer;

  lcell_push_program(L, luaL_checkstring(L, 2), &packer);
  return lcell_done(L,
                    cell_process_send(process, CELL_KERNEL_PROGRAM, 0,
                                      packer.bytes, packer.used, &error),
                    &error);
}

/* _receive(): type, id, {name1, value1, ...}; false; or nil, err. */
int lcell_process_receive(lua_State *L)
{
  struct cell_process *process = lcell_check_process(L);
  struct cell_error error = {0};
  struct cell_frame frame;
  struct cell_unpacker unpacker;
  int place = 0;
  int state;

  if (!cell_process_owned(process))
    return lcell_fail_forked(L, "program");
  state = cell_process_receive(process, &frame, &error);
  if (state < 0)
    return lcell_fail(L, &error);
  if (state == 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)frame.type);
  lcell_push_size(L, frame.request);
  lua_newtable(L);
  cell_unpack_start(&unpacker, frame.payload, frame.length);
  while (unpacker.used < unpacker.size && !unpacker.failed) {
    size_t length;
    const unsigned char *bytes = cell_unpack_bytes(&unpacker, &length);
    if (place == PARTS_MAX)
      return lcell_failed(L, CELL_PROTOCOL, 0, "a kernel's frame of %d parts",
                          PARTS_MAX);
    lua_pushlstring(L, (const char *)bytes, length);
    lua_rawseti(L, -2, ++place);
  }
  if (unpacker.failed || place % 2 != 0)
    return lcell_failed(L, CELL_PROTOCOL, 0, "malformed frame of a kernel");
  return 3;
}
