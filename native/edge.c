/*
 * edge: the few system calls that Node lacks, for src/runtime/native.ts. Each function is one man page.
 *
 * The one with a story is spawn. Between clone(2) and execve(2) the child shares the supervisor's memory (CLONE_VM)
 * while the calling thread stands still (CLONE_VFORK) and every other thread of Node runs on. So the child allocates
 * nothing, takes no lock, writes to nothing but its own stack, errno and the two places that the request keeps for it
 * (descriptors, pid_places), and talks to the kernel through syscall(2): glibc's setuid(3) and its kin would broadcast
 * to threads that are not the child's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAPI_VERSION 8
#include <node_api.h>
#include <uv.h>

/* The raw calls below (rusage, rlimit, 32-bit ids) have the layout of the 64-bit system call interface. */
_Static_assert(sizeof(long) == 8, "edge.c needs a 64-bit Linux");

/* Older C libraries lack the numbers, newer kernels have the calls. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
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
#define RANDOM_AT_MOST 64
/* setresuid(2) and setgroups(2) take the largest id for "unchanged": it must never arrive there as an account. */
#define LARGEST_ID 4294967294.0
#define LARGEST_INTEGER 9007199254740991.0
#define STDIO_COUNT 3
/* Ten digits and the NUL. */
#define PID_BYTES 11
#define DATAGRAM_BYTES (256 * 1024)
/* SCM_MAX_FD: so many descriptors one message carries at most. */
#define PASSED_AT_MOST 253
/* How many datagrams one recvmmsg(2) takes: a unix socket holds eleven. */
#define BATCH 16
/* So many at once mean that the queue was full, or nearly. */
#define FULL_QUEUE 8
/* Looks into an empty queue before a flood counts as over. */
#define PATIENCE 4

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
  /* What becomes 0, 1, 2, and so on. The child writes its copies here. */
  int *descriptors;
  int descriptor_count;
  /* Where in `environment` the child writes its pid; ends with NULL. */
  char **pid_places;
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
    ROW(E2BIG),        ROW(EACCES),       ROW(EADDRINUSE), ROW(EADDRNOTAVAIL), ROW(EAFNOSUPPORT), ROW(EAGAIN),
    ROW(EBADF),        ROW(EBUSY),        ROW(ECHILD),     ROW(ECONNABORTED),  ROW(ECONNREFUSED), ROW(ECONNRESET),
    ROW(EDEADLK),      ROW(EDESTADDRREQ), ROW(EDQUOT),     ROW(EEXIST),        ROW(EFAULT),       ROW(EFBIG),
    ROW(EINTR),        ROW(EINVAL),       ROW(EIO),        ROW(EISDIR),        ROW(ELIBBAD),      ROW(ELOOP),
    ROW(EMFILE),       ROW(EMLINK),       ROW(EMSGSIZE),   ROW(ENAMETOOLONG),  ROW(ENFILE),       ROW(ENOBUFS),
    ROW(ENODEV),       ROW(ENOENT),       ROW(ENOEXEC),    ROW(ENOLCK),        ROW(ENOMEM),       ROW(ENOPROTOOPT),
    ROW(ENOSPC),       ROW(ENOSYS),       ROW(ENOTCONN),   ROW(ENOTDIR),       ROW(ENOTSOCK),     ROW(ENOTSUP),
    ROW(ENOTTY),       ROW(ENXIO),        ROW(EOVERFLOW),  ROW(EPERM),         ROW(EPIPE),        ROW(EPROTOTYPE),
    ROW(ERANGE),       ROW(EROFS),        ROW(ESPIPE),     ROW(ESRCH),         ROW(ESTALE),       ROW(ETIMEDOUT),
    ROW(ETOOMANYREFS), ROW(ETXTBSY),      ROW(EUSERS),     ROW(EXDEV),
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

/* NULL where it is not an array of that type; sets the length in elements. */
static void *typed_data(napi_env env, napi_value value, napi_typedarray_type wanted, size_t *length) {
  /* An empty array may have no memory at all. */
  static uint64_t nothing;
  bool typed = false;
  napi_typedarray_type type = napi_int8_array;
  void *data = NULL;
  napi_is_typedarray(env, value, &typed);
  if (!typed || napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok) return NULL;
  if (type != wanted) return NULL;
  return data == NULL ? &nothing : data;
}

static bool read_bytes(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  *data = typed_data(env, value, napi_uint8_array, length);
  return *data != NULL || refuse(env, "buffer", "a Uint8Array");
}

static bool read_words(napi_env env, napi_value value, const char *name, uint32_t **data, size_t *length) {
  *data = typed_data(env, value, napi_uint32_array, length);
  return *data != NULL || refuse(env, name, "a Uint32Array");
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

/* The descriptor, or a copy of it that is not below `least`. */
static int not_below(int least, int fd) {
  return fd >= least ? fd : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least);
}

