/* Connections: TCP for inetd services, and the credentials of the other end of a unix socket. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Older C libraries lack these numbers although newer kernels have the calls. */
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

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
  /* The socket also takes IPv4 clients, whatever net.ipv6.bindv6only says. */
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
napi_value edge_listen_tcp(napi_env env, napi_callback_info info) {
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

/* Returns 0 for a family without ports. */
static uint16_t port_of(const union address *address) {
  if (address->any.sa_family == AF_INET) return ntohs(address->v4.sin_port);
  if (address->any.sa_family == AF_INET6) return ntohs(address->v6.sin6_port);
  return 0;
}

/* getsockname(2) */
napi_value edge_local_port(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  union address address;
  socklen_t size = sizeof address;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  if (getsockname(fd, &address.any, &size) != 0) return throw_errno(env, "read a port", errno);
  return number_of(env, port_of(&address));
}

/* inet_ntop(3). An IPv4 client of a dual-stack socket is shown as IPv4; a family without addresses gives "". */
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

/* No client waits, or the waiting one is gone: accept(2) lists the network errors of a connection that was lost. */
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
napi_value edge_accept_connection(napi_env env, napi_callback_info info) {
  napi_value argument;
  int listener;
  int fd;
  union address address = {0};
  socklen_t size = sizeof address;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &listener)) return NULL;
  do {
    /* Without SOCK_NONBLOCK, because the connection becomes a program's standard input. */
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
napi_value edge_peer_credentials(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return throw_errno(env, "read a peer's credentials", errno);
  }
  /* The kernel answers -1 for a socket that has no peer, or a peer on another machine. */
  if (credentials.uid == (uid_t)-1) return throw_errno(env, "read a peer's credentials", ENOTCONN);
  return credentials_of(env, &credentials);
}

/* The supplementary groups that the process at the other end had when it connected. */
napi_value edge_peer_groups(napi_env env, napi_callback_info info) {
  napi_value argument, list;
  int fd;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  /* A call without room for the groups makes the kernel tell the size that it needs. */
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
