/*
 * edge: the few system calls that Node lacks, for src/runtime/native.ts. Each function is one man page.
 *
 * The one with a story is spawn. Between clone(2) and execve(2) the child shares the supervisor's memory (CLONE_VM)
 * while the calling thread stands still (CLONE_VFORK) and every other thread of Node runs on. So the child allocates
 * nothing, takes no lock, writes to nothing but its own stack and errno, and talks to the kernel through syscall(2):
 * glibc's setuid(3) and its kin would broadcast to threads that are not the child's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAPI_VERSION 8
#include <node_api.h>
#include <uv.h>

/* The raw calls below (rusage, rlimit, 32-bit ids) have the layout of the 64-bit system call interface. */
_Static_assert(sizeof(long) == 8, "edge.c needs a 64-bit Linux");

/* Older C libraries lack the numbers, newer kernels have the calls. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
#ifndef PR_SET_CHILD_SUBREAPER
#define PR_SET_CHILD_SUBREAPER 36
#endif

#define SIGNAL_COUNT 64
/* What the kernel calls sizeof(sigset_t); the C library's is larger. */
#define SIGNAL_SET_BYTES (SIGNAL_COUNT / 8)
#define CHILD_STACK_BYTES (64 * 1024)
/* Where nothing tells which descriptors are open, this many are closed one by one. */
#define CLOSE_AT_MOST 65536
/* setresuid(2) and setgroups(2) take the largest id for "unchanged": it must never arrive there as an account. */
#define LARGEST_ID 4294967294.0
#define LARGEST_INTEGER 9007199254740991.0

enum stage {
  STAGE_PIPE,
  STAGE_CLONE,
  STAGE_GROUP,
  STAGE_TERMINAL,
  STAGE_STDIO,
  STAGE_LIMIT,
  STAGE_GROUPS,
  STAGE_GID,
  STAGE_UID,
  STAGE_DIRECTORY,
  STAGE_EXEC,
};

static const char *const stage_names[] = {
    "pipe", "clone", "group", "terminal", "stdio", "limit", "groups", "gid", "uid", "directory", "exec",
};

enum grouping { GROUP_SESSION, GROUP_GROUP, GROUP_NONE };

/* A spawn as the child reads it: whatever needs memory is made before the clone. Absent numbers are -1. */
struct request {
  char *file;
  char **argv;
  char **environment;
  char *directory;
  int stdio[3];
  int terminal;
  enum grouping group;
  int64_t uid;
  int64_t gid;
  int64_t umask;
  gid_t *groups;
  size_t group_count;
  bool sets_groups;
  bool sets_limit;
  struct rlimit limit;
};

/* What travels over the error pipe. */
struct failure {
  int error;
  enum stage stage;
};

struct child {
  const struct request *request;
  int error_pipe;
};

/* ---- errno ---- */

#define ROW(name) {name, #name}

static const struct {
  int error;
  const char *name;
} error_names[] = {
    ROW(E2BIG),        ROW(EACCES),      ROW(EADDRINUSE), ROW(EAFNOSUPPORT), ROW(EAGAIN),  ROW(EBADF),
    ROW(EBUSY),        ROW(ECHILD),      ROW(ECONNRESET), ROW(EDEADLK),      ROW(EDQUOT),  ROW(EEXIST),
    ROW(EFAULT),       ROW(EFBIG),       ROW(EINTR),      ROW(EINVAL),       ROW(EIO),     ROW(EISDIR),
    ROW(ELIBBAD),      ROW(ELOOP),       ROW(EMFILE),     ROW(EMLINK),       ROW(EMSGSIZE), ROW(ENAMETOOLONG),
    ROW(ENFILE),       ROW(ENODEV),      ROW(ENOENT),     ROW(ENOEXEC),      ROW(ENOLCK),  ROW(ENOMEM),
    ROW(ENOSPC),       ROW(ENOSYS),      ROW(ENOTCONN),   ROW(ENOTDIR),      ROW(ENOTSUP), ROW(ENOTTY),
    ROW(ENXIO),        ROW(EOVERFLOW),   ROW(EPERM),      ROW(EPIPE),        ROW(ERANGE),  ROW(EROFS),
    ROW(ESPIPE),       ROW(ESRCH),       ROW(ESTALE),     ROW(ETIMEDOUT),    ROW(ETXTBSY), ROW(EUSERS),
    ROW(EXDEV),
};