/*
 * First everything moves up, where the dup3(2) onto 0, 1, 2 and so on cannot hit it. dup3(2) leaves O_CLOEXEC off, and
 * leaves O_NONBLOCK alone: that belongs to the description others share.
 */
static bool take_descriptors(int *descriptors, int count, int *error_pipe) {
  const int pipe = not_below(count, *error_pipe);
  if (pipe < 0) return false;
  *error_pipe = pipe;
  for (int i = 0; i < count; i++) {
    if ((descriptors[i] = not_below(count, descriptors[i])) < 0) return false;
  }
  for (int i = 0; i < count; i++) {
    if (syscall(SYS_dup3, descriptors[i], i, 0) < 0) return false;
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

static bool close_listed(int first) {
  const int directory = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  _Alignas(struct directory_entry) char buffer[2048];
  long bytes;
  while ((bytes = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < bytes;) {
      const struct directory_entry *entry = (const struct directory_entry *)(buffer + at);
      const int fd = descriptor_named(entry->name);
      if (fd >= first && fd != directory) syscall(SYS_close, fd);
      at += entry->length;
    }
  }
  syscall(SYS_close, directory);
  return bytes == 0;
}

static void close_counted(int first) {
  struct rlimit limit;
  rlim_t end = CLOSE_AT_MOST;
  if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur < end) end = limit.rlim_cur;
  for (rlim_t fd = (rlim_t)first; fd < end; fd++) syscall(SYS_close, (int)fd);
}

/* Leaves the first `count` and the error pipe, which moves next to them: one close_range(2) takes all the rest. */
static bool close_others(int count, int *error_pipe) {
  if (*error_pipe != count) {
    if (syscall(SYS_dup3, *error_pipe, count, O_CLOEXEC) < 0) return false;
    *error_pipe = count;
  }
  const int first = count + 1;
  /* An old kernel has no close_range(2), and a seccomp filter may refuse it. */
  if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) != 0 && !close_listed(first)) close_counted(first);
  return true;
}

/* snprintf(3) takes locks. */
static void write_pid(char *place, pid_t pid) {
  char reversed[PID_BYTES];
  int digits = 0;
  do {
    reversed[digits++] = (char)('0' + pid % 10);
    pid /= 10;
  } while (pid > 0);
  while (digits > 0) *place++ = reversed[--digits];
  *place = '\0';
}

static void write_pids(char *const *places) {
  const pid_t self = (pid_t)syscall(SYS_getpid);
  for (; places != NULL && *places != NULL; places++) write_pid(*places, self);
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
  if (!take_descriptors(request->descriptors, request->descriptor_count, &error_pipe)) {
    give_up(error_pipe, STAGE_STDIO);
  }
  if (!close_others(request->descriptor_count, &error_pipe)) give_up(error_pipe, STAGE_STDIO);
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
  write_pids(request->pid_places);
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

static bool read_fds(napi_env env, napi_value value, const char *name, uint32_t count, int *fds) {
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    if (napi_get_element(env, value, i, &element) != napi_ok) return false;
    if (!read_int(env, element, name, 0, &fds[i])) return false;
  }
  return true;
}

/* `stdio`, then `descriptors` if there are any, in one list. */
static bool read_descriptors(napi_env env, napi_value options, struct request *request) {
  napi_value stdio;
  napi_value others;
  uint32_t count;
  uint32_t other_count = 0;
  napi_get_named_property(env, options, "stdio", &stdio);
  if (!read_length(env, stdio, "stdio", &count)) return false;
  if (count != STDIO_COUNT) return refuse(env, "stdio", "an array of three descriptors");
  const bool more = has(env, options, "descriptors", &others);
  if (more && !read_length(env, others, "descriptors", &other_count)) return false;
  request->descriptors = calloc(STDIO_COUNT + (size_t)other_count, sizeof *request->descriptors);
  if (request->descriptors == NULL) return throw_errno(env, "hold the descriptors", ENOMEM) != NULL;
  request->descriptor_count = STDIO_COUNT + (int)other_count;
  return read_fds(env, stdio, "stdio", STDIO_COUNT, request->descriptors) &&
         (!more || read_fds(env, others, "descriptors", other_count, request->descriptors + STDIO_COUNT));
}

static size_t count_strings(char *const *strings) {
  size_t count = 0;
  while (strings[count] != NULL) count++;
  return count;
}

/* Whether a `NAME=value` has one of the names. */
static bool is_named(const char *variable, char *const *names) {
  const size_t length = strcspn(variable, "=");
  for (; *names != NULL; names++) {
    if (strlen(*names) == length && memcmp(*names, variable, length) == 0) return true;
  }
  return false;
}

