/* The loop of the body: signals, dead children, verdicts, requests, what is due; and then what there is to tell. */
#include "body.h"
#include "../tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Turns in which the last requests of a brain that has ended are done: more than the connection holds. */
#define LAST_TURNS 32
/* ms between two turns where the kernel does not let the body wait for anything. */
#define IDLE_DELAY 10
/* In tests: ms until a child is given up that has not reached its program. */
#define PATIENCE_VARIABLE "_CHAPERONE_PATIENCE"
/* A body whose brain has started it, and holds the other end of this socket: for tests. */
#define CONNECTION_VARIABLE "_CHAPERONE_BRAIN_FD"

static int connection = -1;

int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t earlier(int64_t one, int64_t other) {
  if (one == 0 || other == 0) return one + other;
  return one < other ? one : other;
}

bool is_pid_1(void) {
  return getpid() == 1;
}

_Noreturn void leave(int status) {
  finish_saying();
  _exit(status);
}

/* ms until a time, rounded up by the clock's own millisecond; -1 for none. */
static int timeout_until(int64_t time) {
  if (time == 0) return -1;
  const int64_t left = time - now_ms();
  if (left <= 0) return 0;
  return left > 60000 ? 60000 : (int)left;
}

static void wait_for_something(void) {
  static struct pollfd polls[PENDING_AT_MOST + 3];
  const int64_t due = earlier(do_due(), pending_deadline());
  const int64_t retry = earlier(sending_deadline(), closing_deadline());
  polls[0] = (struct pollfd){.fd = signals_fd(), .events = POLLIN};
  polls[1] = (struct pollfd){.fd = connection, .events = (short)(POLLIN | (has_unsent_facts() ? POLLOUT : 0))};
  polls[2] = (struct pollfd){.fd = words_fd(), .events = POLLIN};
  const size_t pending = poll_pending(polls + 3);
  const int timeout = must_look_again() ? 0 : timeout_until(earlier(due, retry));
  if (poll(polls, 3 + pending, timeout) >= 0 || errno == EINTR) return;
  /* Somebody has lowered the limit of descriptors, or there is no memory. */
  const struct timespec delay = {0, IDLE_DELAY * 1000000};
  nanosleep(&delay, NULL);
}

/* Nobody hears of facts any more. */
static void close_connection(void) {
  close(connection);
  connection = -1;
  forget_facts();
}

/* A brain that is a child is judged by its exit status, which may come a moment after the end of the connection. */
static void hear_brain(void) {
  if (connection < 0) return;
  /* A brain that was passed over is not obeyed. */
  const bool is_obeyed = brain_pid() <= 0 || !ends_without_brain();
  if (is_obeyed && take_requests(connection) != REQUESTS_ENDED) {
    send_facts(connection);
    return;
  }
  close_connection();
  if (brain_pid() == 0) brain_ended(-1);
}

/* What the brain has asked for before its end still counts. Another process may hold its end of the connection. */
static void hear_last_requests(void) {
  for (int turn = 0; connection >= 0 && turn < LAST_TURNS; turn++)
    if (take_requests(connection) != REQUESTS_LEFT) break;
  if (connection >= 0) close_connection();
}

static _Noreturn void work(void) {
  for (;;) {
    /* A start that has succeeded before a signal came is told before it. */
    take_verdicts();
    take_signals();
    const int status = reap(brain_pid());
    if (status >= 0) {
      hear_last_requests();
      brain_was_reaped();
      brain_ended(status);
    }
    hear_brain();
    close_waiting();
    take_words();
    end_if_over();
    wait_for_something();
  }
}

int body_main(int argc, char **argv) {
  if (!hear_signals()) {
    dprintf(STDERR_FILENO, "chaperone: cannot read signals: %s\n", strerror(errno));
    return 126;
  }
  const bool adopts = is_pid_1() || prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) == 0;
  const struct welcome welcome = {getpid(), PROTOCOL_VERSION, adopts ? 0 : errno, spawns_at_once()};
  keep_fact(FACT_WELCOME, 1, &welcome, sizeof welcome, NULL, 0);
  const char *given = getenv(CONNECTION_VARIABLE);
  connection = given == NULL ? start_brain(argc, argv) : atoi(given);
  const char *patience = given == NULL ? NULL : getenv(PATIENCE_VARIABLE);
  if (patience != NULL) set_patience(atoi(patience));
  fcntl(connection, F_SETFD, FD_CLOEXEC);
  work();
}