struct error_name {
  char text[24];
};

/* strerrorname_np(3), which musl lacks. */
static struct error_name name_of(int error) {
  struct error_name name;
  for (size_t i = 0; i < sizeof error_names / sizeof error_names[0]; i++) {
    if (error_names[i].error == error) {
      snprintf(name.text, sizeof name.text, "%s", error_names[i].name);
      return name;
    }
  }
  snprintf(name.text, sizeof name.text, "E%d", error);
  return name;
}

static napi_value throw_errno(napi_env env, const char *what, int error) {
  const struct error_name name = name_of(error);
  char message[128];
  snprintf(message, sizeof message, "cannot %s: %s", what, name.text);
  napi_throw_error(env, name.text, message);
  return NULL;
}

/* ---- JavaScript values ---- */

static bool refuse(napi_env env, const char *what, const char *wanted) {
  char message[128];
  snprintf(message, sizeof message, "cannot use '%s': %s is needed", what, wanted);
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

static bool is(napi_env env, napi_value value, napi_valuetype type) {
  napi_valuetype actual;
  return napi_typeof(env, value, &actual) == napi_ok && actual == type;
}

/* Fills `values` with the call's arguments; those that were not passed are undefined, which no reader below takes. */
static void arguments_of(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

static bool read_integer(napi_env env, napi_value value, const char *name, double least, double most, int64_t *out) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) return refuse(env, name, "a number");
  /* The comparison comes first, and written so that NaN fails it: converting what does not fit is undefined. */
  if (!(number >= least && number <= most) || (double)(int64_t)number != number) {
    return refuse(env, name, "an integer in range");
  }
  *out = (int64_t)number;
  return true;
}

static bool read_int(napi_env env, napi_value value, const char *name, int least, int *out) {
  int64_t wide;
  if (!read_integer(env, value, name, least, INT_MAX, &wide)) return false;
  *out = (int)wide;
  return true;
}

/* The caller frees what it gets. */
static bool read_string(napi_env env, napi_value value, const char *name, char **out) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return refuse(env, name, "a string");
  char *text = malloc(length + 1);
  if (text == NULL) return throw_errno(env, "hold a string", ENOMEM) != NULL;
  napi_get_value_string_utf8(env, value, text, length + 1, &length);
  /* The kernel would see a shorter path or variable than the one that was checked. */
  if (memchr(text, '\0', length) != NULL) {
    free(text);
    return refuse(env, name, "a string without NUL");
  }
  *out = text;
  return true;
}

static bool read_length(napi_env env, napi_value value, const char *name, uint32_t *out) {
  bool array = false;
  napi_is_array(env, value, &array);
  if (!array) return refuse(env, name, "an array");
  return napi_get_array_length(env, value, out) == napi_ok;
}

static void free_strings(char **strings) {
  for (char **each = strings; each != NULL && *each != NULL; each++) free(*each);
  free(strings);
}

static bool read_strings(napi_env env, napi_value value, const char *name, char ***out) {
  uint32_t length;
  if (!read_length(env, value, name, &length)) return false;
  /* Belongs to the request at once, so that whoever frees that frees a half-read list too. */
  char **strings = *out = calloc((size_t)length + 1, sizeof *strings);
  if (strings == NULL) return throw_errno(env, "hold a list", ENOMEM) != NULL;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    if (napi_get_element(env, value, i, &element) != napi_ok) return false;
    if (!read_string(env, element, name, &strings[i])) return false;
  }
  return true;
}

/* False where the property is absent or undefined. */
static bool has(napi_env env, napi_value object, const char *name, napi_value *out) {
  return napi_get_named_property(env, object, name, out) == napi_ok && !is(env, *out, napi_undefined);
}

static bool read_bytes(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  bool typed = false;
  napi_typedarray_type type = napi_int8_array;
  napi_is_typedarray(env, value, &typed);
  if (typed) napi_get_typedarray_info(env, value, &type, length, (void **)data, NULL, NULL);
  return type == napi_uint8_array || refuse(env, "buffer", "a Uint8Array");
}

static napi_value number_of(napi_env env, double number) {
  napi_value value = NULL;
  napi_create_double(env, number, &value);
  return value;
}

static void set_number(napi_env env, napi_value object, const char *name, double number) {
  napi_set_named_property(env, object, name, number_of(env, number));
}

