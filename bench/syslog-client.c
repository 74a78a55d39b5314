/*
 * Sends one datagram to a log socket and waits until it stands in FILE, so that the daemon is up; then COUNT datagrams of SIZE
 * bytes as fast as they are taken, and waits until these stand there, too.
 *
 *   syslog-client SOCKET COUNT SIZE FILE
 *
 * Prints the ms until all were sent and until all were written, and how many were. Gives up when nothing comes for 3 s.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char mark[] = "bench[";

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void pause_for(long microseconds) {
  const struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
  nanosleep(&time, NULL);
}

static int connected(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (int attempt = 0; attempt < 10000; attempt++) {
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    pause_for(1000);
  }
  perror("connect");
  exit(1);
}

/* The lines of ours that the file has got since the last look. */
static long new_lines(int fd) {
  static char buffer[1 << 20];
  static size_t kept;
  long found = 0;
  for (;;) {
    const ssize_t got = read(fd, buffer + kept, sizeof buffer - kept);
    if (got <= 0) return found;
    char *line = buffer;
    char *const end = buffer + kept + got;
    for (char *stop; (stop = memchr(line, '\n', (size_t)(end - line))) != NULL; line = stop + 1) {
      if (memmem(line, (size_t)(stop - line), mark, sizeof mark - 1) != NULL) found++;
    }
    kept = (size_t)(end - line);
    memmove(buffer, line, kept);
  }
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  const long count = atol(argv[2]);
  const size_t size = (size_t)atol(argv[3]);
  char *message = malloc(size + 64);
  const int log = connected(argv[1]);
  int file = -1;
  const char *const first = "<14>Nov 22 10:11:12 bench[1]: the first";
  if (send(log, first, strlen(first), 0) < 0) return 1;
  for (long found = 0; found == 0;) {
    pause_for(1000);
    if (file < 0) file = open(argv[4], O_RDONLY | O_CLOEXEC);
    if (file >= 0) found = new_lines(file);
  }
  const double begun = now();
  for (long number = 0; number < count; number++) {
    const int head = sprintf(message, "<14>Nov 22 10:11:12 bench[%d]: message number %06ld ", getpid() % 100000, number);
    memset(message + head, 'x', size - (size_t)head);
    while (send(log, message, size, 0) < 0) {
      if (errno != EINTR && errno != ENOBUFS) {
        perror("send");
        return 1;
      }
    }
  }
  const double sent = now();
  double last = sent;
  long written = 0;
  while (written < count && now() - last < 3000) {
    const long more = new_lines(file);
    if (more > 0) last = now();
    else pause_for(500);
    written += more;
  }
  printf("{\"sent\":%.1f,\"written\":%.1f,\"count\":%ld}\n", sent - begun, last - begun, written);
  return 0;
}
