/*
 * `own-pid NAME FILE ARGV0 ARG...`: sets the variable NAME to its own pid, and executes FILE. A program that starts others
 * does not know their pids before, and Node cannot do anything between fork(2) and execve(2).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As of a shell: the program cannot be executed, or is not there. */
enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

int own_pid_main(int argc, char **argv) {
  char pid[16];
  if (argc < 4) {
    dprintf(STDERR_FILENO, "usage: own-pid NAME FILE ARGV0 [ARG...]\n");
    return CANNOT_RUN;
  }
  snprintf(pid, sizeof pid, "%d", (int)getpid());
  if (setenv(argv[1], pid, 1) == 0) execv(argv[2], argv + 3);
  const int error = errno;
  dprintf(STDERR_FILENO, "sdnotify-exec: cannot run %s: %s\n", argv[2], strerror(error));
  return error == ENOENT ? NOT_FOUND : CANNOT_RUN;
}
