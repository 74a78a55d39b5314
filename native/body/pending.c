/* Children on their way to their program: each holds a pipe, on which it says where it fails; execve(2) closes it. */
#include "body.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ms until a child is given up that has not reached its program. Somebody of its account may have stopped it on the way
 * (SIGSTOP), or holds its program by a lease. */
#define PATIENCE 10000

struct pending {
  uint64_t request;
  int64_t deadline;
  pid_t pid;
  int pipe;
};

/* In the order of their starts, and so of their deadlines. */
static struct pending children[PENDING_AT_MOST];
static size_t count;
static const struct pollfd *polled;
static size_t polled_count;
static int64_t patience = PATIENCE;

void set_patience(int ms) {
  if (ms > 0) patience = ms;
}

size_t pending_count(void) {
  return count;
}

void add_pending(uint64_t request, pid_t pid, int pipe) {
  children[count++] = (struct pending){request, now_ms() + patience, pid, pipe};
}

size_t poll_pending(struct pollfd *polls) {
  for (size_t i = 0; i < count; i++) polls[i] = (struct pollfd){.fd = children[i].pipe, .events = POLLIN};
  polled = polls;
  polled_count = count;
  return count;
}

static void fail(const struct pending *child, int error, enum stage stage) {
  const struct spawn_failed failed = {child->request, error, stage};
  mark_failed(child->pid);
  keep_fact(FACT_SPAWN_FAILED, 1, &failed, sizeof failed, NULL, 0);
}

/* Reads the pipe of one child. False: it is still on its way. A child that was killed on its way closes the pipe, too: it
 * has run, and its end follows. */
static bool read_verdict(const struct pending *child) {
  struct failure failure;
  ssize_t bytes;
  do {
    bytes = read(child->pipe, &failure, sizeof failure);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0 && errno == EAGAIN) return false;
  if (bytes == 0) {
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

/* The verdict does not wait for the death: a child that waits for a dead file system does not hear even SIGKILL. */
static void give_up(const struct pending *child, int error) {
  kill(child->pid, SIGKILL);
  fail(child, error, STAGE_EXEC);
}

void take_verdicts(void) {
  size_t kept = 0;
  if (count == 0) return;
  const int64_t now = now_ms();
  for (size_t i = 0; i < count; i++) {
    const struct pending child = children[i];
    const bool is_late = child.deadline <= now;
    const bool is_ready = is_late || (i < polled_count && polled[i].revents != 0);
    const bool is_judged = is_ready && read_verdict(&child);
    if (!is_judged && is_late) give_up(&child, ETIMEDOUT);
    if (is_judged || is_late) close(child.pipe);
    else children[kept++] = child;
  }
  count = kept;
  polled_count = 0;
}

bool is_pending(pid_t pid) {
  for (size_t i = 0; i < count; i++)
    if (children[i].pid == pid) return true;
  return false;
}

static void drop(size_t i) {
  close(children[i].pipe);
  count--;
  memmove(children + i, children + i + 1, (count - i) * sizeof *children);
}

void judge_ended(pid_t pid) {
  for (size_t i = 0; i < count; i++) {
    if (children[i].pid != pid) continue;
    read_verdict(&children[i]);
    drop(i);
    return;
  }
}

void cancel_pending(uint64_t request) {
  for (size_t i = 0; i < count; i++) {
    if (children[i].request != request) continue;
    if (!read_verdict(&children[i])) give_up(&children[i], ECANCELED);
    drop(i);
    return;
  }
}

int64_t pending_deadline(void) {
  return count == 0 ? 0 : children[0].deadline;
}