/* Takes the variables with these names out of the environment and puts them in anew, with room for a pid. */
static bool reserve_pids(napi_env env, struct request *request, char *const *names) {
  const size_t added = count_strings(names);
  char **variables = calloc(count_strings(request->environment) + added + 1, sizeof *variables);
  request->pid_places = calloc(added + 1, sizeof *request->pid_places);
  if (variables == NULL || request->pid_places == NULL) {
    free(variables);
    return throw_errno(env, "hold the environment", ENOMEM) != NULL;
  }
  size_t count = 0;
  for (char **each = request->environment; *each != NULL; each++) {
    if (is_named(*each, names)) free(*each);
    else variables[count++] = *each;
  }
  free(request->environment);
  request->environment = variables;
  for (size_t i = 0; i < added; i++) {
    const size_t length = strlen(names[i]);
    char *variable = variables[count] = malloc(length + 1 + PID_BYTES);
    if (variable == NULL) return throw_errno(env, "hold a variable", ENOMEM) != NULL;
    count++;
    memcpy(variable, names[i], length);
    memcpy(variable + length, "=", 2);
    request->pid_places[i] = variable + length + 1;
  }
  return true;
}

static bool read_pid_variables(napi_env env, napi_value value, struct request *request) {
  char **names = NULL;
  bool read = read_strings(env, value, "pidVariables", &names);
  for (char **each = names; read && *each != NULL; each++) {
    if (**each == '\0' || strchr(*each, '=') != NULL) read = refuse(env, "pidVariables", "a variable's name");
  }
  read = read && reserve_pids(env, request, names);
  free_strings(names);
  return read;
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
  if (!read_descriptors(env, options, request)) return false;
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
  if (has(env, options, "pidVariables", &value) && !read_pid_variables(env, value, request)) return false;
  return true;
}

static void free_request(struct request *request) {
  free(request->file);
  free(request->directory);
  free(request->groups);
  free(request->descriptors);
  free(request->pid_places);
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

/* prctl(2) */
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

/* _exit(2) */
static napi_value edge_exit_now(napi_env env, napi_callback_info info) {
  napi_value argument;
  int64_t status;
  arguments_of(env, info, 1, &argument);
  if (!read_integer(env, argument, "status", 0, 255, &status)) return NULL;
  _exit((int)status);
}

/* getrandom(2), as hexadecimal digits */
static napi_value edge_random_hex(napi_env env, napi_callback_info info) {
  static const char digits[] = "0123456789abcdef";
  napi_value argument;
  napi_value text = NULL;
  int64_t count;
  uint8_t bytes[RANDOM_AT_MOST];
  char hex[2 * RANDOM_AT_MOST];
  arguments_of(env, info, 1, &argument);
  if (!read_integer(env, argument, "count", 1, RANDOM_AT_MOST, &count)) return NULL;
  /* So few bytes come whole, and no signal interrupts them once the kernel has been seeded. */
  while (getrandom(bytes, (size_t)count, 0) < 0) {
    if (errno != EINTR) return throw_errno(env, "get random bytes", errno);
  }
  for (int64_t i = 0; i < count; i++) {
    hex[2 * i] = digits[bytes[i] >> 4];
    hex[2 * i + 1] = digits[bytes[i] & 15];
  }
  napi_create_string_latin1(env, hex, 2 * (size_t)count, &text);
  return text;
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

/* fcntl(2) */
static napi_value edge_set_blocking(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int fd;
  bool blocking;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (napi_get_value_bool(env, arguments[1], &blocking) != napi_ok) {
    refuse(env, "blocking", "a boolean");
    return NULL;
  }
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0) {
    return throw_errno(env, "change a descriptor", errno);
  }
  return NULL;
}

/* fcntl(2) */
static napi_value edge_duplicate(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return copy < 0 ? throw_errno(env, "duplicate a descriptor", errno) : number_of(env, copy);
}

/* dup3(2) */
static napi_value edge_replace_descriptor(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int from;
  int to;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "from", 0, &from) || !read_int(env, arguments[1], "to", 0, &to)) return NULL;
  if (dup3(from, to, O_CLOEXEC) < 0) return throw_errno(env, "replace a descriptor", errno);
  return NULL;
}

/* fcntl(2), as lckpwdf(3) */
static napi_value edge_lock_file(napi_env env, napi_callback_info info) {
  napi_value argument;
  char *path;
  arguments_of(env, info, 1, &argument);
  if (!read_string(env, argument, "path", &path)) return NULL;
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const int open_error = errno;
  free(path);
  if (fd < 0) return throw_errno(env, "open a lock file", open_error);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(fd, F_SETLK, &lock) == 0) return number_of(env, fd);
  const int error = errno;
  close(fd);
  return error == EAGAIN || error == EACCES ? NULL : throw_errno(env, "lock a file", error);
}

