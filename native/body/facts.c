/* Facts: what has happened, in order, until the brain has acknowledged it. */
#include "body.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* A brain that acknowledges nothing must not cost the machine its memory. */
#define FACT_BYTES_AT_MOST ((size_t)16 * 1024 * 1024)
/* From so many bytes on no exits are reaped. The rest is for verdicts and signals, which are few. */
#define EXIT_BYTES_AT_MOST ((size_t)8 * 1024 * 1024)
/* Room that is there from the start, for the time in which the kernel gives no memory. Untouched pages cost nothing. */
#define FIRST_BYTES ((size_t)256 * 1024)
/* ms until a packet is tried again that the kernel had no memory for. */
#define RETRY_DELAY 20

/* Each fact is preceded by its length. What lies before `begin` is acknowledged; what lies before `sent` was sent. */
static struct store facts;
static size_t begin;
static size_t sent;
static uint64_t last_number;
static uint64_t sent_number;
static uint64_t acknowledged;
static bool nobody_listens;
static int64_t retry;

static size_t rounded(size_t bytes) {
  return (bytes + 7) & ~(size_t)7;
}

/* Moves what is left to the front. */
static void move_to_front(void) {
  if (begin == 0) return;
  memmove(facts.bytes, facts.bytes + begin, facts.size - begin);
  facts.size -= begin;
  sent -= begin;
  begin = 0;
}

static bool make_room(size_t bytes) {
  if (facts.size + bytes > facts.capacity) move_to_front();
  return grow(&facts, facts.capacity == 0 ? FIRST_BYTES : bytes, FACT_BYTES_AT_MOST);
}

void keep_fact(enum fact_type type, uint32_t count, const void *head, size_t head_bytes, const void *rest,
               size_t bytes) {
  const size_t length = sizeof(struct header) + head_bytes + bytes;
  const size_t needed = sizeof(uint64_t) + rounded(length);
  /* Only a brain that hangs leaves so much: it is passed over at the next stop, which needs no facts. */
  if (nobody_listens || !make_room(needed)) return;
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

void forget_facts(void) {
  nobody_listens = true;
  facts.size = begin = sent = 0;
}

bool has_unsent_facts(void) {
  return sent < facts.size && retry == 0;
}

int64_t sending_deadline(void) {
  return retry;
}

bool has_room_for_exits(void) {
  return nobody_listens || (facts.size - begin < EXIT_BYTES_AT_MOST && make_room((size_t)2 * PACKET_BYTES));
}

uint64_t last_fact(void) {
  return last_number;
}

uint64_t last_sent(void) {
  return sent_number;
}

uint64_t last_acknowledged(void) {
  return acknowledged;
}

void send_facts(int socket) {
  retry = 0;
  while (sent < facts.size) {
    uint64_t length;
    memcpy(&length, facts.bytes + sent, sizeof length);
    const ssize_t bytes = send(socket, facts.bytes + sent + sizeof length, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (bytes < 0) {
      if (errno == EINTR) continue;
      /* EAGAIN: poll(2) says when there is room, which it says at once where the kernel only lacks memory. A connection
       * that is broken is noticed where it is read. */
      if (errno != EAGAIN) retry = now_ms() + RETRY_DELAY;
      return;
    }
    struct header header;
    memcpy(&header, facts.bytes + sent + sizeof length, sizeof header);
    sent_number = header.number;
    sent += sizeof length + rounded(length);
  }
}

void acknowledge(uint64_t number) {
  while (begin < sent) {
    uint64_t length;
    struct header header;
    memcpy(&length, facts.bytes + begin, sizeof length);
    memcpy(&header, facts.bytes + begin + sizeof length, sizeof header);
    if (header.number > number) break;
    acknowledged = header.number;
    begin += sizeof length + rounded(length);
  }
  if (begin == facts.size) facts.size = begin = sent = 0;
}