static void set_boolean(napi_env env, napi_value object, const char *name, bool boolean) {
  napi_value value;
  napi_get_boolean(env, boolean, &value);
  napi_set_named_property(env, object, name, value);
}

static void set_string(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, object, name, value);
}

/* ---- spawn, the child's side: system calls only ---- */

static _Noreturn void give_up(int error_pipe, enum stage stage) {
  const struct failure failure = {errno, stage};
  /* Smaller than PIPE_BUF: written whole. Nobody is left to tell if it is not. */
  syscall(SYS_write, error_pipe, &failure, sizeof failure);
  for (;;) syscall(SYS_exit_group, 127);
}

static bool leave_group(enum grouping group) {
  if (group == GROUP_SESSION) return syscall(SYS_setsid) >= 0;
  if (group == GROUP_GROUP) return syscall(SYS_setpgid, 0, 0) == 0;
  return true;
}

/* tcsetpgrp(3). The child is a background process by now, and is not stopped because SIGTTOU is blocked. */
static bool take_terminal(int terminal) {
  const pid_t self = (pid_t)syscall(SYS_getpid);
  return terminal < 0 || syscall(SYS_ioctl, terminal, TIOCSPGRP, &self) == 0;
}

/* A copy above 2, where the dup3(2) onto 0, 1 and 2 cannot hit it. */
static int above_stdio(int fd) {
  return fd > 2 ? fd : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
}

/* dup3(2) leaves O_CLOEXEC off, and leaves O_NONBLOCK alone: that belongs to the description others share. */
static bool take_stdio(const int wanted[3], int *error_pipe) {
  int source[3];
  const int pipe = above_stdio(*error_pipe);
  if (pipe < 0) return false;
  *error_pipe = pipe;
  for (int i = 0; i < 3; i++) {
    if ((source[i] = above_stdio(wanted[i])) < 0) return false;
  }
  for (int i = 0; i < 3; i++) {
    if (syscall(SYS_dup3, source[i], i, 0) < 0) return false;
  }
  return true;
}

struct directory_entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

/* -1 for "." and "..": atoi(3) without the locale. */
static int descriptor_named(const char *name) {
  int number = 0;
  for (; *name >= '0' && *name <= '9'; name++) number = number * 10 + (*name - '0');
  return *name == '\0' ? number : -1;
}

static bool close_listed(void) {
  const int directory = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  _Alignas(struct directory_entry) char buffer[2048];
  long bytes;
  while ((bytes = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < bytes;) {
      const struct directory_entry *entry = (const struct directory_entry *)(buffer + at);
      const int fd = descriptor_named(entry->name);
      if (fd > 3 && fd != directory) syscall(SYS_close, fd);
      at += entry->length;
    }
  }
  syscall(SYS_close, directory);
  return bytes == 0;
}

static void close_counted(void) {
  struct rlimit limit;
  rlim_t end = CLOSE_AT_MOST;
  if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur < end) end = limit.rlim_cur;
  for (rlim_t fd = 4; fd < end; fd++) syscall(SYS_close, (int)fd);
}

/* Leaves 0, 1, 2 and the error pipe, which moves to 3 so that one close_range(2) takes all the rest. */
static bool close_others(int *error_pipe) {
  if (*error_pipe != 3) {
    if (syscall(SYS_dup3, *error_pipe, 3, O_CLOEXEC) < 0) return false;
    *error_pipe = 3;
  }
  /* An old kernel has no close_range(2), and a seccomp filter may refuse it. */
  if (syscall(SYS_close_range, 4U, ~0U, 0U) != 0 && !close_listed()) close_counted();
  return true;
}

/* An ignored signal stays ignored over execve(2), and Node ignores SIGPIPE. SIGKILL and SIGSTOP answer EINVAL. */
static void reset_signals(void) {
  const uint64_t empty = 0;
  /* Zero is SIG_DFL, no flags, no mask, whatever the machine's order of fields. */
  const uint64_t default_action[8] = {0};
  for (int signal = 1; signal <= SIGNAL_COUNT; signal++) {
    syscall(SYS_rt_sigaction, signal, default_action, NULL, SIGNAL_SET_BYTES);
  }
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty, NULL, SIGNAL_SET_BYTES);
}