/* pidfd_open(2) */
static napi_value edge_open_pidfd(napi_env env, napi_callback_info info) {
  napi_value argument;
  int pid;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "pid", 1, &pid)) return NULL;
  const int fd = (int)syscall(SYS_pidfd_open, pid, 0U);
  return fd < 0 ? throw_errno(env, "open a process", errno) : number_of(env, fd);
}

/* pidfd_send_signal(2) */
static napi_value edge_signal_pidfd(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int fd;
  int signal;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_int(env, arguments[1], "signal", 0, &signal)) return NULL;
  return number_of(env, syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0U) == 0 ? 0 : errno);
}

/* ---- watches: handles of Node's loop ---- */

struct watch {
  union {
    uv_handle_t any;
    uv_signal_t signal;
    uv_poll_t poll;
  } handle;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  /* The handle until it is closed, and each function that JavaScript was given: the last one frees the watch. */
  int holders;
};

static void let_go(struct watch *watch) {
  if (--watch->holders == 0) free(watch);
}

/* The callback may close the watch: nothing after the call may need more of it than its memory. */
static void call_back(const struct watch *watch) {
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

static void signal_arrived(uv_signal_t *handle, int number) {
  (void)number;
  call_back(handle->data);
}

/* Only here is the callback surely not on the stack: it could not do without its async context. */
static void watch_closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  napi_handle_scope scope;
  napi_open_handle_scope(watch->env, &scope);
  napi_async_destroy(watch->env, watch->context);
  napi_close_handle_scope(watch->env, scope);
  napi_remove_async_cleanup_hook(watch->cleanup);
  let_go(watch);
}

static void discard_watch(uv_handle_t *handle) {
  free(handle->data);
}

static void close_watch(struct watch *watch) {
  if (uv_is_closing(&watch->handle.any)) return;
  napi_delete_reference(watch->env, watch->callback);
  uv_close(&watch->handle.any, watch_closed);
}

/* Node does not close its loop, and a worker aborts, while a handle is open. */
static void environment_ends(napi_async_cleanup_hook_handle handle, void *argument) {
  (void)handle;
  close_watch(argument);
}

static void keep_watch(napi_env env, struct watch *watch, napi_value callback, const char *resource) {
  napi_value name;
  watch->env = env;
  watch->holders = 1;
  napi_create_reference(env, callback, 1, &watch->callback);
  napi_create_string_utf8(env, resource, NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &watch->context);
  napi_add_async_cleanup_hook(env, environment_ends, watch, &watch->cleanup);
}

/* The loop and an empty watch for it, or NULL with an exception. */
static struct watch *new_watch(napi_env env, napi_value callback, uv_loop_t **loop) {
  if (!is(env, callback, napi_function)) {
    refuse(env, "callback", "a function");
    return NULL;
  }
  if (napi_get_uv_event_loop(env, loop) != napi_ok) {
    throw_errno(env, "watch", ENOSYS);
    return NULL;
  }
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) {
    throw_errno(env, "watch", ENOMEM);
    return NULL;
  }
  watch->handle.any.data = watch;
  return watch;
}

/* sigaction(2), through the loop: process.on() knows signals by name only, and the real-time ones have none. */
static napi_value edge_watch_signal(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  uv_loop_t *loop;
  int signal;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "signal", 1, &signal)) return NULL;
  struct watch *watch = new_watch(env, arguments[1], &loop);
  if (watch == NULL) return NULL;
  int error = uv_signal_init(loop, &watch->handle.signal);
  if (error != 0) {
    free(watch);
    return throw_errno(env, "watch a signal", -error);
  }
  error = uv_signal_start(&watch->handle.signal, signal_arrived, signal);
  if (error != 0) {
    uv_close(&watch->handle.any, discard_watch);
    return throw_errno(env, "watch a signal", -error);
  }
  uv_unref(&watch->handle.any);
  keep_watch(env, watch, arguments[1], "chaperone.signal");
  return NULL;
}

static void start_polling(struct watch *watch);

/* After an error the loop no longer watches. It is to go on as poll(2) would: until somebody reads the error. */
static void became_readable(uv_poll_t *handle, int status, int events) {
  (void)events;
  if (status < 0) start_polling(handle->data);
  call_back(handle->data);
}

static void start_polling(struct watch *watch) {
  uv_poll_start(&watch->handle.poll, UV_READABLE | UV_DISCONNECT, became_readable);
}

static struct watch *watch_of(napi_env env, napi_callback_info info) {
  void *watch = NULL;
  napi_get_cb_info(env, info, NULL, NULL, NULL, &watch);
  return watch;
}

static napi_value pause_watch(napi_env env, napi_callback_info info) {
  struct watch *watch = watch_of(env, info);
  if (!uv_is_closing(&watch->handle.any)) uv_poll_stop(&watch->handle.poll);
  return NULL;
}

