/* session.h -- a session: a fork of a zygote that has entered a sandbox. What
** is said about it between the warden that asks for it, the stem that passes
** this on, the zygote that forks, and the session.
**
** warden -> stem -> zygote: an order. zygote -> stem: a word. session -> warden
** and stem -> warden, on a socket that the order brings: reports.
*/
#ifndef CELL_SESSION_H
#define CELL_SESSION_H

#include <stdint.h>

/* Descriptors of a zygote besides 0 to 2: the program and what it rehearses,
** as the wire of a kernel has it; its answers, which nobody reads; its stem.
*/
#define SESSION_WIRE 3
#define SESSION_ANSWERS 4
#define SESSION_STEM 5
/* Where its library is, and the variable that says: the next fork serves. */
#define SESSION_LIBRARY "/run/fork.so"
#define SESSION_SEAL "CODECELL_SEALED"

/* Descriptors of an order, in this order. Namespaces are entered as they stand
** here: in that of the users a session may enter the others.
*/
enum session_descriptor {
  SESSION_USER,
  SESSION_CGROUP,
  SESSION_IPC,
  SESSION_UTS,
  SESSION_NETWORK,
  SESSION_MOUNT,
  SESSION_PID,
  SESSION_STDOUT, /* these four become 1 to 4 */
  SESSION_STDERR,
  SESSION_TO_READ,
  SESSION_TO_WRITE,
  SESSION_REPORT,
  SESSION_FIXED, /* then the ruleset of Landlock, if there is one, then, from
                 ** the stem, the files that lead into control groups */
  SESSION_NAMESPACES = SESSION_STDOUT
};

struct session_order {
  uint64_t memory;
  uint32_t processes; /* 0: its group bounds them */
  uint32_t files;
  uint32_t has_ruleset;
  char cwd[4096];
};

/* First, with pid 0: it is sealed, or number says that it could not be, and
** text why. Then one for each order, in their order.
*/
struct session_word {
  int32_t pid;
  int32_t number; /* errno, or 0 */
  char text[248]; /* stage, or why */
};

enum session_news {
  SESSION_STARTED, /* by itself, before any code of a user */
  SESSION_FAILED,  /* number and stage say why; it is the last report */
  SESSION_ENDED    /* by the stem, last */
};

struct session_report {
  uint32_t news;
  int32_t number;
  char stage[16];
  uint32_t seen;  /* its own number in the sandbox */
  int32_t status; /* as waitpid has it */
  uint64_t cpu_us;
  uint64_t memory_peak; /* bytes */
};

#endif