static int child_main(void *argument) {
  const struct child *child = argument;
  const struct request *request = child->request;
  int error_pipe = child->error_pipe;

  if (!leave_group(request->group)) give_up(error_pipe, STAGE_GROUP);
  if (!take_terminal(request->terminal)) give_up(error_pipe, STAGE_TERMINAL);
  if (!take_stdio(request->stdio, &error_pipe)) give_up(error_pipe, STAGE_STDIO);
  if (!close_others(&error_pipe)) give_up(error_pipe, STAGE_STDIO);
  if (request->sets_limit && syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &request->limit, NULL) != 0) {
    give_up(error_pipe, STAGE_LIMIT);
  }
  if (request->sets_groups && syscall(SYS_setgroups, request->group_count, request->groups) != 0) {
    give_up(error_pipe, STAGE_GROUPS);
  }
  if (request->gid >= 0 && syscall(SYS_setresgid, request->gid, request->gid, request->gid) != 0) {
    give_up(error_pipe, STAGE_GID);
  }
  if (request->uid >= 0 && syscall(SYS_setresuid, request->uid, request->uid, request->uid) != 0) {
    give_up(error_pipe, STAGE_UID);
  }
  if (request->umask >= 0) syscall(SYS_umask, request->umask);
  /* After the account, so that its rights decide, as in systemd. */
  if (request->directory != NULL && syscall(SYS_chdir, request->directory) != 0) {
    give_up(error_pipe, STAGE_DIRECTORY);
  }
  reset_signals();
  syscall(SYS_execve, request->file, request->argv, request->environment);
  give_up(error_pipe, STAGE_EXEC);
}

/* ---- spawn, the supervisor's side ---- */

/* All 64, also those that sigfillset(3) leaves out for the C library: a handler must not run in the child. */
static uint64_t block_signals(void) {
  const uint64_t all = ~UINT64_C(0);
  uint64_t before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, SIGNAL_SET_BYTES);
  return before;
}

static void restore_signals(uint64_t before) {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGNAL_SET_BYTES);
}

/* clone(2) on a stack of its own, below which a guard page turns an overflow into a crash of the child. */
static pid_t clone_child(struct child *child) {
  const size_t guard = (size_t)sysconf(_SC_PAGESIZE);
  const size_t size = guard + CHILD_STACK_BYTES;
  char *stack = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -1;
  pid_t pid = -1;
  if (mprotect(stack + guard, CHILD_STACK_BYTES, PROT_READ | PROT_WRITE) == 0) {
    const uint64_t mask = block_signals();
    pid = clone(child_main, stack + size, CLONE_VM | CLONE_VFORK | SIGCHLD, child);
    const int error = errno;
    restore_signals(mask);
    errno = error;
  }
  const int error = errno;
  munmap(stack, size);
  errno = error;
  return pid;
}

static void reap_one(pid_t pid) {
  siginfo_t info;
  while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0 && errno == EINTR) continue;
}

/*
 * Reads the child's verdict. End of file means that execve(2) closed the pipe, or that a signal ended the child before:
 * both are a process whose exit will be reaped.
 */
static bool child_failed(int read_end, pid_t pid, struct failure *failure) {
  ssize_t bytes;
  do {
    bytes = read(read_end, failure, sizeof *failure);
  } while (bytes < 0 && errno == EINTR);
  if (bytes == 0) return false;
  if (bytes != sizeof *failure) {
    /* Cannot happen to eight bytes in a pipe. A program nobody knows of must not run, so it does not. */
    *failure = (struct failure){bytes < 0 ? errno : EIO, STAGE_PIPE};
    kill(pid, SIGKILL);
  }
  reap_one(pid);
  return true;
}

/* Without this, a program that is not there would leave Ctrl-C to a process group that no longer exists. */
static void give_back_terminal(int terminal, pid_t foreground) {
  const uint64_t mask = block_signals();
  tcsetpgrp(terminal, foreground);
  restore_signals(mask);
}