static napi_value resume_watch(napi_env env, napi_callback_info info) {
  struct watch *watch = watch_of(env, info);
  if (!uv_is_closing(&watch->handle.any)) start_polling(watch);
  return NULL;
}

static napi_value end_watch(napi_env env, napi_callback_info info) {
  close_watch(watch_of(env, info));
  return NULL;
}

static void function_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  let_go(data);
}

/* A function that holds the watch by itself, so that it can be handed around without the object. */
static void set_method(napi_env env, napi_value object, const char *name, napi_callback method, struct watch *watch) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, method, watch, &function) != napi_ok) return;
  watch->holders++;
  napi_add_finalizer(env, function, watch, function_collected, NULL, NULL);
  napi_set_named_property(env, object, name, function);
}

/* epoll(7), through the loop */
static napi_value edge_watch_readable(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  uv_loop_t *loop;
  int fd;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  struct watch *watch = new_watch(env, arguments[1], &loop);
  if (watch == NULL) return NULL;
  const int error = uv_poll_init(loop, &watch->handle.poll, fd);
  if (error != 0) {
    free(watch);
    return throw_errno(env, "watch a descriptor", -error);
  }
  start_polling(watch);
  keep_watch(env, watch, arguments[1], "chaperone.readable");
  napi_value result;
  napi_create_object(env, &result);
  set_method(env, result, "pause", pause_watch, watch);
  set_method(env, result, "resume", resume_watch, watch);
  set_method(env, result, "close", end_watch, watch);
  return result;
}

/* ---- datagrams ---- */

/* What one environment keeps between calls: a worker has its own. */
struct instance {
  /* The socket that sends; -1 before the first datagram. */
  int sender;
  /* DATAGRAM_BYTES; NULL before the first datagram. */
  uint8_t *datagram;
};

static void instance_ends(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct instance *instance = data;
  if (instance->sender >= 0) close(instance->sender);
  free(instance->datagram);
  free(instance);
}

static struct instance *instance_of(napi_env env) {
  void *instance = NULL;
  napi_get_instance_data(env, &instance);
  return instance;
}

/* unix(7). Returns 0 or an errno. A leading '@' stands for the NUL of an abstract name. */
static int unix_address(const char *path, struct sockaddr_un *address, socklen_t *size) {
  const size_t length = strlen(path);
  const bool abstract = path[0] == '@';
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  /* Nothing is a name, too: bind(2) would choose one. */
  if (length == 0) return EINVAL;
  if (length + !abstract > sizeof address->sun_path) return ENAMETOOLONG;
  memcpy(address->sun_path, path, length);
  if (abstract) address->sun_path[0] = '\0';
  *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
  return 0;
}

/* socket(2), bind(2). Returns the descriptor, or -1 with errno. */
static int bind_datagram(const char *path) {
  struct sockaddr_un address;
  socklen_t size;
  const int wrong = unix_address(path, &address, &size);
  if (wrong != 0) {
    errno = wrong;
    return -1;
  }
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* bind(2) */
static napi_value edge_bind_datagram(napi_env env, napi_callback_info info) {
  napi_value argument;
  char *path;
  arguments_of(env, info, 1, &argument);
  if (!read_string(env, argument, "path", &path)) return NULL;
  const int fd = bind_datagram(path);
  const int error = errno;
  free(path);
  return fd < 0 ? throw_errno(env, "bind a datagram socket", error) : number_of(env, fd);
}

static int send_datagram(struct instance *instance, const char *path, const uint8_t *data, size_t length) {
  struct sockaddr_un address;
  socklen_t size;
  const int wrong = unix_address(path, &address, &size);
  if (wrong != 0) return wrong;
  if (instance->sender < 0) instance->sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (instance->sender < 0) return errno;
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return sendto(instance->sender, data, length, flags, (const struct sockaddr *)&address, size) < 0 ? errno : 0;
}

/* sendto(2) */
static napi_value edge_send_datagram(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char *path;
  uint8_t *data;
  size_t length;
  arguments_of(env, info, 2, arguments);
  if (!read_bytes(env, arguments[1], &data, &length)) return NULL;
  if (!read_string(env, arguments[0], "path", &path)) return NULL;
  const int error = send_datagram(instance_of(env), path, data, length);
  free(path);
  return number_of(env, error);
}

/* setsockopt(2), SO_PASSCRED */
static napi_value edge_pass_credentials(napi_env env, napi_callback_info info) {
  napi_value argument;
  const int on = 1;
  int fd;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0) return NULL;
  return throw_errno(env, "ask for credentials", errno);
}

