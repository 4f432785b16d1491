/* core.h -- what the files of the binding share.
**
** Each userdata type has one file. Its methods are a table in the module
** (core.Sandbox, ...), to which the library adds its verbs; indexing an object
** looks there first, then in the table that is its uservalue.
*/
#ifndef CELL_LUA_CORE_H
#define CELL_LUA_CORE_H

#include "../egress/policy.h"
#include "../error.h"
#include "../process/process.h"
#include "../reactor/reactor.h"
#include "../sandbox/sandbox.h"
#include "../start/stems.h"
#include "compat.h"

#include <stdint.h>

/* nil, err: the two values of a failure. */
int lcell_fail(lua_State *L, const struct cell_error *error);
/* The same from its parts, as cell_fail takes them. */
int lcell_failed(lua_State *L, enum cell_kind kind, int number,
                 const char *format, ...)
#if defined(__GNUC__)
  __attribute__((format(printf, 4, 5)))
#endif
  ;
/* true, or those two when the result is negative. */
int lcell_done(lua_State *L, int result, const struct cell_error *error);
void lcell_push_error(lua_State *L, const struct cell_error *error);

/* Make the metatable `name` from both lists, and leave the method table on the
** stack.
*/
void lcell_new_type(lua_State *L, const char *name, const luaL_Reg *methods,
                    const luaL_Reg *metamethods);
/* A zeroed userdata of that type with an empty uservalue, on the stack. */
void *lcell_new_object(lua_State *L, const char *name, size_t size);

/* A count or a size that may pass what lua_Integer can say in 5.1. */
void lcell_push_size(lua_State *L, uint64_t value);
/* A whole number from 0 to 2^53, else an error that blames the argument. */
uint64_t lcell_check_size(lua_State *L, int index);
/* Seconds as milliseconds, rounded up; at most INT64_MAX / 4. */
int64_t lcell_check_ms(lua_State *L, int index);
/* Field `name` of the table at `index`, or `otherwise` if it is nil. */
uint64_t lcell_size_field(lua_State *L, int index, const char *name,
                          uint64_t otherwise);

/* Names in Lua; users read them in messages. */
#define LCELL_REACTOR "codecell.Reactor"
#define LCELL_STEM "codecell.Stem"
#define LCELL_SANDBOX "codecell.Sandbox"
#define LCELL_PROCESS "codecell.Process"
#define LCELL_WATCHER "codecell.Watcher"
#define LCELL_DESCRIPTOR "codecell.Descriptor"
#define LCELL_BELL "codecell.Bell"
#define LCELL_POLICY "codecell.Policy"
#define LCELL_MASK "codecell.Mask"

struct cell_reactor *lcell_check_reactor(lua_State *L, int index);
struct cell_stems *lcell_check_stems(lua_State *L, int index);
/* Raises for a sandbox of another backend and for a closed one. */
struct cell_sandbox *lcell_check_sandbox(lua_State *L, int index);
/* NULL for one of another backend; a closed one as it is. */
struct cell_sandbox *lcell_any_sandbox(lua_State *L, int index);
int lcell_in_forked_copy(struct cell_sandbox *sandbox);
/* nil, err: sandbox_gone. what: "sandbox" or "program". */
int lcell_fail_forked(lua_State *L, const char *what);
/* Methods of a sandbox (question.c, answer.c). */
int lcell_sandbox_ask(lua_State *L);
int lcell_sandbox_answer(lua_State *L);
int lcell_sandbox_forget(lua_State *L);
struct lcell_descriptor {
  int fd;        /* owned; -1: closed */
  uint64_t size; /* of the whole file */
  uint64_t offset;
};
/* A closed one, on the stack: made first, so that what is opened into it has an
** owner from the start.
*/
struct lcell_descriptor *lcell_new_descriptor(lua_State *L);
/* That one at the top of the stack, or nil, err if nothing was opened. */
int lcell_opened(lua_State *L, const struct lcell_descriptor *descriptor,
                 const struct cell_error *error);