/* Returns the pid, or -1 with `failure` filled. */
static pid_t start(const struct request *request, struct failure *failure) {
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC) != 0) {
    *failure = (struct failure){errno, STAGE_PIPE};
    return -1;
  }
  const pid_t foreground = request->terminal < 0 ? -1 : tcgetpgrp(request->terminal);
  struct child child = {request, error_pipe[1]};
  pid_t pid = clone_child(&child);
  if (pid < 0) *failure = (struct failure){errno, STAGE_CLONE};
  close(error_pipe[1]);
  if (pid > 0 && child_failed(error_pipe[0], pid, failure)) {
    pid = -1;
    if (foreground > 0 && failure->stage > STAGE_TERMINAL) give_back_terminal(request->terminal, foreground);
  }
  close(error_pipe[0]);
  return pid;
}

static int compare_gids(const void *left, const void *right) {
  const gid_t a = *(const gid_t *)left;
  const gid_t b = *(const gid_t *)right;
  return (a > b) - (a < b);
}

/* Sorts, drops repetitions, returns how many are left. */
static size_t as_set(gid_t *groups, size_t count) {
  size_t kept = 0;
  if (count > 1) qsort(groups, count, sizeof *groups, compare_gids);
  for (size_t i = 0; i < count; i++) {
    if (kept == 0 || groups[kept - 1] != groups[i]) groups[kept++] = groups[i];
  }
  return kept;
}

/* setgroups(2) is EPERM without privilege even where it would change nothing. */
static bool has_groups(gid_t *wanted, size_t wanted_count) {
  const int count = getgroups(0, NULL);
  if (count < 0) return false;
  gid_t *current = calloc((size_t)count + 1, sizeof *current);
  if (current == NULL) return false;
  const int filled = getgroups(count, current);
  const size_t size = filled < 0 ? 0 : as_set(current, (size_t)filled);
  const bool same = filled >= 0 && size == wanted_count && memcmp(current, wanted, size * sizeof *wanted) == 0;
  free(current);
  return same;
}

static bool read_groups(napi_env env, napi_value value, struct request *request) {
  uint32_t length;
  if (!read_length(env, value, "groups", &length)) return false;
  request->groups = calloc((size_t)length + 1, sizeof *request->groups);
  if (request->groups == NULL) return throw_errno(env, "hold the groups", ENOMEM) != NULL;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    int64_t id;
    if (napi_get_element(env, value, i, &element) != napi_ok) return false;
    if (!read_integer(env, element, "groups", 0, LARGEST_ID, &id)) return false;
    request->groups[i] = (gid_t)id;
  }
  request->group_count = as_set(request->groups, length);
  request->sets_groups = !has_groups(request->groups, request->group_count);
  return true;
}

static bool read_limit(napi_env env, napi_value object, const char *name, rlim_t *out) {
  napi_value value;
  int64_t limit;
  if (!has(env, object, name, &value)) return refuse(env, name, "a number");
  if (!read_integer(env, value, name, -1, LARGEST_INTEGER, &limit)) return false;
  *out = limit < 0 ? RLIM_INFINITY : (rlim_t)limit;
  return true;
}

static bool read_limits(napi_env env, napi_value value, struct request *request) {
  request->sets_limit = true;
  if (!is(env, value, napi_object)) return refuse(env, "descriptorLimit", "an object");
  return read_limit(env, value, "soft", &request->limit.rlim_cur) &&
         read_limit(env, value, "hard", &request->limit.rlim_max);
}

static bool read_stdio(napi_env env, napi_value value, int stdio[3]) {
  uint32_t length;
  if (!read_length(env, value, "stdio", &length)) return false;
  if (length != 3) return refuse(env, "stdio", "an array of three descriptors");
  for (uint32_t i = 0; i < 3; i++) {
    napi_value element;
    if (napi_get_element(env, value, i, &element) != napi_ok) return false;
    if (!read_int(env, element, "stdio", 0, &stdio[i])) return false;
  }
  return true;
}

static bool read_group(napi_env env, napi_value value, enum grouping *group) {
  static const char *const names[] = {[GROUP_SESSION] = "session", [GROUP_GROUP] = "group", [GROUP_NONE] = "none"};
  char name[16] = "";
  if (is(env, value, napi_string)) napi_get_value_string_utf8(env, value, name, sizeof name, NULL);
  for (int i = GROUP_SESSION; i <= GROUP_NONE; i++) {
    if (strcmp(name, names[i]) == 0) {
      *group = (enum grouping)i;
      return true;
    }
  }
  return refuse(env, "group", "'session', 'group' or 'none'");
}

