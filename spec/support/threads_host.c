/* threads_host.c -- a host with several Lua states in several threads.
**
** usage: threads_host MODE SCRIPT
**   threads   eight threads, each with five states one after the other
**   moved     a state made in a thread that ends, used and closed in another
**   beside    two states in one thread, one closed while the other is used
**   large     one state in a host that holds 1 GiB of touched memory
**   sealed    one state in a host that is not dumpable
** Prints what the script returned, a line a state.
*/
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static const char *script;

static lua_State *open_state(void)
{
  lua_State *L = luaL_newstate();

  luaL_openlibs(L);
  return L;
}

static void run(lua_State *L)
{
  if (luaL_loadstring(L, script) != 0 || lua_pcall(L, 0, 1, 0) != 0)
    printf("error: %s\n", lua_tostring(L, -1));
  else
    printf("%s\n", lua_tostring(L, -1));
  lua_settop(L, 0);
}

static void *live(void *unused)
{
  int i;

  (void)unused;
  for (i = 0; i < 5; i++) {
    lua_State *L = open_state();

    run(L);
    lua_close(L);
  }
  return NULL;
}

static void *open_and_run(void *state)
{
  lua_State **L = state;

  *L = open_state();
  run(*L);
  return NULL;
}

static void *run_and_close(void *state)
{
  lua_State **L = state;

  run(*L);
  lua_close(*L);
  return NULL;
}

static void in_thread(void *(*body)(void *), void *argument)
{
  pthread_t thread;

  pthread_create(&thread, NULL, body, argument);
  pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
  lua_State *first, *second;
  pthread_t threads[8];
  int i;

  if (argc != 3)
    return 2;
  script = argv[2];
  if (strcmp(argv[1], "threads") == 0) {
    for (i = 0; i < 8; i++)
      pthread_create(&threads[i], NULL, live, NULL);
    for (i = 0; i < 8; i++)
      pthread_join(threads[i], NULL);
    return 0;
  }
  if (strcmp(argv[1], "moved") == 0) {
    in_thread(open_and_run, &first);
    in_thread(run_and_close, &first);
    return 0;
  }
  if (strcmp(argv[1], "large") == 0)
    memset(malloc((size_t)1 << 30), 1, (size_t)1 << 30);
  if (strcmp(argv[1], "sealed") == 0)
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  first = open_state();
  run(first);
  if (strcmp(argv[1], "beside") == 0) {
    second = open_state();
    run(second);
    lua_close(first);
    run(second);
    first = second;
  }
  lua_close(first);
  return 0;
}
