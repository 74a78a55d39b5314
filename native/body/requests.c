/* Requests of the brain: received one by one, and each is done once. */
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Requests that are done before the body looks at signals and dead children again. */
#define REQUESTS_AT_ONCE 64
/* A signal request names no more targets than a packet holds. */
#define TARGETS_AT_MOST (PACKET_BYTES / sizeof(struct target))

static uint64_t last_request;

/* Takes the descriptors that came with a message. Returns how many. */
static int take_descriptors(struct msghdr *message, int *descriptors) {
  int count = 0;
  for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each != NULL; each = CMSG_NXTHDR(message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    const size_t bytes = each->cmsg_len - CMSG_LEN(0);
    const int here = (int)(bytes / sizeof(int));
    memcpy(descriptors + count, CMSG_DATA(each), (size_t)here * sizeof(int));
    count += here;
  }
  return count;
}

/* A request that is cut off signals nobody, and its answer has no errors. */
static void signal_targets(uint64_t number, uint32_t count, const char *bytes, size_t size) {
  static int32_t errors[TARGETS_AT_MOST];
  struct signal_request request = {0, 0};
  if (size >= sizeof request) memcpy(&request, bytes, sizeof request);
  if (size < sizeof request || count > (size - sizeof request) / sizeof(struct target)) count = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct target target;
    memcpy(&target, bytes + sizeof request + i * sizeof target, sizeof target);
    errors[i] = signal_target(&target, request.signal);
  }
  const struct signalled signalled = {number};
  keep_fact(FACT_SIGNALLED, count, &signalled, sizeof signalled, errors, count * sizeof *errors);
}

static bool read_number(const struct packet *packet, void *to, size_t bytes) {
  if (packet->size < bytes) return false;
  memcpy(to, packet->bytes, bytes);
  return true;
}

static void greet(const struct packet *packet) {
  struct hello hello;
  if (!read_number(packet, &hello, sizeof hello) || hello.version != PROTOCOL_VERSION) return;
  const bool has_words = hello.words != 0 && packet->descriptor_count > 0;
  brain_said_hello(&hello, has_words ? fcntl(packet->descriptors[0], F_DUPFD_CLOEXEC, 0) : -1);
}

/* Does one request. One of an unknown type, or one that is too short, does nothing. */
static void carry_out(const struct header *header, const struct packet *packet) {
  struct signal_request everyone;
  uint64_t number;
  uint32_t value;
  switch ((enum request_type)header->type) {
    case REQUEST_HELLO:
      greet(packet);
      break;
    case REQUEST_SPAWN:
      spawn(header->number, packet);
      break;
    case REQUEST_SIGNAL:
      signal_targets(header->number, header->count, packet->bytes, packet->size);
      break;
    case REQUEST_SIGNAL_ALL:
      if (read_number(packet, &everyone, sizeof everyone)) signal_everyone(everyone.signal, brain_pid());
      break;
    case REQUEST_ACKNOWLEDGE:
      if (read_number(packet, &number, sizeof number)) acknowledge(number);
      break;
    case REQUEST_BUDGET:
      if (read_number(packet, &value, sizeof value)) set_budget(value);
      break;
    case REQUEST_END:
      if (read_number(packet, &value, sizeof value)) set_end(value);
      break;
    case REQUEST_WATCH_ALONE:
      watch_alone(brain_pid());
      break;
    case REQUEST_CANCEL:
      if (read_number(packet, &number, sizeof number)) cancel_pending(number);
      break;
  }
}

/* Returns 1 for a request, 0 where none is there, and -1 at the end of the connection. */
static int take_request(int socket) {
  static char bytes[PACKET_BYTES];
  static int descriptors[DESCRIPTORS_AT_MOST + 1];
  static _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * (DESCRIPTORS_AT_MOST + 1))];
  struct iovec vector = {bytes, sizeof bytes};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  /* The kernel says this once where the other end was closed with facts unread. What was sent before is still there. */
  if (size < 0 && errno == ECONNRESET) size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (size == 0) return -1;
  const int count = take_descriptors(&message, descriptors);
  struct header header;
  if ((size_t)size >= sizeof header) {
    memcpy(&header, bytes, sizeof header);
    if (header.number > last_request) {
      last_request = header.number;
      const struct packet packet = {bytes + sizeof header, (size_t)size - sizeof header, descriptors, count,
                                    (message.msg_flags & MSG_CTRUNC) != 0};
      carry_out(&header, &packet);
    }
  }
  close_received(descriptors, count);
  return 1;
}

enum requests take_requests(int socket) {
  for (int done = 0; done < REQUESTS_AT_ONCE; done++) {
    const int taken = take_request(socket);
    if (taken < 0) return REQUESTS_ENDED;
    if (taken == 0) return REQUESTS_DONE;
  }
  return REQUESTS_LEFT;
}