/* recvmmsg(2) of what is there into up to BATCH slots of one size. Returns how many datagrams came, 0 for none, -1 with errno. */
static int receive_present(int fd, uint8_t *data, size_t slot, uint32_t *lengths, size_t count) {
  struct mmsghdr messages[BATCH];
  struct iovec pieces[BATCH];
  const unsigned wanted = count < BATCH ? (unsigned)count : BATCH;
  int received;
  memset(messages, 0, wanted * sizeof *messages);
  for (unsigned i = 0; i < wanted; i++) {
    pieces[i] = (struct iovec){data + i * slot, slot};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  do {
    /* With MSG_TRUNC the lengths are those that were sent. */
    received = recvmmsg(fd, messages, wanted, MSG_DONTWAIT | MSG_TRUNC, NULL);
  } while (received < 0 && errno == EINTR);
  for (int i = 0; i < received; i++) lengths[i] = messages[i].msg_len;
  if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  return received;
}

/*
 * Fills the slots as long as datagrams come. Where the queue was full, whoever writes has been waiting and is running again now:
 * it is given a few turns of the processor, which is cheaper for both than to sleep and wake for every eleven.
 */
static ssize_t receive_batch(int fd, uint8_t *data, size_t slot, uint32_t *lengths, size_t count) {
  size_t taken = 0;
  bool flooded = false;
  for (int idle = 0; taken < count && idle <= (flooded ? PATIENCE : 0);) {
    const int received = receive_present(fd, data + taken * slot, slot, lengths + taken, count - taken);
    if (received < 0) return taken > 0 ? (ssize_t)taken : -1;
    flooded |= received >= FULL_QUEUE;
    taken += (size_t)received;
    if (received > 0) {
      idle = 0;
    } else {
      idle++;
      sched_yield();
    }
  }
  return (ssize_t)taken;
}

static bool is_blank(uint8_t byte) { return byte == ' ' || byte == 0 || (byte >= '\t' && byte <= '\r'); }

/* Printable ASCII and tabs. Without a branch in the loop, which lets the compiler look at many bytes at once. */
static bool is_plain(const uint8_t *data, size_t length) {
  uint8_t odd = 0;
  for (size_t i = 0; i < length; i++) odd |= (uint8_t)((uint8_t)(data[i] - ' ') > '~' - ' ') & (data[i] != '\t');
  return odd == 0;
}

/* The text of one datagram, without the blanks at its end; undefined where it is not plain, or was cut. */
static napi_value plain_text(napi_env env, const uint8_t *data, size_t length, size_t slot) {
  napi_value text = NULL;
  if (length > slot) return NULL;
  while (length > 0 && is_blank(data[length - 1])) length--;
  if (!is_plain(data, length)) return NULL;
  napi_create_string_latin1(env, (const char *)data, length, &text);
  return text;
}

static void set_texts(napi_env env, napi_value texts, const uint8_t *data, size_t slot, const uint32_t *lengths, size_t count) {
  napi_value undefined;
  napi_get_undefined(env, &undefined);
  for (size_t i = 0; i < count; i++) {
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    napi_value text = plain_text(env, data + i * slot, lengths[i], slot);
    napi_set_element(env, texts, (uint32_t)i, text == NULL ? undefined : text);
    napi_close_handle_scope(env, scope);
  }
}

/* recvmmsg(2) */
static napi_value edge_receive_batch(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  int fd;
  uint8_t *data;
  uint32_t *lengths;
  size_t size;
  size_t count;
  bool wants_texts = false;
  arguments_of(env, info, 4, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_bytes(env, arguments[1], &data, &size)) return NULL;
  if (!read_words(env, arguments[2], "lengths", &lengths, &count)) return NULL;
  if (count == 0 || size < count) {
    refuse(env, "lengths", "room for one datagram and no more datagrams than bytes");
    return NULL;
  }
  napi_is_array(env, arguments[3], &wants_texts);
  const ssize_t received = receive_batch(fd, data, size / count, lengths, count);
  if (received < 0) return throw_errno(env, "receive", errno);
  if (wants_texts) set_texts(env, arguments[3], data, size / count, lengths, (size_t)received);
  return number_of(env, (double)received);
}

/* A control message's alignment and the most that one datagram brings: credentials and descriptors. */
union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(PASSED_AT_MOST * sizeof(int))];
};

struct passed {
  int fds[PASSED_AT_MOST];
  uint32_t fd_count;
  bool has_credentials;
  struct ucred credentials;
};

static void read_control(struct msghdr *message, struct passed *passed) {
  passed->fd_count = 0;
  passed->has_credentials = false;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) {
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      memcpy(passed->fds + passed->fd_count, CMSG_DATA(header), count * sizeof(int));
      passed->fd_count += (uint32_t)count;
    } else if (header->cmsg_type == SCM_CREDENTIALS) {
      memcpy(&passed->credentials, CMSG_DATA(header), sizeof passed->credentials);
      passed->has_credentials = true;
    }
  }
}

