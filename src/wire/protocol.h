/* protocol.h -- what host, stem and warden say to each other.
**
** Every message is one frame (frame.h) in one SOCK_SEQPACKET message, at most
** CELL_MESSAGE_MAX of payload, its values packed as pack.h does in the order
** given here. `[fd]` are descriptors passed by SCM_RIGHTS with the message.
** Host, stem and warden are always of one build, so there is no version.
** The host trusts no byte and no descriptor that comes from a warden.
**
** An answer has the request number of its question. errno 0 means success;
** with another errno the rest of the payload may be missing.
*/
#ifndef CELL_PROTOCOL_H
#define CELL_PROTOCOL_H

/* The channel is this descriptor in the stem and in every warden. */
#define CELL_CHANNEL 3

/* Shape of the sandbox that host and warden agree on. */
#define CELL_ID_SIZE 22 /* "i", 20 of [a-z0-9], NUL */
#define CELL_HOME "/home/user"
#define CELL_INSIDE_UID 1000
/* Also the gid: who the code of a root host is outside. */
#define CELL_PLAIN_UID 200000
#define CELL_BINDS_MAX 64 /* of one SETUP */
#define CELL_MOUNTS_MAX 16
#define CELL_FOLDERS_MAX 32     /* of all mounts of a sandbox */
#define CELL_MOUNT_PATH_MAX 256 /* inside, with its NUL */
#define CELL_FILE_INLINE_MAX 65536u
#define CELL_ANSWER_MAX 33554432u /* bytes, of all messages of an answer */
#define CELL_PATH_MAX 4096
#define CELL_METADATA_MAX 4096 /* bytes, of one file */
#define CELL_CHANGES_MAX 1000  /* told of one cell */
#define CELL_WATCHERS_MAX 64   /* of one sandbox */
#define CELL_GATEWAY_PORTS_MAX 64
#define CELL_GATEWAY_RANGES_MAX 64
#define CELL_ASKED_MOST 32
#define CELL_PROXY_PORT 1008 /* below 1024: the code cannot take it */

enum cell_message {
  /* ---- host to stem ---- */
  /* First message. u32 flags (enum cell_setup_flag), string root (an absolute
  ** host path: a folder that holds the programs of all its sandboxes; "": the
  ** host's own), u32 count, then per bind: string absolute host path, bound
  ** read-only at the same path (interpreters outside /usr). */
  CELL_STEM_SETUP = 1,
  /* request: number of the sandbox, never reused.
  ** string id, u64 memory, u32 processes, u32 cpu_milli (0: all), u32 count of
  ** mounts, each: u32 enum cell_mount_mode, u32 flags (enum cell_mount_flag),
  ** string path inside, u32 count of folders of the host (more than one for an
  ** overlay alone, the first on top), each: string path, u64 device, u64 inode
  ** [channel: the warden's end] */
  CELL_STEM_CREATE,
  /* u32: 1 stay although there is no sandbox (pool, check); 0 end by yourself
  ** one second after the last one */
  CELL_STEM_KEEP,
  /* Right after SETUP with CELL_SETUP_SEEDED. Of the interpreter that sessions
  ** are forked from: u64 memory that it may have, as they may, u32 count +
  ** strings argv, u32 count + strings environment, each with its NUL  [its
  ** wire, to be read] [the library loaded ahead] */
  CELL_STEM_SEED,

  /* ---- stem to host ---- */
  /* Prepared, or not: u32 errno, string stage, string detail.
  ** After an error the stem ends. */
  CELL_STEM_READY = 32,
  /* request: of CREATE. u32 errno, string stage, string detail
  ** [pidfd of the warden] */
  CELL_STEM_CREATED,
  /* request: of CREATE. The warden was reaped and its cgroup removed: nothing
  ** of the sandbox is left. u32 wait status, u32 oom kills seen,
  ** u64 peak of memory (0: unknown) */
  CELL_STEM_ENDED,

