/* Packets: the connection to the body (native/body/), a SOCK_SEQPACKET socket that carries descriptors. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SCM_MAX_FD: the most descriptors that one message carries. */
#define PASSED_AT_MOST 253

/* socketpair(2) */
napi_value edge_packet_pair(napi_env env, napi_callback_info info) {
  (void)info;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return throw_errno(env, "open a connection", errno);
  }
  napi_value pair;
  napi_create_array_with_length(env, 2, &pair);
  for (uint32_t i = 0; i < 2; i++) napi_set_element(env, pair, i, number_of(env, ends[i]));
  return pair;
}

static bool read_descriptors(napi_env env, napi_value value, int *descriptors, uint32_t *count) {
  if (!read_length(env, value, "descriptors", count)) return false;
  if (*count > PASSED_AT_MOST) return refuse(env, "descriptors", "at most 253 descriptors");
  for (uint32_t i = 0; i < *count; i++) {
    napi_value element;
    if (napi_get_element(env, value, i, &element) != napi_ok) return false;
    if (!read_int(env, element, "descriptors", 0, &descriptors[i])) return false;
  }
  return true;
}

/* sendmsg(2), SCM_RIGHTS */
napi_value edge_send_packet(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int fd;
  uint8_t *data = NULL;
  size_t length = 0;
  uint32_t count;
  int descriptors[PASSED_AT_MOST];
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof descriptors)];
  arguments_of(env, info, 3, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_bytes(env, arguments[1], &data, &length)) return NULL;
  if (!read_descriptors(env, arguments[2], descriptors, &count)) return NULL;

  struct iovec vector = {data, length};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (count > 0) {
    memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return number_of(env, sent < 0 ? errno : 0);
}

/* recv(2) */
napi_value edge_receive_packet(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int fd;
  uint8_t *data = NULL;
  size_t length = 0;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_bytes(env, arguments[1], &data, &length)) return NULL;
  ssize_t bytes;
  do {
    bytes = recv(fd, data, length, MSG_DONTWAIT);
  } while (bytes < 0 && errno == EINTR);
  if (bytes >= 0) return number_of(env, (double)bytes);
  /* A connection that was reset has ended. */
  return number_of(env, errno == EAGAIN || errno == EWOULDBLOCK ? -1 : 0);
}

/* memfd_create(2), write(2), lseek(2) */
napi_value edge_memory_file(napi_env env, napi_callback_info info) {
  napi_value argument;
  uint8_t *data = NULL;
  size_t length = 0;
  arguments_of(env, info, 1, &argument);
  if (!read_bytes(env, argument, &data, &length)) return NULL;
  const int fd = (int)syscall(SYS_memfd_create, "request", 1U /* MFD_CLOEXEC */);
  if (fd < 0) return throw_errno(env, "make a memory file", errno);
  for (size_t at = 0; at < length;) {
    const ssize_t bytes = write(fd, data + at, length - at);
    if (bytes > 0) {
      at += (size_t)bytes;
    } else if (bytes < 0 && errno != EINTR) {
      const int error = errno;
      close(fd);
      return throw_errno(env, "fill a memory file", error);
    }
  }
  return number_of(env, fd);
}