static bool read_request(napi_env env, napi_value options, struct request *request) {
  napi_value value;
  if (!is(env, options, napi_object)) return refuse(env, "options", "an object");

  napi_get_named_property(env, options, "file", &value);
  if (!read_string(env, value, "file", &request->file)) return false;
  napi_get_named_property(env, options, "argv", &value);
  if (!read_strings(env, value, "argv", &request->argv)) return false;
  /* Programs that count on argv[0] read the environment instead. */
  if (request->argv[0] == NULL) return refuse(env, "argv", "a name for the program");
  napi_get_named_property(env, options, "environment", &value);
  if (!read_strings(env, value, "environment", &request->environment)) return false;
  napi_get_named_property(env, options, "stdio", &value);
  if (!read_stdio(env, value, request->stdio)) return false;
  napi_get_named_property(env, options, "group", &value);
  if (!read_group(env, value, &request->group)) return false;

  if (has(env, options, "directory", &value) && !read_string(env, value, "directory", &request->directory)) {
    return false;
  }
  if (has(env, options, "terminal", &value) && !read_int(env, value, "terminal", 0, &request->terminal)) return false;
  if (has(env, options, "uid", &value) && !read_integer(env, value, "uid", 0, LARGEST_ID, &request->uid)) return false;
  if (has(env, options, "gid", &value) && !read_integer(env, value, "gid", 0, LARGEST_ID, &request->gid)) return false;
  if (has(env, options, "groups", &value) && !read_groups(env, value, request)) return false;
  if (has(env, options, "umask", &value) && !read_integer(env, value, "umask", 0, 0777, &request->umask)) return false;
  if (has(env, options, "descriptorLimit", &value) && !read_limits(env, value, request)) return false;
  return true;
}

static void free_request(struct request *request) {
  free(request->file);
  free(request->directory);
  free(request->groups);
  free_strings(request->argv);
  free_strings(request->environment);
}

/* clone(2), execve(2) */
static napi_value edge_spawn(napi_env env, napi_callback_info info) {
  napi_value options;
  napi_value result = NULL;
  struct request request = {.terminal = -1, .uid = -1, .gid = -1, .umask = -1};
  arguments_of(env, info, 1, &options);
  if (read_request(env, options, &request)) {
    struct failure failure = {0, STAGE_PIPE};
    const pid_t pid = start(&request, &failure);
    napi_create_object(env, &result);
    if (pid > 0) {
      set_number(env, result, "pid", pid);
    } else {
      set_number(env, result, "errno", failure.error);
      set_string(env, result, "code", name_of(failure.error).text);
      set_string(env, result, "stage", stage_names[failure.stage]);
    }
  }
  free_request(&request);
  return result;
}

/* ---- the other calls ---- */

static double milliseconds(struct timeval time) {
  return (double)time.tv_sec * 1000 + (double)time.tv_usec / 1000;
}

static napi_value exit_of(napi_env env, const siginfo_t *info, const struct rusage *usage) {
  napi_value exit;
  napi_create_object(env, &exit);
  set_number(env, exit, "pid", info->si_pid);
  set_number(env, exit, info->si_code == CLD_EXITED ? "code" : "signal", info->si_status);
  set_boolean(env, exit, "coreDumped", info->si_code == CLD_DUMPED);
  set_number(env, exit, "userTime", milliseconds(usage->ru_utime));
  set_number(env, exit, "systemTime", milliseconds(usage->ru_stime));
  set_number(env, exit, "maxRss", (double)usage->ru_maxrss);
  return exit;
}

/* waitid(2), raw: the C library's has no place for the rusage. */
static napi_value edge_reap(napi_env env, napi_callback_info info) {
  napi_value argument;
  int limit;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "limit", 1, &limit)) return NULL;

  napi_value exits;
  bool children_left = true;
  napi_create_array(env, &exits);
  for (uint32_t taken = 0; taken < (uint32_t)limit;) {
    siginfo_t exited;
    struct rusage usage;
    /* With WNOHANG and nobody dead the call succeeds and may leave si_pid as it was. */
    memset(&exited, 0, sizeof exited);
    if (syscall(SYS_waitid, P_ALL, 0, &exited, WEXITED | WNOHANG, &usage) != 0) {
      if (errno == EINTR) continue;
      children_left = errno != ECHILD;
      break;
    }
    if (exited.si_pid == 0) break;
    napi_set_element(env, exits, taken++, exit_of(env, &exited, &usage));
  }
  napi_value result;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "exits", exits);
  set_boolean(env, result, "childrenLeft", children_left);
  return result;
}

