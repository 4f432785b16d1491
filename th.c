#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <lua.h>
#include <lualib.h>
#include <lauxlib.h>
static volatile int chld;
static void h(int s){(void)s; chld++;}
static const char *code =
"local c=require'codecell'\n"
"for i=1,6 do local s,e=c.create{network=(i%2==0) and {allow={'a.test'}} or nil}; assert(s,tostring(e)); local r=assert(s:run_code('1+'..i)); assert(r.text==tostring(1+i)); s.commands:run('true');\n"
" local _,e=c.connect('nope',{backend='e2b',api_key='e2b_0000',api_url='http://127.0.0.1:9'}); assert(e.kind=='unavailable', tostring(e)); if i%3~=0 then s:close() end end\n";
static void *run(void *a){ (void)a; for(int i=0;i<2;i++){ lua_State *L=luaL_newstate(); luaL_openlibs(L); if(luaL_dostring(L,code)){ printf("ERR %s\n", lua_tostring(L,-1)); } lua_close(L);} return 0;}
static void *forker(void *a){ for(int i=0;i<200;i++){ pid_t p=fork(); if(p==0){ usleep(1000); _exit(i&7);} int st; if(waitpid(p,&st,0)!=p) printf("lost child\n"); else if(WEXITSTATUS(st)!=(i&7)) printf("bad status\n"); usleep(3000);} return a;}
int main(void){ signal(SIGCHLD,h); pthread_t t[5]; for(int i=0;i<4;i++) pthread_create(&t[i],0,run,0); pthread_create(&t[4],0,forker,0); for(int i=0;i<5;i++) pthread_join(t[i],0); printf("done sigchld %d\n",chld); system("ls /proc/$PPID/fd | wc -l; ls /proc/$PPID/task | wc -l; cat /proc/$PPID/task/*/children | wc -w"); return 0;}