static napi_value credentials_of(napi_env env, const struct ucred *credentials) {
  napi_value result;
  napi_create_object(env, &result);
  set_number(env, result, "pid", credentials->pid);
  set_number(env, result, "uid", credentials->uid);
  set_number(env, result, "gid", credentials->gid);
  return result;
}

static napi_value datagram_of(napi_env env, const uint8_t *data, size_t length, bool cut, const struct passed *passed) {
  napi_value datagram;
  napi_value bytes = NULL;
  napi_value descriptors;
  napi_create_object(env, &datagram);
  napi_create_buffer_copy(env, length, data, NULL, &bytes);
  napi_set_named_property(env, datagram, "bytes", bytes);
  set_boolean(env, datagram, "truncated", cut);
  if (passed->has_credentials) {
    napi_set_named_property(env, datagram, "credentials", credentials_of(env, &passed->credentials));
  }
  napi_create_array_with_length(env, passed->fd_count, &descriptors);
  for (uint32_t i = 0; i < passed->fd_count; i++) {
    napi_set_element(env, descriptors, i, number_of(env, passed->fds[i]));
  }
  napi_set_named_property(env, datagram, "descriptors", descriptors);
  return datagram;
}

/* recvmsg(2) of one datagram. Its descriptors are JavaScript's to close once they have arrived there. */
static bool receive_one(napi_env env, int fd, uint8_t *buffer, napi_value datagrams, uint32_t index) {
  union control control;
  struct passed passed;
  struct iovec piece = {buffer, DATAGRAM_BYTES};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t length;
  do {
    length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return false;
  read_control(&message, &passed);

  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  const bool cut = (message.msg_flags & MSG_TRUNC) != 0;
  const napi_value datagram = datagram_of(env, buffer, (size_t)length, cut, &passed);
  if (napi_set_element(env, datagrams, index, datagram) != napi_ok) {
    for (uint32_t i = 0; i < passed.fd_count; i++) close(passed.fds[i]);
  }
  napi_close_handle_scope(env, scope);
  return true;
}

/* recvmsg(2) */
static napi_value edge_receive_datagrams(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  napi_value datagrams;
  int fd;
  int limit;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_int(env, arguments[1], "limit", 1, &limit)) return NULL;
  struct instance *instance = instance_of(env);
  if (instance->datagram == NULL) instance->datagram = malloc(DATAGRAM_BYTES);
  if (instance->datagram == NULL) return throw_errno(env, "receive", ENOMEM);

  napi_create_array(env, &datagrams);
  uint32_t taken = 0;
  while (taken < (uint32_t)limit && receive_one(env, fd, instance->datagram, datagrams, taken)) taken++;
  /* An error behind datagrams waits for the next call: they, and their descriptors, would be lost. */
  if (taken == 0 && errno != EAGAIN && errno != EWOULDBLOCK) return throw_errno(env, "receive", errno);
  return datagrams;
}

/* ---- connections ---- */

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_storage storage;
};

/* Returns the size of the address of all interfaces. */
static socklen_t any_address(bool v6, uint16_t port, union address *address) {
  memset(address, 0, sizeof *address);
  if (v6) {
    address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
    return sizeof address->v6;
  }
  address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
  return sizeof address->v4;
}

/* socket(2), bind(2), listen(2). Returns the descriptor, or -1 with errno. */
static int listen_tcp(uint16_t port, bool v6, int backlog) {
  const int on = 1;
  const int off = 0;
  union address address;
  const socklen_t size = any_address(v6, port, &address);
  const int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  /* Also for IPv4 clients, whatever net.ipv6.bindv6only says. */
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      (!v6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) &&
      bind(fd, &address.any, size) == 0 && listen(fd, backlog) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* listen(2) */
static napi_value edge_listen_tcp(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int64_t port;
  int family;
  int backlog;
  arguments_of(env, info, 3, arguments);
  if (!read_integer(env, arguments[0], "port", 0, UINT16_MAX, &port)) return NULL;
  if (!read_int(env, arguments[1], "family", 0, &family)) return NULL;
  if (!read_int(env, arguments[2], "backlog", 0, &backlog)) return NULL;
  if (family != 4 && family != 6) {
    refuse(env, "family", "4 or 6");
    return NULL;
  }
  const int fd = listen_tcp((uint16_t)port, family == 6, backlog);
  return fd < 0 ? throw_errno(env, "listen", errno) : number_of(env, fd);
}

/* 0 where the family has no ports. */
static uint16_t port_of(const union address *address) {
  if (address->any.sa_family == AF_INET) return ntohs(address->v4.sin_port);
  if (address->any.sa_family == AF_INET6) return ntohs(address->v6.sin6_port);
  return 0;
}

/* getsockname(2) */
static napi_value edge_local_port(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  union address address;
  socklen_t size = sizeof address;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  if (getsockname(fd, &address.any, &size) != 0) return throw_errno(env, "read a port", errno);
  return number_of(env, port_of(&address));
}

/* inet_ntop(3), with an IPv4 client of a dual-stack socket as what it is; empty for a family without addresses. */
static void address_text(const union address *address, char text[INET6_ADDRSTRLEN]) {
  text[0] = '\0';
  if (address->any.sa_family == AF_INET) {
    inet_ntop(AF_INET, &address->v4.sin_addr, text, INET6_ADDRSTRLEN);
  } else if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) {
    inet_ntop(AF_INET, address->v6.sin6_addr.s6_addr + 12, text, INET6_ADDRSTRLEN);
  } else if (address->any.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &address->v6.sin6_addr, text, INET6_ADDRSTRLEN);
  }
}

