/* Children on their way to their program: each holds a pipe, on which it says where it fails; execve(2) closes it. */
#include "body.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ms until a child is given up that has not reached its program. Somebody of its account may have stopped it on the way
 * (SIGSTOP), or holds its program by a lease. */
#define PATIENCE 10000
/* More than the children that any limit of processes allows at once. */
#define PENDING_BYTES_AT_MOST ((size_t)8 * 1024 * 1024)

struct pending {
  uint64_t request;
  int64_t deadline;
  pid_t pid;
  int pipe;
  bool given_up;
};

static struct store store;

static struct pending *all(void) {
  return (struct pending *)(void *)store.bytes;
}

size_t pending_count(void) {
  return store.size / sizeof(struct pending);
}

bool add_pending(uint64_t request, pid_t pid, int pipe) {
  if (!grow(&store, sizeof(struct pending), PENDING_BYTES_AT_MOST)) return false;
  all()[pending_count()] = (struct pending){request, now_ms() + PATIENCE, pid, pipe, false};
  store.size += sizeof(struct pending);
  return true;
}

size_t poll_pending(struct pollfd *polls, size_t most) {
  size_t count = 0;
  for (; count < pending_count() && count < most; count++)
    polls[count] = (struct pollfd){.fd = all()[count].pipe, .events = POLLIN};
  return count;
}

static void remove_pending(size_t index) {
  close(all()[index].pipe);
  all()[index] = all()[pending_count() - 1];
  store.size -= sizeof(struct pending);
}

static void fail(const struct pending *child, int error, enum stage stage) {
  const struct spawn_failed failed = {child->request, error, stage};
  mark_failed(child->pid);
  keep_fact(FACT_SPAWN_FAILED, 1, &failed, sizeof failed, NULL, 0);
}

/* What a child writes before it gives up. */
struct failure {
  int32_t error;
  uint32_t stage;
};

/* Reads the pipe of one child. False: it is still on its way. A child that was killed on its way closes the pipe, too: it has run, and its end follows. */
static bool read_verdict(const struct pending *child) {
  struct failure failure;
  ssize_t bytes;
  do {
    bytes = read(child->pipe, &failure, sizeof failure);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0 && errno == EAGAIN) return false;
  if (child->given_up) {
    fail(child, ETIMEDOUT, STAGE_EXEC);
  } else if (bytes == 0) {
    const struct spawned spawned = {child->request, child->pid, 0};
    keep_fact(FACT_SPAWNED, 1, &spawned, sizeof spawned, NULL, 0);
  } else if (bytes == (ssize_t)sizeof failure) {
    fail(child, failure.error, failure.stage);
  } else {
    /* Eight bytes in a pipe are never read short. If they are, the child must not run unknown. */
    kill(child->pid, SIGKILL);
    fail(child, EIO, STAGE_PIPE);
  }
  return true;
}

void take_verdicts(void) {
  const int64_t now = now_ms();
  for (size_t i = 0; i < pending_count();) {
    struct pending *child = &all()[i];
    if (read_verdict(child)) {
      remove_pending(i);
      continue;
    }
    if (child->deadline <= now) {
      /* Its pipe closes with its death, which SIGKILL brings also to a stopped process. */
      child->given_up = true;
      child->deadline = now + PATIENCE;
      kill(child->pid, SIGKILL);
    }
    i++;
  }
}

void judge_ended(pid_t pid) {
  for (size_t i = 0; i < pending_count(); i++) {
    if (all()[i].pid != pid) continue;
    read_verdict(&all()[i]);
    remove_pending(i);
    return;
  }
}

int64_t pending_deadline(void) {
  int64_t deadline = 0;
  for (size_t i = 0; i < pending_count(); i++) deadline = earlier(deadline, all()[i].deadline);
  return deadline;
}
