/* Processes: signals, pidfds, and questions of chaperone about itself. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Older C libraries lack these numbers although newer kernels have the calls. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/*
 * The structure that linux/pidfd.h has since Linux 6.13 (PIDFD_GET_INFO) and 6.15 (PIDFD_INFO_EXIT), in the size that
 * every version accepts. It has names of its own, since newer headers define the kernel's.
 */
struct process_info {
  /* The fields that the caller asks for, and after the call those that the kernel filled. */
  uint64_t mask;
  uint64_t cgroup_id;
  uint32_t ids[11];
  /* The exit status as wait(2) encodes it. */
  int32_t exit_code;
};
_Static_assert(sizeof(struct process_info) == 64, "the size is a part of the number of the ioctl");
#define GET_PROCESS_INFO _IOWR(0xFF, 11, struct process_info)
#define INFO_EXIT (UINT64_C(1) << 3)

#define RANDOM_AT_MOST 64
/* proc_pid_stat(5): the number of fields from the state, which follows the name, to `arg_start`; `arg_end` is the next one. */
#define FIELDS_BEFORE_ARGUMENTS 45

/* kill(2) */
napi_value edge_kill(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int pid;
  int signal;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "pid", INT_MIN, &pid)) return NULL;
  if (!read_int(env, arguments[1], "signal", 0, &signal)) return NULL;
  return number_of(env, kill(pid, signal) == 0 ? 0 : errno);
}

/* _exit(2) */
napi_value edge_exit_now(napi_env env, napi_callback_info info) {
  napi_value argument;
  int64_t status;
  arguments_of(env, info, 1, &argument);
  if (!read_integer(env, argument, "status", 0, 255, &status)) return NULL;
  _exit((int)status);
}

/* getrandom(2), as hexadecimal digits */
napi_value edge_random_hex(napi_env env, napi_callback_info info) {
  static const char digits[] = "0123456789abcdef";
  napi_value argument;
  napi_value text = NULL;
  int64_t count;
  uint8_t bytes[RANDOM_AT_MOST];
  char hex[2 * RANDOM_AT_MOST];
  arguments_of(env, info, 1, &argument);
  if (!read_integer(env, argument, "count", 1, RANDOM_AT_MOST, &count)) return NULL;
  /* A request of so few bytes is never cut short, nor interrupted by a signal once the kernel's generator is seeded. */
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
napi_value edge_descriptor_limit(napi_env env, napi_callback_info info) {
  (void)info;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return throw_errno(env, "read the descriptor limit", errno);
  napi_value result;
  napi_create_object(env, &result);
  set_number(env, result, "soft", limit_number(limit.rlim_cur));
  set_number(env, result, "hard", limit_number(limit.rlim_max));
  return result;
}

/* pidfd_open(2) */
napi_value edge_open_pidfd(napi_env env, napi_callback_info info) {
  napi_value argument;
  int pid;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "pid", 1, &pid)) return NULL;
  const int fd = (int)syscall(SYS_pidfd_open, pid, 0U);
  return fd < 0 ? throw_errno(env, "open a process", errno) : number_of(env, fd);
}

/* ioctl(2), PIDFD_GET_INFO, as a raw call: musl's ioctl takes an int, which is too small for the number. */
napi_value edge_pidfd_exit(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  struct process_info process = {.mask = INFO_EXIT};
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  if (syscall(SYS_ioctl, fd, GET_PROCESS_INFO, &process) != 0) return throw_errno(env, "ask for an exit status", errno);
  return (process.mask & INFO_EXIT) != 0 ? number_of(env, process.exit_code) : NULL;
}

/* pidfd_send_signal(2) */
napi_value edge_signal_pidfd(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int fd;
  int signal;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_int(env, arguments[1], "signal", 0, &signal)) return NULL;
  return number_of(env, syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0U) == 0 ? 0 : errno);
}

/* The bytes of this process's arguments, by which ps(1) shows its command line. Returns false without /proc. */
static bool find_arguments(uintptr_t *start, uintptr_t *end) {
  char text[2048];
  const int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (length <= 0) return false;
  text[length] = '\0';
  char *field = strrchr(text, ')');
  if (field == NULL) return false;
  field += 2;
  for (int i = 0; i < FIELDS_BEFORE_ARGUMENTS; i++) {
    field = strchr(field, ' ');
    if (field == NULL) return false;
    field++;
  }
  *start = strtoull(field, &field, 10);
  *end = strtoull(field, NULL, 10);
  return *start != 0 && *end > *start + 1;
}

/*
 * Writes a title over the arguments, as setproctitle(3) of the BSDs, and as the name of the thread. Where a loader was executed
 * with the path of Node, its arguments are overwritten too, which process.title of Node does not know of.
 */
napi_value edge_set_title(napi_env env, napi_callback_info info) {
  napi_value argument;
  char *title;
  uintptr_t start;
  uintptr_t end;
  arguments_of(env, info, 1, &argument);
  if (!read_string(env, argument, "title", &title)) return NULL;
  prctl(PR_SET_NAME, title, 0, 0, 0);
  if (find_arguments(&start, &end)) {
    memset((void *)start, 0, end - start);
    strncpy((char *)start, title, end - start - 1);
  }
  free(title);
  return NULL;
}
