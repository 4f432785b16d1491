/* lua_zlib.c -- require "codecell.zlib": bytes packed with gzip, and unpacked.
**
** A module of its own, so that zlib is needed by those alone who ask for it.
** A step takes a piece and gives at most OUT_MAX bytes: what a stranger has
** packed grows a thousandfold, and whoever unpacks it decides how far he goes.
*/
#define ZLIB_CONST /* what is read is not written to */
#include "../lua/compat.h"

#include <string.h>
#include <zlib.h>

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

#define PACKER "codecell.Packer"
#define OUT_MAX 65536
#define GZIP_BITS (15 + 16) /* the largest window, and the head of gzip */
#define MEMORY_LEVEL 8      /* zlib's own default */

struct packer {
  z_stream stream;
  int (*step)(z_stream *stream, int flush); /* NULL: closed */
  int (*end)(z_stream *stream);
};

EXPORT int luaopen_codecell_zlib(lua_State *L);

static int packer_close(lua_State *L)
{
  struct packer *self = luaL_checkudata(L, 1, PACKER);

  if (self->step != NULL)
    self->end(&self->stream);
  self->step = NULL;
  return 0;
}

/* step(bytes, from, is_last): what has come out, where to go on, and whether it
** is over; nil: the bytes make no sense.
*/
static int packer_step(lua_State *L)
{
  struct packer *self = luaL_checkudata(L, 1, PACKER);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  lua_Number from = luaL_checknumber(L, 3);
  int is_last = lua_toboolean(L, 4), code;
  char *out;

  luaL_argcheck(L, self->step != NULL, 1, "packer is closed");
  luaL_argcheck(L, length <= 0x40000000, 2, "too long");
  luaL_argcheck(L, from >= 0 && from <= (lua_Number)length, 3, "past the end");
  out = lua_newuserdata(L, OUT_MAX);
  self->stream.next_in = (const Bytef *)bytes + (size_t)from;
  self->stream.avail_in = (uInt)(length - (size_t)from);
  self->stream.next_out = (Bytef *)out;
  self->stream.avail_out = OUT_MAX;
  code = self->step(&self->stream, is_last ? Z_FINISH : Z_NO_FLUSH);
  if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
    return 0;
  lua_pushlstring(L, out, OUT_MAX - self->stream.avail_out);
  lua_pushnumber(L, (lua_Number)(length - self->stream.avail_in));
  lua_pushboolean(L, code == Z_STREAM_END);
  return 3;
}

/* Only the type and what is in it: zlib has nothing yet. */
static struct packer *new_packer(lua_State *L)
{
  struct packer *self = lua_newuserdata(L, sizeof *self);

  memset(self, 0, sizeof *self);
  luaL_getmetatable(L, PACKER);
  lua_setmetatable(L, -2);
  return self;
}

static int pack(lua_State *L)
{
  struct packer *self = new_packer(L);

  if (deflateInit2(&self->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS,
                   MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
    return 0;
  self->step = deflate;
  self->end = deflateEnd;
  return 1;
}

static int unpack(lua_State *L)
{
  struct packer *self = new_packer(L);

  if (inflateInit2(&self->stream, GZIP_BITS) != Z_OK)
    return 0;
  self->step = inflate;
  self->end = inflateEnd;
  return 1;
}

static const luaL_Reg methods[] = {
  {"close", packer_close},
  {"step", packer_step},
  {NULL, NULL},
};

static void set_functions(lua_State *L, const luaL_Reg *list)
{
  for (; list->name != NULL; list++) {
    lua_pushcfunction(L, list->func);
    lua_setfield(L, -2, list->name);
  }
}

/* pack() and unpack() make a packer; nil: there is no memory for it. */
int luaopen_codecell_zlib(lua_State *L)
{
  static const luaL_Reg functions[] = {
    {"pack", pack},
    {"unpack", unpack},
    {NULL, NULL},
  };

  if (luaL_newmetatable(L, PACKER)) {
    lua_newtable(L);
    set_functions(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, packer_close);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  lua_newtable(L);
  set_functions(L, functions);
  return 1;
}
