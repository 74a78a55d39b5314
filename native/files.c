/* What a copy of a file needs to be the same file: its attributes, times, holes and kind. Paths are bytes, as in the kernel. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Reads the bytes of a path, or of a name, which the caller frees. */
static bool read_path(napi_env env, napi_value value, char **out) {
  uint8_t *data;
  size_t length;
  if (!read_bytes(env, value, &data, &length)) return false;
  if (memchr(data, '\0', length) != NULL) return refuse(env, "path", "bytes without NUL");
  char *path = malloc(length + 1);
  if (path == NULL) return throw_errno(env, "hold a path", ENOMEM) != NULL;
  memcpy(path, data, length);
  path[length] = '\0';
  *out = path;
  return true;
}

/* mknod(2) */
napi_value edge_make_node(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  char *path = NULL;
  int mode;
  int64_t device;
  arguments_of(env, info, 3, arguments);
  if (!read_int(env, arguments[1], "mode", 0, &mode)) return NULL;
  if (!read_integer(env, arguments[2], "device", 0, LARGEST_INTEGER, &device)) return NULL;
  if (!read_path(env, arguments[0], &path)) return NULL;
  // By its number: older versions of the GNU C library have no such symbol.
  const long made = syscall(SYS_mknodat, AT_FDCWD, path, (mode_t)mode, (unsigned int)device);
  const int error = errno;
  free(path);
  return made == 0 ? NULL : throw_errno(env, "make a node", error);
}

/* One call that fills a buffer, or tells how large that has to be where it gets none. */
typedef ssize_t (*reader)(const char *path, const char *name, void *buffer, size_t size);

static ssize_t list_names(const char *path, const char *name, void *buffer, size_t size) {
  (void)name;
  return llistxattr(path, buffer, size);
}

static napi_value bytes_of(napi_env env, reader read, const char *path, const char *name, const char *what) {
  for (;;) {
    const ssize_t size = read(path, name, NULL, 0);
    if (size < 0) return throw_errno(env, what, errno);
    void *buffer = malloc((size_t)size + 1);
    if (buffer == NULL) return throw_errno(env, what, ENOMEM);
    const ssize_t length = read(path, name, buffer, (size_t)size);
    const int error = errno;
    napi_value result = NULL;
    if (length >= 0) napi_create_buffer_copy(env, (size_t)length, buffer, NULL, &result);
    free(buffer);
    if (length >= 0) return result;
    /* Somebody has set a longer value between the two calls. */
    if (error != ERANGE) return throw_errno(env, what, error);
  }
}

/* llistxattr(2) */
napi_value edge_list_attributes(napi_env env, napi_callback_info info) {
  napi_value argument;
  char *path = NULL;
  arguments_of(env, info, 1, &argument);
  if (!read_path(env, argument, &path)) return NULL;
  napi_value result = bytes_of(env, list_names, path, "", "list extended attributes");
  free(path);
  return result;
}

/* lgetxattr(2) */
napi_value edge_get_attribute(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char *path = NULL;
  char *name = NULL;
  arguments_of(env, info, 2, arguments);
  if (!read_path(env, arguments[0], &path)) return NULL;
  napi_value result = NULL;
  if (read_path(env, arguments[1], &name)) {
    result = bytes_of(env, lgetxattr, path, name, "read an extended attribute");
    free(name);
  }
  free(path);
  return result;
}

/* lsetxattr(2) */
napi_value edge_set_attribute(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  char *path = NULL;
  char *name = NULL;
  uint8_t *value;
  size_t length;
  arguments_of(env, info, 3, arguments);
  if (!read_bytes(env, arguments[2], &value, &length)) return NULL;
  if (!read_path(env, arguments[0], &path)) return NULL;
  if (!read_path(env, arguments[1], &name)) {
    free(path);
    return NULL;
  }
  const int set = lsetxattr(path, name, value, length, 0);
  const int error = errno;
  free(name);
  free(path);
  return set == 0 ? NULL : throw_errno(env, "set an extended attribute", error);
}

static bool read_time(napi_env env, napi_value seconds, napi_value nanoseconds, struct timespec *time) {
  int64_t whole;
  int64_t rest;
  if (!read_integer(env, seconds, "seconds", -LARGEST_INTEGER, LARGEST_INTEGER, &whole)) return false;
  if (!read_integer(env, nanoseconds, "nanoseconds", 0, 999999999, &rest)) return false;
  *time = (struct timespec){.tv_sec = whole, .tv_nsec = rest};
  return true;
}

/* utimensat(2) with AT_SYMLINK_NOFOLLOW */
napi_value edge_set_times(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  char *path = NULL;
  struct timespec times[2];
  arguments_of(env, info, 5, arguments);
  if (!read_time(env, arguments[1], arguments[2], &times[0])) return NULL;
  if (!read_time(env, arguments[3], arguments[4], &times[1])) return NULL;
  if (!read_path(env, arguments[0], &path)) return NULL;
  const int set = utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
  const int error = errno;
  free(path);
  return set == 0 ? NULL : throw_errno(env, "set times", error);
}

/* lseek(2) with SEEK_DATA and SEEK_HOLE */
napi_value edge_next_data(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int fd;
  int64_t from;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_integer(env, arguments[1], "from", 0, LARGEST_INTEGER, &from)) return NULL;
  const off_t begin = lseek(fd, from, SEEK_DATA);
  if (begin < 0) return errno == ENXIO ? NULL : throw_errno(env, "look for data", errno);
  const off_t end = lseek(fd, begin, SEEK_HOLE);
  if (end < 0) return throw_errno(env, "look for a hole", errno);
  napi_value result;
  napi_create_object(env, &result);
  set_number(env, result, "begin", (double)begin);
  set_number(env, result, "end", (double)end);
  return result;
}

/* syncfs(2) */
napi_value edge_sync_file_system(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  return syncfs(fd) == 0 ? NULL : throw_errno(env, "write a file system to its disk", errno);
}