  /* The zygote is sealed, and sessions can be had; or u32 errno, string why
  ** there are none, or none any more */
  CELL_STEM_ZYGOTE,

  /* ---- host to warden ---- */
  /* First message, request 0; answered by HELLO or FAILED.
  ** u64 milliseconds to the deadline, u32 uid inside (1000, or 0: root view),
  ** u64 memory, u64 disk, u32 processes, u32 files,
  ** u32 1: the home cannot be written to,
  ** u32 network (enum cell_network); unless it is NONE: u32 count of ports to
  ** listen on (at most CELL_GATEWAY_PORTS_MAX), u32 each; u32 count of ranges
  ** of addresses that are to be reached (at most CELL_GATEWAY_RANGES_MAX), each
  ** 16 bytes, IPv4 mapped into IPv6, and u32 how many bits of them count */
  CELL_CONFIGURE = 64,
  /* u32 kind (enum cell_spawn_kind), u32 flags (enum cell_spawn_flag),
  ** u32 rows, u32 columns, string cwd ("": home), u32 count + strings argv,
  ** u32 count + strings environment ("NAME=value", complete)
  ** argv[0] without a slash is looked up on the PATH of that environment.
  ** COMMAND: [stdin, if CELL_SPAWN_STDIN] [stdout] [stderr]; else /dev/null
  ** KERNEL:  the same, then its wire: [to read] and [to write], two pipes that
  **          become descriptors 3 and 4
  ** TERMINAL: none */
  CELL_SPAWN,
  /* u64 request of the SPAWN (0: everything that the code started),
  ** u32 signal, u32 scope (enum cell_signal_scope). Answer: DONE; ESRCH when
  ** it has ended. */
  CELL_SIGNAL,
  /* u64 request of a TERMINAL's SPAWN, u32 rows, u32 columns. Answer: DONE */
  CELL_RESIZE,
  /* u64 milliseconds from now, u32 enum cell_deadline. Answer: DONE */
  CELL_DEADLINE,
  /* Answer: METRICS_ARE */
  CELL_METRICS,
  /* u32 port. Connect to 127.0.0.1:port, else [::1]:port, inside.
  ** Answer: DONE [connected socket] */
  CELL_DIAL,
  /* Files. A path is relative to CELL_HOME unless absolute; "~" and "~/..."
  ** mean CELL_HOME. Resolved by the warden inside, always.
  **
  ** string path, u32 follow (0: describe a link itself). Answer: ENTRY */
  CELL_FILE_STAT,
  /* string path, u32 depth (1: its own entries), u32 most.
  ** Answer: any number of ENTRIES, then DONE; E2BIG past `most` */
  CELL_FILE_LIST,
  /* string path, u64 offset, u64 length (UINT64_MAX: to the end).
  ** Only regular files: EISDIR, EINVAL else. Answer: CONTENT */
  CELL_FILE_READ,
  /* string path, u32 mode (0: keep, or 0644 for a new one), u32 flags
  ** (enum cell_write_flag), u64 length, bytes inline (empty with [source]),
  ** bytes metadata (as in an entry; nothing with CELL_WRITE_APPEND)
  ** Makes missing parents. Replaces content and metadata, keeps the inode.
  ** [source: readable from its offset 0, `length` bytes of it are copied]
  ** Answer: ENTRY of the file */
  CELL_FILE_WRITE,
  /* string path, u32 mode. With parents. Answer: DONE; EEXIST if it is there
  ** as a directory, ENOTDIR if something else is */
  CELL_FILE_MKDIR,
  /* string path. Recursive, never follows a link. Answer: DONE */
  CELL_FILE_REMOVE,
  /* string old, string new. Makes parents of new. Answer: ENTRY of new */
  CELL_FILE_RENAME,
  /* string path, string target. Makes parents. Answer: DONE */
  CELL_FILE_LINK,
  /* string path, u32 permission bits (of no link), u64 modified (nanoseconds
  ** since 1970; UINT64_MAX: leave that). Answer: DONE */
  CELL_FILE_TOUCH,
  /* string path of a directory (made with its parents), u64 length
  ** [source: a tar stream, readable from its offset 0, `length` bytes of it].
  ** Its members replace what is there; no link is followed. Answer: DONE;
  ** EPROTO when it is no such stream */
  CELL_FILE_UNPACK,
  /* u32 flags (enum cell_changes_flag). What is different below CELL_HOME from
  ** how it was at the last such question. Answer: CHANGES_ARE */
  CELL_CHANGES,
  /* string path of a directory, u32 1 for what lies below it too. Answer: DONE;
  ** EAGAIN: CELL_WATCHERS_MAX there are; E2BIG: too many directories; EUSERS:
  ** the kernel gives no more */
  CELL_WATCH,
  /* u64 request of a WATCH. Answer, once there is something: EVENTS; ESRCH when
  ** there is no such watch, EBUSY when such a question waits, ECANCELED when
  ** the watch is ended by UNWATCH */
  CELL_WATCH_NEXT,
  /* u64 request of a WATCH. Answer: DONE; ESRCH */
  CELL_UNWATCH,
  /* u32 port, 1024 or more. Listen on it as on those of CONFIGURE, where there
  ** is a network; 0: on any that is free, of 127.0.0.1 alone, whatever network
  ** there is. Answer: DONE [socket]; EADDRINUSE when the code has it */
  CELL_LISTEN,
  /* u32 count: so many names more may be told by ASKED. No answer. */
  CELL_ASK_ON,
  /* u32 place of an overlay in the mounts of CREATE, u32 most. What in it is
  ** different from what lies under it now, by path. Answer: any number of
  ** DIFFERENCES, then DONE; E2BIG when that was not all */
  CELL_DIFFER,
  /* End now. No answer. */
  CELL_GOODBYE,