/* Borrowed; raises when closed. *size is that of the whole file. */
int lcell_check_descriptor(lua_State *L, int index, uint64_t *size);
/* The strings of the list at the top of the stack, at most `most`, NULL behind
** them, in a userdata that is pushed; the list keeps them. Blames `argument`.
*/
const char **lcell_top_strings(lua_State *L, int argument, size_t most,
                               size_t *count);
/* The strings of the list field `name` of a table, NULL-terminated; what is
** left on the stack keeps them as long as the table does.
*/
const char **lcell_check_strings(lua_State *L, int index, const char *name);
/* The list {name1, value1, ...} at `index` as the parts of a payload, in a
** userdata on the stack.
*/
void lcell_push_parts(lua_State *L, int index, struct cell_packer *packer);
/* The kernel of that language, which the bootstrap of a fresh process waits
** for: every embedded file of it as one payload, in a userdata on the stack.
*/
void lcell_push_program(lua_State *L, const char *language,
                        struct cell_packer *packer);
/* A stem of its own (stem.c); raises for a closed one. */
struct cell_stem *lcell_check_stem(lua_State *L, int index);
/* The caller's from now on; raises when closed. */
int lcell_take_descriptor(lua_State *L, int index);
/* Start a process in the sandbox at index 1 from the table at index 2. */
int lcell_process_spawn(lua_State *L);
/* Watch the directory at index 2 of the sandbox at index 1. */
int lcell_sandbox_watch(lua_State *L);
struct cell_policy *lcell_check_policy(lua_State *L, int index);
/* Methods of a sandbox (policy.c). */
int lcell_sandbox_allow(lua_State *L);
int lcell_sandbox_handed(lua_State *L);
int lcell_sandbox_hear(lua_State *L);
int lcell_sandbox_refusals(lua_State *L);
int lcell_sandbox_traffic(lua_State *L);
/* Raises for a closed one. */
struct cell_process *lcell_check_process(lua_State *L);
/* Method of a process (mask.c). */
int lcell_process_mask(lua_State *L);
/* Methods of a kernel's process (wire.c). */
int lcell_process_send(lua_State *L);
int lcell_process_send_program(lua_State *L);
int lcell_process_receive(lua_State *L);

/* Each adds its part to the module table at the top of the stack. */
void lcell_open_error(lua_State *L);
void lcell_open_reactor(lua_State *L);
void lcell_open_stem(lua_State *L);
void lcell_open_sandbox(lua_State *L);
void lcell_open_answer(lua_State *L);
void lcell_open_process(lua_State *L);
void lcell_open_watcher(lua_State *L);
void lcell_open_census(lua_State *L);
void lcell_open_descriptor(lua_State *L);
void lcell_open_mounts(lua_State *L);
void lcell_open_project(lua_State *L);
/* The messages of an answer to DIFFER, as reply.h has checked them: pushes the
** list of {path, op, type, was, mode, size, target}, with `truncated`. Returns
** the errno in them.
*/
uint32_t lcell_push_differences(lua_State *L, struct cell_unpacker *unpacker,
                                uint32_t messages);
void lcell_open_journal(lua_State *L);
void lcell_open_store(lua_State *L);
void lcell_open_tar(lua_State *L);
void lcell_open_bell(lua_State *L);
void lcell_open_base64(lua_State *L);
void lcell_open_digest(lua_State *L);
void lcell_open_policy(lua_State *L);
void lcell_open_client(lua_State *L);
void lcell_open_server(lua_State *L);
void lcell_open_mask(lua_State *L);
void lcell_open_datagram(lua_State *L);
void lcell_open_program(lua_State *L);
void lcell_open_reader(lua_State *L);
void lcell_open_terminal(lua_State *L);
void lcell_open_writer(lua_State *L);

#endif
