/* Datagrams: unix sockets for syslog(3) and sd_notify(3). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "address.h"
#include "edge.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_BYTES (256 * 1024)
/* SCM_MAX_FD: the most descriptors that one message carries. */
#define PASSED_AT_MOST 253
/* The most datagrams that one recvmmsg(2) takes; a unix socket holds eleven. */
#define BATCH 16
/* This many datagrams at once mean that the queue was full, or nearly full. */
#define FULL_QUEUE 8
/* How often an empty queue is read again before a flood counts as over. */
#define PATIENCE 4
/* A batch ends behind so many bytes: the caller has to write them before it takes more. */
#define BATCH_BYTES ((size_t)128 * 1024)
/* Behind a datagram of so many bytes only one is taken at once, because eleven might be more than the caller has room for. */
#define LARGE_DATAGRAM 4096
/* The number of an account that the kernel does not tell. */
#define UNKNOWN_UID UINT32_MAX
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* State that is kept between calls, one for each environment: a worker thread has its own. */
struct instance {
  /* The socket that sends datagrams; -1 before the first one. */
  int sender;
  /* A buffer of DATAGRAM_BYTES; NULL before the first datagram. */
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

bool keep_instance(napi_env env) {
  struct instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL) {
    throw_errno(env, "load", ENOMEM);
    return false;
  }
  instance->sender = -1;
  napi_set_instance_data(env, instance, instance_ends, NULL);
  return true;
}

static struct instance *instance_of(napi_env env) {
  void *instance = NULL;
  napi_get_instance_data(env, &instance);
  return instance;
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
napi_value edge_bind_datagram(napi_env env, napi_callback_info info) {
  napi_value argument;
  char *path;
  arguments_of(env, info, 1, &argument);
  if (!read_string(env, argument, "path", &path)) return NULL;
  const int fd = bind_datagram(path);
  const int error = errno;
  free(path);
  return fd < 0 ? throw_errno(env, "bind a datagram socket", error) : number_of(env, fd);
}

/*
 * sendmsg(2). Where the kernel lets this process speak for `pid`, the datagram is from there: a host that believes its main process
 * alone, as systemd does by default, hears PID 1. Returns 0 or an errno.
 */
static int send_datagram(struct instance *instance, const char *path, const uint8_t *data, size_t length, pid_t pid) {
  struct sockaddr_un address;
  socklen_t size;
  const int wrong = unix_address(path, &address, &size);
  if (wrong != 0) return wrong;
  if (instance->sender < 0) instance->sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (instance->sender < 0) return errno;
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  /* sendmsg(2) only reads what these point to. */
  struct iovec vector = {(void *)(uintptr_t)data, length};
  struct msghdr message = {.msg_name = &address, .msg_namelen = size, .msg_iov = &vector, .msg_iovlen = 1};
  const struct ucred credentials = {pid, getuid(), getgid()};
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof credentials)] = {0};
  if (pid > 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof credentials);
    memcpy(CMSG_DATA(header), &credentials, sizeof credentials);
    if (sendmsg(instance->sender, &message, flags) >= 0) return 0;
    /* It may not speak for that process (EPERM), or there is none (ESRCH). */
    if (errno != EPERM && errno != ESRCH) return errno;
    message.msg_control = NULL;
    message.msg_controllen = 0;
  }
  return sendmsg(instance->sender, &message, flags) < 0 ? errno : 0;
}

/* sendmsg(2), SCM_CREDENTIALS */
napi_value edge_send_datagram(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  char *path;
  uint8_t *data;
  size_t length;
  int pid = 0;
  napi_valuetype type = napi_undefined;
  arguments_of(env, info, 3, arguments);
  napi_typeof(env, arguments[2], &type);
  if (!read_bytes(env, arguments[1], &data, &length)) return NULL;
  if (type != napi_undefined && !read_int(env, arguments[2], "pid", 1, &pid)) return NULL;
  if (!read_string(env, arguments[0], "path", &path)) return NULL;
  const int error = send_datagram(instance_of(env), path, data, length, pid);
  free(path);
  return number_of(env, error);
}