  /* ---- warden to host ---- */
  /* Ready. Per limit memory, processes, cpu, disk, files: u32 mechanism
  ** (enum cell_mechanism); u32 Landlock ABI (0: none);
  ** u32 groups kept from outside */
  CELL_HELLO = 128,
  /* Before HELLO, where there is a network: u32 enum cell_socket_kind, u32 port
  ** [socket, bound inside] */
  CELL_SOCKET,
  /* u32 errno, string stage. The warden ends. */
  CELL_FAILED,
  /* u32 errno, string stage ("program", "cwd", "limits", ...), u32 pid as the
  ** code sees it  [TERMINAL: the master] */
  CELL_SPAWNED,
  /* request: of the SPAWN, after SPAWNED. u32 wait status, u32 1 if it was
  ** killed for memory, u64 CPU microseconds, u64 peak of memory in bytes */
  CELL_EXITED,
  /* u32 errno */
  CELL_DONE,
  /* u32 errno, then one entry */
  CELL_ENTRY,
  /* u32 count, then so many entries. An entry:
  ** string path (relative to what was asked; "" for itself), u32 type
  ** (enum cell_entry_type), u32 permission bits, u64 size,
  ** u64 modified (nanoseconds since 1970), u32 uid, u32 gid,
  ** string target of a link, bytes metadata ("name" NUL "value" NUL ..., at
  ** most CELL_METADATA_MAX of printable characters) */
  CELL_ENTRIES,
  /* u32 errno, u64 size of the file, u32 1 if [fd] follows (opened for
  ** reading; the host reads offset and length from it), bytes inline */
  CELL_CONTENT,
  /* u64 CPU microseconds, u32 processes, u32 most processes, u64 memory now,
  ** u64 most memory, u64 disk used, u64 disk total */
  CELL_METRICS_ARE,
  /* u32 errno, u32 flags (enum cell_changed_flag), u32 changes in all,
  ** u32 count (at most CELL_CHANGES_MAX), then so many, by path: string path
  ** below CELL_HOME, u32 enum cell_change, u64 size. Directories are not told.
  ** [an inotify instance, with CELL_CHANGED_PASSED: readable when something
  ** may have changed; only for ioctl FIONREAD] */
  CELL_CHANGES_ARE,
  /* u32 errno, u32 flags (enum cell_events_flag), u32 count, then so many:
  ** string name, relative to the watched directory, u32 enum cell_event */
  CELL_EVENTS,
  /* string name, as name.h reads it. The code of a sandbox without a network
  ** has asked for its address, and was told that there is none. Unasked for:
  ** CELL_ASKED_MOST of them, and what ASK_ON adds. */
  CELL_ASKED,
  /* u32 count, then so many: string path below the overlay, u32 enum
  ** cell_difference, u32 type now and u32 type before (enum cell_entry_type),
  ** u32 permission bits (without set-user-ID and its like), u64 size, of what
  ** there is now or was before; string target of a link */
  CELL_DIFFERENCES,
  /* No payload. The deadline has come, of the kind that pauses: everything that
  ** the code has started was stopped, and nothing is started (ETIME, stage
  ** "deadline") until SIGNAL sends SIGCONT to everything. */
  CELL_PAUSED
};

