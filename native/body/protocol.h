/*
 * The protocol between the body and the brain, over one AF_UNIX SOCK_SEQPACKET socket: one message is one packet.
 *
 * The brain sends requests and the body sends facts. Both have numbers that grow by one. A request whose number is not
 * larger than the last one is ignored, so that none is done twice. A fact is kept until the brain has acknowledged its
 * number. Integers are in the byte order of the machine, since both ends run on it.
 *
 * src/runtime/linux/body-protocol.ts is the other end, and test/runtime/linux/body.test.ts holds the two together.
 */
#pragma once

#include <stdint.h>

enum { PROTOCOL_VERSION = 1 };
/* The most bytes of a packet. A request that is larger comes in a memory file, as the first descriptor. */
enum { PACKET_BYTES = 32 * 1024 };
/* SCM_RIGHTS takes 253; one of them may be the memory file. */
enum { DESCRIPTORS_AT_MOST = 252 };

enum request_type {
  /* The brain listens from now on. body: struct hello */
  REQUEST_HELLO = 1,
  /* body: struct spawn_request and what follows it */
  REQUEST_SPAWN = 2,
  /* Signals processes or groups. body: struct signal_request, then `count` struct target */
  REQUEST_SIGNAL = 3,
  /* Signals every process but the body and the brain. body: struct signal_request without targets */
  REQUEST_SIGNAL_ALL = 4,
  /* All facts up to this number are dealt with. body: uint64_t */
  REQUEST_ACKNOWLEDGE = 5,
  /* How long a stop may take from its signal on. body: uint32_t, ms */
  REQUEST_BUDGET = 6,
  /* The brain ends next, and this is the exit status of the container. body: uint32_t */
  REQUEST_END = 7,
  /* Asks for a FACT_ALONE as soon as no process is left but the brain. No body. */
  REQUEST_WATCH_ALONE = 8,
  /* A child that is still on its way to its program is killed: its spawn fails with ECANCELED. body: uint64_t, the spawn */
  REQUEST_CANCEL = 9,
};

enum fact_type {
  /* The first fact. body: struct welcome */
  FACT_WELCOME = 1,
  /* A signal was sent to the body. body: uint32_t number */
  FACT_SIGNAL = 2,
  /* The program of a spawn request runs. body: struct spawned */
  FACT_SPAWNED = 3,
  /* body: struct spawn_failed */
  FACT_SPAWN_FAILED = 4,
  /* What one look has reaped. body: `count` struct exit_record */
  FACT_EXITS = 5,
  /* No process is left but the brain: as soon as that is so after it was asked for. No body. */
  FACT_ALONE = 6,
  /* What came of a signal request. body: struct signalled, then `count` int32_t errno, 0 where the signal was sent */
  FACT_SIGNALLED = 7,
};

struct header {
  uint64_t number;
  uint32_t type;
  uint32_t count;
};

struct hello {
  uint32_t version;
  /* ms, as in REQUEST_BUDGET */
  uint32_t budget;
  /* 1: the first descriptor is the reading end of the pipe that the brain's stderr was made. */
  uint32_t words;
  uint32_t unused;
};

struct welcome {
  int32_t pid;
  uint32_t version;
  /* Where the body is not PID 1: the errno with which the kernel has refused to pass orphans to it, or 0. */
  int32_t subreaper_error;
  /* How many spawns may be without a verdict at once. The body reads everything that comes; too many spawns fail. */
  uint32_t spawns_at_once;
};

enum spawn_flag {
  /* Descriptor 0 is a terminal, whose foreground group becomes the new process's. */
  SPAWN_TERMINAL = 1,
  SPAWN_DIRECTORY = 2,
  /* The rest of the request is in the memory file that comes as the first descriptor. */
  SPAWN_IN_MEMORY = 4,
};

enum spawn_group { SPAWN_SESSION = 0, SPAWN_OWN_GROUP = 1, SPAWN_SAME_GROUP = 2 };

/*
 * After it follow, without gaps: `step_count` struct step, `group_count` uint32_t, `descriptor_count` struct descriptor_map,
 * and NUL-terminated strings: file, directory (only with SPAWN_DIRECTORY), `argument_count` arguments, `variable_count`
 * variables, `pid_variable_count` names of variables that are set to the new process's own pid.
 */
struct spawn_request {
  uint32_t flags;
  uint32_t group;
  uint32_t step_count;
  uint32_t group_count;
  uint32_t descriptor_count;
  uint32_t argument_count;
  uint32_t variable_count;
  uint32_t pid_variable_count;
  /*
   * So many of the descriptors, the last ones, are reading ends of the process's pipes: the process does not get them, and the
   * body keeps them open until the process has ended.
   */
  uint32_t kept_count;
  /* With which the body asks the process to end where the brain cannot; 0 is SIGTERM. */
  uint32_t stop_signal;
};

/* What a child does before its program, in the order of the request. Numbers are in `first` where nothing else is said. */
enum step_kind {
  /* `which`: the resource of setrlimit(2); `first` and `second`: the soft and the hard limit, ~0 for none. */
  STEP_LIMIT = 0,
  STEP_NICE = 1,
  STEP_OOM_SCORE = 2,
  /* `first`: the bits of 64 processors from `which` * 64 on. The last step of this kind has a `second`, and sets them. */
  STEP_PROCESSORS = 3,
  /* A mask of capabilities(7): all others leave the bounding set. */
  STEP_BOUNDING = 4,
  /* The `group_count` supplementary groups. */
  STEP_GROUPS = 5,
  STEP_GID = 6,
  /* With `which` capabilities outlast the change of account. */
  STEP_UID = 7,
  /* A mask: the permitted, effective, inheritable and ambient capabilities. */
  STEP_CAPABILITIES = 8,
  STEP_NO_NEW_PRIVILEGES = 9,
  STEP_UMASK = 10,
};

struct step {
  uint32_t kind;
  uint32_t which;
  uint64_t first;
  uint64_t second;
};

/* `source`: an index into the descriptors that came with the request, or -1, -2, -3 for the body's own 0, 1, 2. */
struct descriptor_map {
  int32_t target;
  int32_t source;
};

struct signal_request {
  int32_t signal;
  uint32_t unused;
};

/* `spawn`: the request that has started the process; 0 where another process is meant. */
struct target {
  uint64_t spawn;
  int32_t pid;
  /* 1: the process group of that number. */
  uint32_t group;
};

struct spawned {
  uint64_t request;
  int32_t pid;
  uint32_t unused;
};

/* In the order of the stages of a spawn; src/runtime/linux/body-protocol.ts names them. */
enum stage {
  STAGE_PIPE,
  STAGE_CLONE,
  STAGE_GROUP,
  STAGE_TERMINAL,
  STAGE_STDIO,
  STAGE_DIRECTORY,
  STAGE_EXEC,
  /* From here on: the step with this number less STAGE_STEPS. */
  STAGE_STEPS = 256,
};

struct spawn_failed {
  uint64_t request;
  int32_t error;
  uint32_t stage;
};

struct signalled {
  uint64_t request;
};

/* Times in microseconds, sizes in KiB. */
struct exit_record {
  /* The request that has started the process; 0 for an orphan. */
  uint64_t spawn;
  int32_t pid;
  /* As wait(2) encodes it. */
  int32_t status;
  uint64_t user_time;
  uint64_t system_time;
  uint64_t max_rss;
};

_Static_assert(sizeof(struct header) == 16, "the other end reads it");
_Static_assert(sizeof(struct spawn_request) == 40, "the other end writes it");
_Static_assert(sizeof(struct exit_record) == 40, "the other end reads it");