/* connect(2). Tells without a message whether a datagram would reach somebody. */
static int probe_datagram(const char *path) {
  struct sockaddr_un address;
  socklen_t size;
  const int wrong = unix_address(path, &address, &size);
  if (wrong != 0) return wrong;
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int error = connect(fd, (const struct sockaddr *)&address, size) == 0 ? 0 : errno;
  close(fd);
  return error;
}

napi_value edge_probe_datagram(napi_env env, napi_callback_info info) {
  napi_value argument;
  char *path;
  arguments_of(env, info, 1, &argument);
  if (!read_string(env, argument, "path", &path)) return NULL;
  const int error = probe_datagram(path);
  free(path);
  return number_of(env, error);
}

/* setsockopt(2), SO_PASSCRED */
napi_value edge_pass_credentials(napi_env env, napi_callback_info info) {
  napi_value argument;
  const int on = 1;
  int fd;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0) return NULL;
  return throw_errno(env, "ask for credentials", errno);
}

/* setsockopt(2), SO_PASSRIGHTS */
napi_value edge_refuse_descriptors(napi_env env, napi_callback_info info) {
  napi_value argument;
  napi_value refused;
  const int off = 0;
  int fd;
  arguments_of(env, info, 1, &argument);
  if (!read_int(env, argument, "fd", 0, &fd)) return NULL;
  const bool refuses = setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) == 0;
  if (!refuses && errno != ENOPROTOOPT) return throw_errno(env, "refuse descriptors", errno);
  napi_get_boolean(env, refuses, &refused);
  return refused;
}

/* Room, correctly aligned, for the largest control message of one datagram: credentials and descriptors. */
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

/* Where a batch goes: as many equal slots, lengths and senders as there are datagrams at most. */
struct batch {
  uint8_t *data;
  size_t slot;
  uint32_t *lengths;
  /* The pid and the uid of each sender, or NULL. */
  uint32_t *senders;
  size_t count;
  /* How many descriptors may come along with all datagrams of a call; 0 leaves them to the kernel, which closes them. */
  size_t most_descriptors;
  int *descriptors;
  size_t descriptor_count;
  size_t bytes;
  bool is_large;
};

/* Takes what has come along with a datagram. */
static void take_control(struct batch *batch, struct msghdr *message, size_t index) {
  struct passed passed;
  read_control(message, &passed);
  if (batch->senders != NULL) {
    batch->senders[2 * index] = passed.has_credentials ? (uint32_t)passed.credentials.pid : 0;
    batch->senders[2 * index + 1] = passed.has_credentials ? passed.credentials.uid : UNKNOWN_UID;
  }
  /* Where there are no credentials, some descriptors may have taken their room. */
  if (batch->most_descriptors == 0) {
    for (uint32_t i = 0; i < passed.fd_count; i++) close(passed.fds[i]);
    return;
  }
  memcpy(batch->descriptors + batch->descriptor_count, passed.fds, passed.fd_count * sizeof(int));
  batch->descriptor_count += passed.fd_count;
}

/* recvmmsg(2) of waiting datagrams, at most BATCH. Returns their number, 0 for none, -1 with errno. */
static int receive_present(int fd, struct batch *batch, size_t taken) {
  struct mmsghdr messages[BATCH];
  struct iovec pieces[BATCH];
  union control controls[BATCH];
  const size_t rights = batch->most_descriptors / PASSED_AT_MOST;
  size_t wanted = batch->count - taken;
  int received;
  if (wanted > BATCH) wanted = BATCH;
  if (batch->is_large || taken == 0) wanted = 1;
  if (rights > 0 && wanted > rights) wanted = rights;
  memset(messages, 0, wanted * sizeof *messages);
  for (size_t i = 0; i < wanted; i++) {
    pieces[i] = (struct iovec){batch->data + (taken + i) * batch->slot, batch->slot};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_control = &controls[i];
    messages[i].msg_hdr.msg_controllen = rights > 0 ? sizeof controls[i] : CMSG_SPACE(sizeof(struct ucred));
  }
  do {
    /* With MSG_TRUNC the lengths are those of the datagrams as sent. */
    received = recvmmsg(fd, messages, (unsigned)wanted, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC, NULL);
  } while (received < 0 && errno == EINTR);
  for (int i = 0; i < received; i++) {
    const size_t index = taken + (size_t)i;
    batch->lengths[index] = messages[i].msg_len;
    batch->bytes += messages[i].msg_len;
    batch->is_large = messages[i].msg_len >= LARGE_DATAGRAM;
    take_control(batch, &messages[i].msg_hdr, index);
  }
  if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  return received;
}