enum cell_deadline { CELL_DEADLINE_ENDS, CELL_DEADLINE_PAUSES };

enum cell_setup_flag {
  CELL_SETUP_MOUNTS = 1, /* keep what they need: the host's view, its rights */
  CELL_SETUP_SEEDED = 2, /* keep a zygote: SEED comes next */
  CELL_SETUP_GPU = 4     /* show those of the host; ENODEV, "gpu": none */
};
enum cell_mount_mode {
  CELL_MOUNT_READ,
  CELL_MOUNT_WRITE,  /* the folder itself */
  CELL_MOUNT_OVERLAY /* what is written stays in the sandbox's store */
};
enum cell_mount_flag {
  CELL_MOUNT_SOCKETS = 1 /* sockets and pipes in the folder are meant */
};
enum cell_network { CELL_NETWORK_NONE, CELL_NETWORK_NAMED, CELL_NETWORK_OPEN };
enum cell_socket_kind {
  CELL_SOCKET_NAMES,        /* UDP, port 53 */
  CELL_SOCKET_NAMES_STREAM, /* listens there */
  CELL_SOCKET_PROXY,        /* listens on 127.0.0.1, CELL_PROXY_PORT */
  CELL_SOCKET_PORT          /* listens on every address */
};
enum cell_spawn_kind { CELL_COMMAND, CELL_KERNEL, CELL_TERMINAL };
enum cell_spawn_flag {
  CELL_SPAWN_STDIN = 1,
  /* A KERNEL that is a fork of the stem's zygote: argv and environment are not
  ** looked at. Only as the first SPAWN of all; else ENOTCONN */
  CELL_SPAWN_FORK = 2
};
enum cell_signal_scope {
  CELL_SCOPE_PROCESS, /* the process itself */
  CELL_SCOPE_GROUP    /* its whole session's first group */
};
enum cell_changes_flag {
  CELL_CHANGES_RESTART = 1, /* count from now on, and tell nothing */
  CELL_CHANGES_PASS = 2     /* pass the inotify instance */
};
enum cell_changed_flag {
  CELL_CHANGED_PASSED = 1,
  CELL_CHANGED_UNKNOWN = 2,  /* more files than are kept: not all is told */
  CELL_CHANGED_UNWATCHED = 4 /* no inotify instance, or not any more */
};
enum cell_change { CELL_CHANGE_CREATE, CELL_CHANGE_WRITE, CELL_CHANGE_REMOVE };
enum cell_events_flag {
  CELL_EVENTS_LOST = 1, /* some before these */
  CELL_EVENTS_ENDED = 2 /* the directory is gone: these are the last */
};
enum cell_event {
  CELL_EVENT_CREATE,
  CELL_EVENT_WRITE,
  CELL_EVENT_REMOVE,
  CELL_EVENT_RENAME, /* away from this name; CREATE tells the new one */
  CELL_EVENT_CHMOD
};
enum cell_write_flag {
  CELL_WRITE_EXCLUSIVE = 1, /* EEXIST if it is there */
  CELL_WRITE_APPEND = 2     /* to a file that is there, after what it has */
};
enum cell_entry_type {
  CELL_ENTRY_FILE,
  CELL_ENTRY_DIRECTORY,
  CELL_ENTRY_LINK,
  CELL_ENTRY_OTHER,
  CELL_ENTRY_NONE /* of a difference: there is nothing, or was nothing */
};
enum cell_difference {
  CELL_DIFFERENCE_CREATE,
  CELL_DIFFERENCE_WRITE,
  CELL_DIFFERENCE_REMOVE,
  CELL_DIFFERENCE_CHMOD
};
enum cell_mechanism {
  CELL_BY_NONE,
  CELL_BY_CGROUP2,
  CELL_BY_CGROUP1,
  CELL_BY_RLIMIT,
  CELL_BY_WATCHDOG,
  CELL_BY_TMPFS
};

