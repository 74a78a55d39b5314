#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "deadline.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

bool limit(int fd, int option, long long end) {
  const long long left = end - now();
  const struct timeval time = {left / 1000, left % 1000 * 1000};
  return left > 0 && setsockopt(fd, SOL_SOCKET, option, &time, sizeof time) == 0;
}
