/*
 * Spawn: clone(2) and execve(2).
 *
 * Between the two calls the child shares the supervisor's memory (CLONE_VM), while the calling thread stands still
 * (CLONE_VFORK) and every other thread of Node runs on. So the child allocates no memory, takes no lock, and writes
 * only to its own stack, errno and the two places that the request keeps for it (descriptors, pid_places). It calls the
 * kernel through syscall(2), because glibc's setuid(3) and similar functions would signal the supervisor's threads.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Older C libraries lack these numbers although newer kernels have the calls. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define SIGNAL_COUNT 64
/* The kernel's sizeof(sigset_t); the C library's is larger. */
#define SIGNAL_SET_BYTES (SIGNAL_COUNT / 8)
#define CHILD_STACK_BYTES (64 * 1024)
/* The number of descriptors that are closed one by one where nothing tells which of them are open. */
#define CLOSE_AT_MOST 65536
#define STDIO_COUNT 3
/* Room for ten digits and the NUL byte. */
#define PID_BYTES 11

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

/* A spawn as the child reads it: all memory is allocated before the clone. Absent numbers are -1. */
struct request {
  char *file;
  char **argv;
  char **environment;
  char *directory;
  /* The descriptors that become 0, 1, 2, and so on. The child writes its copies here. */
  int *descriptors;
  int descriptor_count;
  /* The places in `environment` where the child writes its pid; NULL ends the list. */
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

/* The message that the child sends over the error pipe. */
struct failure {
  int error;
  enum stage stage;
};

struct child {
  const struct request *request;
  int error_pipe;
};

/* ---- spawn, the child's side: system calls only ---- */

static _Noreturn void give_up(int error_pipe, enum stage stage) {
  const struct failure failure = {errno, stage};
  /* The message is smaller than PIPE_BUF, so the write is atomic. An error here could not be reported to anyone. */
  syscall(SYS_write, error_pipe, &failure, sizeof failure);
  for (;;) syscall(SYS_exit_group, 127);
}

static bool leave_group(enum grouping group) {
  if (group == GROUP_SESSION) return syscall(SYS_setsid) >= 0;
  if (group == GROUP_GROUP) return syscall(SYS_setpgid, 0, 0) == 0;
  return true;
}

/* tcsetpgrp(3). The child is already a background process; it is not stopped because SIGTTOU is blocked. */
static bool take_terminal(int terminal) {
  const pid_t self = (pid_t)syscall(SYS_getpid);
  return terminal < 0 || syscall(SYS_ioctl, terminal, TIOCSPGRP, &self) == 0;
}

/* Returns the descriptor, or a copy of it with a number of at least `least`. */
static int not_below(int least, int fd) {
  return fd >= least ? fd : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least);
}

/*
 * First all descriptors move up, out of the way of the dup3(2) onto 0, 1, 2 and so on. dup3(2) clears O_CLOEXEC. It
 * keeps O_NONBLOCK, which belongs to the file description that others share.
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

/* atoi(3) without the locale; -1 for "." and "..". */
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

/* Closes all but the first `count` descriptors and the error pipe, which moves next to them for one close_range(2). */
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

/* Writes the digits by hand, because snprintf(3) takes locks. */
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

/* An ignored signal stays ignored across execve(2), and Node ignores SIGPIPE. SIGKILL and SIGSTOP answer EINVAL. */
static void reset_signals(void) {
  const uint64_t empty = 0;
  /* All zeroes mean SIG_DFL, no flags and no mask, whatever the machine's order of fields. */
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
  /* The change of directory follows the change of account, so that the account's rights decide, as in systemd. */
  if (request->directory != NULL && syscall(SYS_chdir, request->directory) != 0) {
    give_up(error_pipe, STAGE_DIRECTORY);
  }
  write_pids(request->pid_places);
  reset_signals();
  syscall(SYS_execve, request->file, request->argv, request->environment);
  give_up(error_pipe, STAGE_EXEC);
}

/* ---- spawn, the supervisor's side ---- */

/* Blocks all 64 signals, also those that sigfillset(3) reserves for the C library: no handler may run in the child. */
static uint64_t block_signals(void) {
  const uint64_t all = ~UINT64_C(0);
  uint64_t before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, SIGNAL_SET_BYTES);
  return before;
}

static void restore_signals(uint64_t before) {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGNAL_SET_BYTES);
}

/* clone(2) on a separate stack. A guard page below it turns an overflow into a crash of the child. */
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
 * Reads the child's report. End of file means that execve(2) closed the pipe, or that a signal ended the child before:
 * in both cases there is a process whose exit will be reaped.
 */
static bool child_failed(int read_end, pid_t pid, struct failure *failure) {
  ssize_t bytes;
  do {
    bytes = read(read_end, failure, sizeof *failure);
  } while (bytes < 0 && errno == EINTR);
  if (bytes == 0) return false;
  if (bytes != sizeof *failure) {
    /* Eight bytes in a pipe are never read short. If they are, the child is killed: it must not run unknown. */
    *failure = (struct failure){bytes < 0 ? errno : EIO, STAGE_PIPE};
    kill(pid, SIGKILL);
  }
  reap_one(pid);
  return true;
}

/* Returns the terminal after a failed spawn: Ctrl-C would otherwise go to a process group that no longer exists. */
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

/* Sorts the groups, drops repetitions, and returns how many are left. */
static size_t as_set(gid_t *groups, size_t count) {
  size_t kept = 0;
  if (count > 1) qsort(groups, count, sizeof *groups, compare_gids);
  for (size_t i = 0; i < count; i++) {
    if (kept == 0 || groups[kept - 1] != groups[i]) groups[kept++] = groups[i];
  }
  return kept;
}

/* True where the process has exactly these groups: without privilege setgroups(2) fails even if it changes nothing. */
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

/* Reads `stdio`, then `descriptors` if there are any, into one list. */
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

/* True where a `NAME=value` string has one of the names. */
static bool is_named(const char *variable, char *const *names) {
  const size_t length = strcspn(variable, "=");
  for (; *names != NULL; names++) {
    if (strlen(*names) == length && memcmp(*names, variable, length) == 0) return true;
  }
  return false;
}

/* Replaces the variables with these names in the environment by new ones that have room for a pid. */
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
  /* An empty argv is refused: programs that rely on argv[0] would read the environment instead. */
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
napi_value edge_spawn(napi_env env, napi_callback_info info) {
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

/* tcsetpgrp(3) */
napi_value edge_take_terminal(napi_env env, napi_callback_info info) {
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