/* prctl(2) */
/* tcsetpgrp(3) */
static napi_value edge_take_terminal(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1;
  int32_t terminal = -1;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count < 1 ||
      napi_get_value_int32(env, argument, &terminal) != napi_ok) {
    napi_throw_type_error(env, NULL, "takeTerminal takes a descriptor");
    return NULL;
  }
  give_back_terminal(terminal, getpgrp());
  return NULL;
}

static napi_value edge_set_subreaper(napi_env env, napi_callback_info info) {
  (void)info;
  if (prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) != 0) return throw_errno(env, "adopt orphans", errno);
  return NULL;
}

/* kill(2) */
static napi_value edge_kill(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int pid;
  int signal;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "pid", INT_MIN, &pid)) return NULL;
  if (!read_int(env, arguments[1], "signal", 0, &signal)) return NULL;
  return number_of(env, kill(pid, signal) == 0 ? 0 : errno);
}

/* pipe2(2) */
static napi_value edge_pipe(napi_env env, napi_callback_info info) {
  (void)info;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return throw_errno(env, "open a pipe", errno);
  /* Each end has a description of its own: services that write are not made non-blocking. */
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  napi_value result;
  napi_create_object(env, &result);
  set_number(env, result, "readEnd", ends[0]);
  set_number(env, result, "writeEnd", ends[1]);
  return result;
}

/* read(2) */
static napi_value edge_read_now(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int fd;
  uint8_t *data = NULL;
  size_t length = 0;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_bytes(env, arguments[1], &data, &length)) return NULL;

  size_t filled = 0;
  bool ended = false;
  while (filled < length) {
    const ssize_t bytes = read(fd, data + filled, length - filled);
    if (bytes > 0) {
      filled += (size_t)bytes;
    } else if (bytes == 0 || errno != EINTR) {
      ended = bytes == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      break;
    }
  }
  napi_value result;
  napi_create_object(env, &result);
  set_number(env, result, "bytes", (double)filled);
  set_boolean(env, result, "ended", ended);
  return result;
}

static int64_t nanoseconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool is_fifo(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/*
 * One write that does not wait, on a descriptor that may be a blocking one: O_NONBLOCK would change it for the services
 * that share it. After POLLOUT a pipe has room for PIPE_BUF bytes; RWF_NOWAIT covers a service that took that room in
 * between, on kernels that know it for pipes (6.4). A regular file is written plainly: there RWF_NOWAIT may
 * never succeed.
 */
static ssize_t write_some(int fd, bool fifo, uint8_t *data, size_t length) {
  ssize_t bytes = send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (bytes >= 0 || errno != ENOTSOCK) return bytes;
  if (length > PIPE_BUF) length = PIPE_BUF;
  if (fifo) {
    const struct iovec piece = {data, length};
    bytes = syscall(SYS_pwritev2, fd, &piece, 1UL, -1L, -1L, RWF_NOWAIT);
    if (bytes >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL && errno != EPERM)) return bytes;
  }
  return write(fd, data, length);
}

static size_t write_until(int fd, uint8_t *data, size_t length, int64_t deadline) {
  const bool fifo = is_fifo(fd);
  size_t written = 0;
  while (written < length) {
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    const int64_t left = deadline - nanoseconds_now();
    const int found = poll(&ready, 1, left > 0 ? (int)((left + 999999) / 1000000) : 0);
    if (found < 0 && errno == EINTR) continue;
    if (found <= 0) break;
    const ssize_t bytes = write_some(fd, fifo, data + written, length - written);
    if (bytes >= 0) {
      written += (size_t)bytes;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      /* Ready and yet full: another writer was quicker. Give the reader a moment instead of spinning. */
      if (left <= 0) break;
      poll(NULL, 0, 1);
    } else if (errno != EINTR) {
      break;
    }
  }
  return written;
}

/* poll(2), write(2) */
static napi_value edge_write_now(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int fd;
  int timeout;
  uint8_t *data = NULL;
  size_t length = 0;
  arguments_of(env, info, 3, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_bytes(env, arguments[1], &data, &length)) return NULL;
  if (!read_int(env, arguments[2], "timeout", 0, &timeout)) return NULL;
  return number_of(env, (double)write_until(fd, data, length, nanoseconds_now() + (int64_t)timeout * 1000000));
}