/* How a warden ends by its own decision (exit status of PID 1). */
enum cell_warden_exit {
  CELL_EXIT_GOODBYE = 0,  /* asked to, or the host is gone */
  CELL_EXIT_DEADLINE = 3, /* its time was up */
  CELL_EXIT_FAILED = 4,   /* could not prepare; said so in FAILED */
  CELL_EXIT_REAPER = 5    /* the reaper died: no process can start any more */
};

/* ---- kernels: frames on two pipes, request random per cell ----
**
** A kernel reads descriptor 3 and writes 4, or /dev/fd/3 and /dev/fd/4 where it
** can use no descriptor that it has inherited. A socket for both would wake it,
** as it waits to read, each time that we take an answer: that makes room.
**
** Payloads are parts: repeated (string name, bytes value), as pack.h has it.
*/
enum cell_kernel_message {
  /* host to kernel */
  CELL_KERNEL_PROGRAM = 1,  /* what the bootstrap runs; before everything */
  CELL_KERNEL_EXECUTE = 2,  /* code, and if given: stdin, and env (each
                            ** "NAME=value", set for this cell alone), and
                            ** final = "1": the code may say FINAL */
  CELL_KERNEL_ENV = 3,      /* env parts that stay from now on */
  CELL_KERNEL_REHEARSE = 4, /* as EXECUTE; then all is as before the first
                            ** cell, but for what is loaded by now */
  CELL_KERNEL_FORK = 5, /* role ("wait" or "branch"), path of a socket, other
                        ** (decimal process number of the other one). To a new
                        ** kernel: wait there; DONE once it does. Then to the
                        ** one to be copied: go there, and DONE; the copy
                        ** answers in the place of the first: DONE with pid.
                        ** ERROR, name "unsupported": it cannot be copied */
  CELL_KERNEL_SEAL = 6, /* to a zygote: cell (each a rehearsal, in its order);
                        ** then it serves its stem. Its copies go on with the
                        ** wires that they are given, and say READY */
  CELL_KERNEL_COMPLETE = 7, /* code up to the cursor. RESULT with text: names
                            ** with "\n" between; DONE. Python alone */
  /* kernel to host */
  CELL_KERNEL_READY = 16,  /* request 0. version, ... */
  CELL_KERNEL_RESULT = 17, /* one display or value: a part per MIME name
                           ** ("text", "png", "json", ... ; any other name is
                           ** a MIME type for `extra`), and "main" = "1" for
                           ** the value of the last expression.
                           ** json, data, chart are JSON text; png, jpeg, pdf
                           ** raw bytes; the rest is UTF-8 text */
  CELL_KERNEL_ERROR = 18,  /* name, value, traceback, line (decimal) */
  CELL_KERNEL_DONE = 19,   /* execution_count (decimal), ...; everything that
                           ** the cell printed is in the pipes by now */
  CELL_KERNEL_FINAL = 20   /* json: what the code has given as its final
                           ** answer; the last one of a cell counts */
};

#endif
