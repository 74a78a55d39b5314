/*
 * Closes descriptors that came with requests. close(2) may wait: for the other end of a connection with SO_LINGER, which
 * the service may have set; for a terminal line; for a file system of another process or machine. What may wait is
 * closed by a child that shares the descriptors of the body. Pipes, memory files, local sockets and /dev/null, which
 * nearly all requests bring, are closed at once.
 */
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif
#ifndef AT_STATX_DONT_SYNC
#define AT_STATX_DONT_SYNC 0x4000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

/* s that one close(2) may take in the child; then it is interrupted, and the next descriptor follows. */
#define CLOSE_PATIENCE 10
/* So many descriptors are not collected for one child. */
#define COLLECTED_AT_MOST 16
/* ms until a child is tried again that could not be started. */
#define RETRY_DELAY 100
#define STACK_BYTES 16384
#define DESCRIPTOR_BYTES_AT_MOST ((size_t)1024 * 1024)

static struct store waiting;
static int64_t retry;

static int *all(void) {
  return (int *)(void *)waiting.bytes;
}

static size_t waiting_count(void) {
  return waiting.size / sizeof(int);
}

/* statx(2), because fstat(2) may ask the file system, and wait for it. */
static bool is_null_device(int fd) {
  struct {
    uint32_t head[7];
    uint16_t mode;
    uint16_t padding;
    uint64_t middle[12];
    uint32_t major;
    uint32_t minor;
    uint64_t rest[15];
  } status;
  _Static_assert(sizeof status == 256, "the size of the kernel's struct statx");
#ifdef SYS_statx
  const long result = syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 1U /* STATX_TYPE */, &status);
  return result == 0 && S_ISCHR(status.mode) && status.major == 1 && status.minor == 3;
#else
  (void)fd;
  (void)status;
  return false;
#endif
}

static bool is_local_socket(int fd) {
  int domain = -1;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

static bool closes_at_once(int fd) {
  return fcntl(fd, F_GETPIPE_SZ) >= 0 || is_null_device(fd) || is_local_socket(fd) || fcntl(fd, F_GET_SEALS) >= 0;
}

void close_received(const int *descriptors, int count) {
  for (int i = 0; i < count; i++) {
    const int fd = descriptors[i];
    if (closes_at_once(fd) || !grow(&waiting, sizeof fd, DESCRIPTOR_BYTES_AT_MOST)) {
      close(fd);
      continue;
    }
    all()[waiting_count()] = fd;
    waiting.size += sizeof fd;
  }
  if (waiting_count() >= COLLECTED_AT_MOST) close_waiting();
}

static void ignore(int signal) {
  (void)signal;
}

/* Runs in the child. A signal that is handled interrupts close(2), and the descriptor is closed all the same. */
static int close_all(void *argument) {
  (void)argument;
  const struct itimerval timer = {{CLOSE_PATIENCE, 0}, {CLOSE_PATIENCE, 0}};
  const struct sigaction action = {.sa_handler = ignore};
  unblock_signals();
  sigaction(SIGALRM, &action, NULL);
  signal(SIGTERM, SIG_IGN);
  setitimer(ITIMER_REAL, &timer, NULL);
  for (size_t i = 0; i < waiting_count(); i++) close(all()[i]);
  _exit(0);
}

void close_waiting(void) {
  /* The child has memory of its own, and with it a stack of its own at the same place. */
  static _Alignas(16) char stack[STACK_BYTES];
  retry = 0;
  if (waiting_count() == 0) return;
  const int pid = has_room_for_helper() ? clone(close_all, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL) : -1;
  if (pid > 0) {
    add_helper(pid, false);
    waiting.size = 0;
  } else {
    retry = now_ms() + RETRY_DELAY;
  }
}

int64_t closing_deadline(void) {
  return retry;
}
