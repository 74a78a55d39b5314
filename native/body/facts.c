/* Facts: what has happened, in order, until the brain has acknowledged it. */
#include "body.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* A brain that acknowledges nothing must not cost the machine its memory. */
#define FACT_BYTES_AT_MOST ((size_t)16 * 1024 * 1024)
/* From so many bytes on no exits are reaped. The rest is for verdicts and signals, which are few. */
#define EXIT_BYTES_AT_MOST ((size_t)8 * 1024 * 1024)

/* Each fact is preceded by its length. What lies before `sent` was sent, and its acknowledgement is waited for. */
static struct store facts;
static size_t sent;
static uint64_t last_number;
static uint64_t acknowledged;

static size_t rounded(size_t bytes) {
  return (bytes + 7) & ~(size_t)7;
}

void keep_fact(enum fact_type type, uint32_t count, const void *head, size_t head_bytes, const void *rest,
               size_t bytes) {
  const size_t length = sizeof(struct header) + head_bytes + bytes;
  const size_t needed = sizeof(uint64_t) + rounded(length);
  /* Only a brain that hangs leaves so much: it is passed over at the next stop, which needs no facts. */
  if (!grow(&facts, needed, FACT_BYTES_AT_MOST)) return;
  char *to = facts.bytes + facts.size;
  const uint64_t size = length;
  const struct header header = {++last_number, type, count};
  memcpy(to, &size, sizeof size);
  to += sizeof size;
  memcpy(to, &header, sizeof header);
  to += sizeof header;
  if (head_bytes > 0) memcpy(to, head, head_bytes);
  if (bytes > 0) memcpy(to + head_bytes, rest, bytes);
  facts.size += needed;
}

bool has_unsent_facts(void) {
  return sent < facts.size;
}

bool has_room_for_exits(void) {
  return facts.size < EXIT_BYTES_AT_MOST;
}

uint64_t last_fact(void) {
  return last_number;
}

uint64_t last_acknowledged(void) {
  return acknowledged;
}

void send_facts(int socket) {
  while (sent < facts.size) {
    uint64_t length;
    memcpy(&length, facts.bytes + sent, sizeof length);
    const ssize_t bytes = send(socket, facts.bytes + sent + sizeof length, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (bytes < 0) {
      if (errno == EINTR) continue;
      /* EAGAIN: poll(2) says when there is room. A connection that is broken is noticed where it is read. */
      return;
    }
    sent += sizeof length + rounded(length);
  }
}

void acknowledge(uint64_t number) {
  size_t at = 0;
  while (at < sent) {
    uint64_t length;
    struct header header;
    memcpy(&length, facts.bytes + at, sizeof length);
    memcpy(&header, facts.bytes + at + sizeof length, sizeof header);
    if (header.number > number) break;
    acknowledged = header.number;
    at += sizeof length + rounded(length);
  }
  if (at == 0) return;
  memmove(facts.bytes, facts.bytes + at, facts.size - at);
  facts.size -= at;
  sent -= at;
}
