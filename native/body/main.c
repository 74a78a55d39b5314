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

/* Pipes of children that are watched at once; further ones are looked at in the next turns. */
#define POLLED_AT_MOST 1024
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
  static struct pollfd polls[POLLED_AT_MOST + 3];
  const bool reads = connection >= 0 && !must_wait_to_spawn();
  const short events = (short)((reads ? POLLIN : 0) | (has_unsent_facts() ? POLLOUT : 0));
  polls[0] = (struct pollfd){.fd = signals_fd(), .events = POLLIN};
  /* Without events a descriptor is left out: its hang-up would be reported again and again. */
  polls[1] = (struct pollfd){.fd = events == 0 ? -1 : connection, .events = events};
  polls[2] = (struct pollfd){.fd = words_fd(), .events = POLLIN};
  const size_t pending = poll_pending(polls + 3, POLLED_AT_MOST);
  poll(polls, 3 + pending, timeout_until(earlier(do_due(), pending_deadline())));
}

static void close_connection(void) {
  close(connection);
  connection = -1;
}

/* A brain that is a child is judged by its exit status, which may come a moment after the end of the connection. */
static void hear_brain(void) {
  if (connection < 0) return;
  if (take_requests(connection)) {
    send_facts(connection);
    return;
  }
  close_connection();
  if (brain_pid() == 0) brain_ended(-1);
}

static _Noreturn void work(void) {
  for (;;) {
    take_signals();
    take_verdicts();
    const int status = reap(brain_pid());
    if (status >= 0) {
      /* What the brain has asked for before its end still counts. */
      while (connection >= 0) hear_brain();
      brain_was_reaped();
      brain_ended(status);
    }
    hear_brain();
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
  const struct welcome welcome = {getpid(), PROTOCOL_VERSION, adopts ? 0 : errno, 0};
  keep_fact(FACT_WELCOME, 1, &welcome, sizeof welcome, NULL, 0);
  const char *given = getenv(CONNECTION_VARIABLE);
  connection = given == NULL ? start_brain(argc, argv) : atoi(given);
  fcntl(connection, F_SETFD, FD_CLOEXEC);
  work();
}
