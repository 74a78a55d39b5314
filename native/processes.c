/* Processes: reaping, signals, pidfds, and questions of chaperone about itself. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Older C libraries lack these numbers although newer kernels have the calls. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef PR_SET_CHILD_SUBREAPER
#define PR_SET_CHILD_SUBREAPER 36
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

/* waitid(2) as a raw call, because the C library's version has no parameter for the rusage. */
napi_value edge_reap(napi_env env, napi_callback_info info) {
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
    /* With WNOHANG and no dead child the call succeeds and may leave si_pid unchanged. */
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
napi_value edge_set_subreaper(napi_env env, napi_callback_info info) {
  (void)info;
  if (prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) != 0) return throw_errno(env, "adopt orphans", errno);
  return NULL;
}

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