struct watch {
  uv_signal_t handle;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
};

static void signal_arrived(uv_signal_t *handle, int number) {
  (void)number;
  const struct watch *watch = handle->data;
  napi_handle_scope scope;
  napi_value callback;
  napi_value global;
  napi_open_handle_scope(watch->env, &scope);
  napi_get_reference_value(watch->env, watch->callback, &callback);
  napi_get_global(watch->env, &global);
  if (napi_make_callback(watch->env, watch->context, global, callback, 0, NULL, NULL) == napi_pending_exception) {
    /* No JavaScript is below us on the stack that could catch it: an uncaughtException, as from any listener. */
    napi_value error;
    napi_get_and_clear_last_exception(watch->env, &error);
    napi_fatal_exception(watch->env, error);
  }
  napi_close_handle_scope(watch->env, scope);
}

static void watch_closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  napi_remove_async_cleanup_hook(watch->cleanup);
  free(watch);
}

static void discard_watch(uv_handle_t *handle) {
  free(handle->data);
}

/* Node does not close its loop, and a worker aborts, while a handle is open. */
static void environment_ends(napi_async_cleanup_hook_handle handle, void *argument) {
  (void)handle;
  struct watch *watch = argument;
  napi_delete_reference(watch->env, watch->callback);
  napi_async_destroy(watch->env, watch->context);
  uv_close((uv_handle_t *)&watch->handle, watch_closed);
}

static napi_value keep_watch(napi_env env, struct watch *watch, napi_value callback) {
  napi_value name;
  watch->env = env;
  napi_create_reference(env, callback, 1, &watch->callback);
  napi_create_string_utf8(env, "chaperone.signal", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &watch->context);
  napi_add_async_cleanup_hook(env, environment_ends, watch, &watch->cleanup);
  uv_unref((uv_handle_t *)&watch->handle);
  return NULL;
}

/* sigaction(2), through the loop: process.on() knows signals by name only, and the real-time ones have none. */
static napi_value edge_watch_signal(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  uv_loop_t *loop;
  int signal;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "signal", 1, &signal)) return NULL;
  if (!is(env, arguments[1], napi_function)) {
    refuse(env, "callback", "a function");
    return NULL;
  }
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return throw_errno(env, "watch a signal", ENOSYS);
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return throw_errno(env, "watch a signal", ENOMEM);
  watch->handle.data = watch;
  int error = uv_signal_init(loop, &watch->handle);
  if (error != 0) {
    free(watch);
    return throw_errno(env, "watch a signal", -error);
  }
  watch->handle.data = watch;
  error = uv_signal_start(&watch->handle, signal_arrived, signal);
  if (error != 0) {
    uv_close((uv_handle_t *)&watch->handle, discard_watch);
    return throw_errno(env, "watch a signal", -error);
  }
  return keep_watch(env, watch, arguments[1]);
}

/* _exit(2) */
static napi_value edge_exit_now(napi_env env, napi_callback_info info) {
  napi_value argument;
  int64_t status;
  arguments_of(env, info, 1, &argument);
  if (!read_integer(env, argument, "status", 0, 255, &status)) return NULL;
  _exit((int)status);
}

static double limit_number(rlim_t limit) {
  return limit == RLIM_INFINITY ? -1 : (double)limit;
}

/* getrlimit(2) */
static napi_value edge_descriptor_limit(napi_env env, napi_callback_info info) {
  (void)info;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return throw_errno(env, "read the descriptor limit", errno);
  napi_value result;
  napi_create_object(env, &result);
  set_number(env, result, "soft", limit_number(limit.rlim_cur));
  set_number(env, result, "hard", limit_number(limit.rlim_max));
  return result;
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback function;
  } functions[] = {
      {"spawn", edge_spawn},
      {"reap", edge_reap},
      {"setSubreaper", edge_set_subreaper},
      {"takeTerminal", edge_take_terminal},
      {"kill", edge_kill},
      {"pipe", edge_pipe},
      {"readNow", edge_read_now},
      {"writeNow", edge_write_now},
      {"watchSignal", edge_watch_signal},
      {"exitNow", edge_exit_now},
      {"descriptorLimit", edge_descriptor_limit},
  };
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}
