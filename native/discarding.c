/*
 * Gets rid of descriptors that other accounts have sent. close(2) may wait as long as the sender likes: for the other end of
 * a connection with SO_LINGER, also of one that is on its way in a unix socket; for a file system of another process. A
 * process that ends does not wait for a connection, and what else it waits for, only that process waits for. So a child
 * holds the descriptors while they are closed here, and is killed then.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ms after which a child ends that nobody has killed, because its parent has died. */
#define HELD_AT_MOST 1000
/* Children that are not reaped yet; with as many, the next one is waited for. */
#define HOLDERS_AT_MOST 64

static pid_t holders[HOLDERS_AT_MOST];
static size_t holder_count;

static void reap_holders(void) {
  for (size_t i = holder_count; i-- > 0;) {
    const pid_t reaped = waitpid(holders[i], NULL, holder_count == HOLDERS_AT_MOST && i == 0 ? 0 : WNOHANG);
    if (reaped != 0) holders[i] = holders[--holder_count];
  }
}

/* A process with copies of all descriptors. No handler of the parent's runs in it. Returns -1 where there can be none. */
static pid_t start_holder(void) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  if (pid == 0) {
    poll(NULL, 0, HELD_AT_MOST);
    _exit(0);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  return pid;
}

/* A pipe holds bytes and nothing else. */
static bool closes_at_once(int fd) {
  return fcntl(fd, F_GETPIPE_SZ) >= 0;
}

/* Without a child, a connection can only be told not to wait. Its sender may tell it otherwise, but has little time for it. */
static void close_hastily(int fd) {
  const struct linger none = {0, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(fd);
}

/* Closes the pipes among the descriptors, and returns how many are left, in front. */
static size_t close_pipes(int *fds, size_t count) {
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    if (closes_at_once(fds[i])) {
      close(fds[i]);
    } else {
      fds[left++] = fds[i];
    }
  }
  return left;
}

static void discard(int *fds, size_t count) {
  const size_t left = close_pipes(fds, count);
  reap_holders();
  if (left == 0) return;
  const pid_t holder = start_holder();
  for (size_t i = 0; i < left; i++) {
    if (holder < 0) {
      close_hastily(fds[i]);
    } else {
      close(fds[i]);
    }
  }
  if (holder < 0) return;
  kill(holder, SIGKILL);
  holders[holder_count++] = holder;
}

/* fork(2), close(2), kill(2), waitpid(2) */
napi_value edge_discard(napi_env env, napi_callback_info info) {
  napi_value argument;
  uint32_t count;
  arguments_of(env, info, 1, &argument);
  if (!read_length(env, argument, "descriptors", &count)) return NULL;
  int *fds = malloc((count + 1) * sizeof *fds);
  if (fds == NULL) return throw_errno(env, "discard descriptors", ENOMEM);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    if (napi_get_element(env, argument, i, &element) != napi_ok || !read_int(env, element, "descriptors", 0, &fds[i])) {
      free(fds);
      return NULL;
    }
  }
  discard(fds, count);
  free(fds);
  return number_of(env, (double)holder_count);
}