/* Nobody is there, or nobody any more: accept(2) lists the network errors that are the lost connection's own. */
static bool nobody_to_accept(int error) {
  switch (error) {
    case EAGAIN:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

/* accept(2) */
static napi_value edge_accept_connection(napi_env env, napi_callback_info info) {
  napi_value argument;
  int listener;
  int fd;
  union address address = {0};
  socklen_t size = sizeof address;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &listener)) return NULL;
  do {
    /* Not SOCK_NONBLOCK: the connection becomes a program's standard input. */
    fd = accept4(listener, &address.any, &size, SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return nobody_to_accept(errno) ? NULL : throw_errno(env, "accept", errno);
  char text[INET6_ADDRSTRLEN];
  napi_value result;
  address_text(&address, text);
  napi_create_object(env, &result);
  set_number(env, result, "fd", fd);
  set_string(env, result, "address", text);
  set_number(env, result, "port", port_of(&address));
  return result;
}

/* getsockopt(2), SO_PEERCRED */
static napi_value edge_peer_credentials(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return throw_errno(env, "read a peer's credentials", errno);
  }
  /* What the kernel answers for a socket that has no peer, or one of another machine. */
  if (credentials.uid == (uid_t)-1) return throw_errno(env, "read a peer's credentials", ENOTCONN);
  return credentials_of(env, &credentials);
}

/* The supplementary groups of the process at the other end, as they were when it connected. */
static napi_value edge_peer_groups(napi_env env, napi_callback_info info) {
  napi_value argument, list;
  int fd;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  /* Without room the kernel says how much it needs. */
  socklen_t size = 0;
  gid_t *groups = NULL;
  while (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
    const int error = errno;
    free(groups);
    if (error != ERANGE) return throw_errno(env, "read a peer's groups", error);
    groups = malloc(size);
    if (groups == NULL) return throw_errno(env, "read a peer's groups", ENOMEM);
  }
  const size_t count = size / sizeof *groups;
  napi_create_array_with_length(env, count, &list);
  for (size_t i = 0; i < count; i++) {
    napi_value gid;
    napi_create_uint32(env, groups[i], &gid);
    napi_set_element(env, list, (uint32_t)i, gid);
  }
  free(groups);
  return list;
}

/* mkfifo(3) */
static napi_value edge_make_fifo(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char *path;
  int mode;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[1], "mode", 0, &mode)) return NULL;
  if (!read_string(env, arguments[0], "path", &path)) return NULL;
  const int made = mkfifo(path, (mode_t)mode);
  const int error = errno;
  free(path);
  return made == 0 ? NULL : throw_errno(env, "make a FIFO", error);
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
      {"randomHex", edge_random_hex},
      {"descriptorLimit", edge_descriptor_limit},
      {"setBlocking", edge_set_blocking},
      {"duplicate", edge_duplicate},
      {"replaceDescriptor", edge_replace_descriptor},
      {"lockFile", edge_lock_file},
      {"openPidfd", edge_open_pidfd},
      {"signalPidfd", edge_signal_pidfd},
      {"watchReadable", edge_watch_readable},
      {"bindDatagram", edge_bind_datagram},
      {"sendDatagram", edge_send_datagram},
      {"passCredentials", edge_pass_credentials},
      {"receiveBatch", edge_receive_batch},
      {"receiveDatagrams", edge_receive_datagrams},
      {"listenTcp", edge_listen_tcp},
      {"localPort", edge_local_port},
      {"acceptConnection", edge_accept_connection},
      {"peerCredentials", edge_peer_credentials},
      {"peerGroups", edge_peer_groups},
      {"makeFifo", edge_make_fifo},
  };
  struct instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL) return throw_errno(env, "load", ENOMEM);
  instance->sender = -1;
  napi_set_instance_data(env, instance, instance_ends, NULL);
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}
