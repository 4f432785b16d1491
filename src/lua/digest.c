/* digest.c -- codecell.Digest: a checksum of bytes that come in pieces. */
#include "../bytes/digest.h"
#include "core.h"

#define DIGEST "codecell.Digest"

/* digest(name): "sha256", "sha512", "sha1". */
static int digest_new(lua_State *L)
{
  static const char *const names[] = {"sha1", "sha256", "sha512", NULL};
  static const enum cell_digest_kind kinds[] = {CELL_SHA1, CELL_SHA256,
                                                CELL_SHA512};
  int kind = luaL_checkoption(L, 1, NULL, names);

  cell_digest_start(lcell_new_object(L, DIGEST, sizeof(struct cell_digest)),
                    kinds[kind]);
  return 1;
}

/* update(bytes): the digest itself. */
static int digest_update(lua_State *L)
{
  struct cell_digest *digest = luaL_checkudata(L, 1, DIGEST);
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);

  cell_digest_update(digest, bytes, size);
  lua_settop(L, 1);
  return 1;
}

/* finish(): hexadecimal digits of all so far, which may go on. */
static int digest_finish(lua_State *L)
{
  static const char digits[] = "0123456789abcdef";
  struct cell_digest digest =
    *(struct cell_digest *)luaL_checkudata(L, 1, DIGEST);
  unsigned char result[CELL_DIGEST_MAX];
  char text[2 * CELL_DIGEST_MAX];
  size_t size = cell_digest_finish(&digest, result), i;

  for (i = 0; i < size; i++) {
    text[2 * i] = digits[result[i] >> 4];
    text[2 * i + 1] = digits[result[i] & 15];
  }
  lua_pushlstring(L, text, 2 * size);
  return 1;
}

static const luaL_Reg methods[] = {
  {"finish", digest_finish},
  {"update", digest_update},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {NULL, NULL},
};

void lcell_open_digest(lua_State *L)
{
  lua_pushcfunction(L, digest_new);
  lua_setfield(L, -2, "digest");
  lcell_new_type(L, DIGEST, methods, metamethods);
  lua_setfield(L, -2, "Digest");
}