static bool has_room(const struct batch *batch, size_t taken) {
  return taken < batch->count && batch->bytes < BATCH_BYTES && batch->descriptor_count == 0;
}

/*
 * Fills the slots as long as datagrams come. Where the queue was full, the blocked writer is running again now: this
 * gives the writer a few turns of the processor, which is cheaper for both sides than a wake-up for every eleven
 * datagrams.
 */
static ssize_t receive_batch(int fd, struct batch *batch) {
  size_t taken = 0;
  bool flooded = false;
  for (int idle = 0; has_room(batch, taken) && idle <= (flooded ? PATIENCE : 0);) {
    const int received = receive_present(fd, batch, taken);
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

/* True for printable ASCII and tabs. The loop has no branch, so that the compiler can vectorize it. */
static bool is_plain(const uint8_t *data, size_t length) {
  uint8_t odd = 0;
  for (size_t i = 0; i < length; i++) odd |= (uint8_t)((uint8_t)(data[i] - ' ') > '~' - ' ') & (data[i] != '\t');
  return odd == 0;
}

/* The text of one datagram without trailing blanks; undefined where it is not plain text, or was truncated. */
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

/*
 * Half of the descriptors that this process may have: what comes along with one call of recvmmsg(2) must fit, since what
 * does not fit is closed by the kernel, in this process.
 */
static size_t room_for_descriptors(void) {
  struct rlimit limit;
  const size_t most = BATCH * PASSED_AT_MOST;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 2 > most) return most;
  return limit.rlim_cur / 2 < PASSED_AT_MOST ? PASSED_AT_MOST : (size_t)limit.rlim_cur / 2;
}

static bool read_batch(napi_env env, const napi_value *arguments, struct batch *batch) {
  size_t size;
  size_t senders = 0;
  bool has_senders = false;
  if (!read_bytes(env, arguments[1], &batch->data, &size)) return false;
  if (!read_words(env, arguments[2], "lengths", &batch->lengths, &batch->count)) return false;
  if (batch->count == 0 || size < batch->count) {
    return refuse(env, "lengths", "room for one datagram and no more datagrams than bytes");
  }
  batch->slot = size / batch->count;
  napi_is_typedarray(env, arguments[4], &has_senders);
  if (!has_senders) return true;
  if (!read_words(env, arguments[4], "senders", &batch->senders, &senders)) return false;
  return senders >= 2 * batch->count || refuse(env, "senders", "two numbers for each datagram");
}

/* recvmmsg(2) */
napi_value edge_receive_batch(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  int descriptors[BATCH * PASSED_AT_MOST];
  struct batch batch = {.descriptors = descriptors};
  int fd;
  bool wants_texts = false;
  bool wants_descriptors = false;
  arguments_of(env, info, 6, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  if (!read_batch(env, arguments, &batch)) return NULL;
  napi_is_array(env, arguments[3], &wants_texts);
  napi_is_array(env, arguments[5], &wants_descriptors);
  if (wants_descriptors) batch.most_descriptors = room_for_descriptors();
  const ssize_t received = receive_batch(fd, &batch);
  if (received < 0) return throw_errno(env, "receive", errno);
  if (wants_texts) set_texts(env, arguments[3], batch.data, batch.slot, batch.lengths, (size_t)received);
  for (uint32_t i = 0; i < batch.descriptor_count; i++) {
    napi_set_element(env, arguments[5], i, number_of(env, descriptors[i]));
  }
  return number_of(env, (double)received);
}

napi_value credentials_of(napi_env env, const struct ucred *credentials) {
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

/* recvmsg(2) of one datagram. JavaScript has to close the datagram's descriptors once it has received them. */
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
napi_value edge_receive_datagrams(napi_env env, napi_callback_info info) {
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
  /* An error after some datagrams is left to the next call: to throw now would lose them and their descriptors. */
  if (taken == 0 && errno != EAGAIN && errno != EWOULDBLOCK) return throw_errno(env, "receive", errno);
  return datagrams;
}
