/*
 * Second reading ends of the pipes of services. The brain reads the first ones. Without the second ones, a service that writes
 * after the death of the brain, such as a last line in its stop, would be killed by SIGPIPE.
 */
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define KEPT_AT_MOST 512
/* ms that the copying child waits for stderr to take something, before it drops what it has read. */
#define WRITE_PATIENCE 500

struct kept {
  pid_t pid;
  int fd;
};

static struct kept kept[KEPT_AT_MOST];
static size_t count;

/* A quarter of the descriptors that the body may have. */
static size_t room(void) {
  static size_t most;
  struct rlimit limit;
  if (most > 0) return most;
  most = KEPT_AT_MOST;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < most) most = (size_t)limit.rlim_cur / 4;
  return most;
}

void keep_pipe(pid_t pid, int fd) {
  if (count >= room()) return;
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy >= 0) kept[count++] = (struct kept){pid, copy};
}

/* What a service has left behind, and still writes, only the brain reads then. */
void release_pipes(pid_t pid) {
  for (size_t i = count; i-- > 0;) {
    if (kept[i].pid != pid) continue;
    close(kept[i].fd);
    kept[i] = kept[--count];
  }
}

static void write_to_stderr(const char *bytes, size_t size) {
  struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
  for (size_t at = 0; at < size;) {
    if (poll(&writable, 1, WRITE_PATIENCE) <= 0 || (writable.revents & POLLOUT) == 0) return;
    /* A pipe that is writable takes so many bytes at once. */
    const ssize_t written = write(STDERR_FILENO, bytes + at, size - at < 512 ? size - at : 512);
    if (written < 0 && errno != EINTR && errno != EAGAIN) return;
    if (written > 0) at += (size_t)written;
  }
}

/* Until no writer is left. The signals of the round are blocked here, except for SIGKILL. */
static _Noreturn void copy_until_end(void) {
  static struct pollfd polls[KEPT_AT_MOST];
  char bytes[4096];
  for (size_t i = 0; i < count; i++) {
    fcntl(kept[i].fd, F_SETFL, O_NONBLOCK);
    polls[i] = (struct pollfd){.fd = kept[i].fd, .events = POLLIN};
  }
  while (count > 0) {
    if (poll(polls, count, -1) < 0 && errno != EINTR) break;
    for (size_t i = count; i-- > 0;) {
      if (polls[i].revents == 0) continue;
      const ssize_t size = read(polls[i].fd, bytes, sizeof bytes);
      if (size > 0) write_to_stderr(bytes, (size_t)size);
      else if (size == 0 || (errno != EAGAIN && errno != EINTR)) polls[i] = polls[--count];
    }
  }
  _exit(0);
}

void copy_pipes(void) {
  if (count == 0 || !has_room_for_helper()) return;
  const pid_t pid = fork();
  if (pid == 0) copy_until_end();
  if (pid > 0) add_helper(pid, true);
}
