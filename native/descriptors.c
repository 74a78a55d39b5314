/* Descriptors: pipes, FIFOs and files, without a thread, and without waiting longer than the caller allows. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Older C libraries lack these numbers although newer kernels have the calls. */
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

/* pipe2(2) */
napi_value edge_pipe(napi_env env, napi_callback_info info) {
  (void)info;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return throw_errno(env, "open a pipe", errno);
  /* Each end has a file description of its own: the end that services write to stays blocking. */
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  napi_value result;
  napi_create_object(env, &result);
  set_number(env, result, "readEnd", ends[0]);
  set_number(env, result, "writeEnd", ends[1]);
  return result;
}

/* read(2) */
napi_value edge_read_now(napi_env env, napi_callback_info info) {
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

/* fstat(2), by its number: glibc before 2.33 has no symbol for it, and one build of this addon is for every C library. */
static bool is_fifo(int fd) {
  struct stat status;
  return syscall(SYS_fstat, fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/*
 * One write that does not block, on a descriptor that may be in blocking mode. O_NONBLOCK is not set, because it would
 * apply to the services that share the descriptor. After POLLOUT a pipe has room for PIPE_BUF bytes; RWF_NOWAIT covers
 * a service that took the room in between, on kernels that support it for pipes (6.4). A regular file is written
 * without RWF_NOWAIT, which may never succeed there.
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
      /* The pipe was ready and is full: another writer was quicker. Give the reader a moment instead of spinning. */
      if (left <= 0) break;
      poll(NULL, 0, 1);
    } else if (errno != EINTR) {
      break;
    }
  }
  return written;
}

/* poll(2), write(2) */
napi_value edge_write_now(napi_env env, napi_callback_info info) {
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

/* fcntl(2) */
napi_value edge_set_blocking(napi_env env, napi_callback_info info) {
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

/* ioctl(2), FIONREAD */
napi_value edge_waiting_bytes(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  int count = 0;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  return ioctl(fd, FIONREAD, &count) != 0 ? throw_errno(env, "look into a pipe", errno) : number_of(env, count);
}

/* fcntl(2) */
napi_value edge_duplicate(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return copy < 0 ? throw_errno(env, "duplicate a descriptor", errno) : number_of(env, copy);
}

/* dup3(2) */
napi_value edge_replace_descriptor(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int from;
  int to;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "from", 0, &from) || !read_int(env, arguments[1], "to", 0, &to)) return NULL;
  if (dup3(from, to, O_CLOEXEC) < 0) return throw_errno(env, "replace a descriptor", errno);
  return NULL;
}

/* fcntl(2), as lckpwdf(3) */
napi_value edge_lock_file(napi_env env, napi_callback_info info) {
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

/* mkfifo(3) */
napi_value edge_make_fifo(napi_env env, napi_callback_info info) {
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
