#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static const char *const fixed_places = "/usr/local/bin:/usr/bin";

/* Without /proc, the name that the program was called by decides. */
const char *own_directory(void) {
  static char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  const char *name = (const char *)getauxval(AT_EXECFN);
  if (length > 0) {
    path[length] = '\0';
  } else if (name == NULL || realpath(name, path) == NULL) {
    dprintf(STDERR_FILENO, "chaperone: cannot find its own directory: mount /proc, or call it by its full path\n");
    _exit(CANNOT_RUN);
  }
  char *slash = strrchr(path, '/');
  if (slash != NULL) *slash = '\0';
  return path;
}

static bool is_program(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* True where nobody but root may put another file in place of one there. */
static bool is_of_root(const char *directory) {
  struct stat status;
  return stat(directory, &status) == 0 && status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Only absolute entries count: a file in the working directory must not become a part of PID 1. */
static bool found_in(const char *path, bool strictly, char *file, size_t size) {
  char directory[PATH_MAX];
  while (path != NULL && *path != '\0') {
    const size_t length = strcspn(path, ":");
    if (*path == '/' && length < sizeof directory) {
      memcpy(directory, path, length);
      directory[length] = '\0';
      const int wanted = snprintf(file, size, "%s/node", directory);
      if (wanted > 0 && (size_t)wanted < size && is_program(file) && (!strictly || is_of_root(directory))) return true;
    }
    path += length;
    if (*path == ':') path++;
  }
  return false;
}

const char *find_node(const char *directory) {
  static char file[PATH_MAX + 8];
  snprintf(file, sizeof file, "%s/node", directory);
  if (is_program(file)) return file;
  if (found_in(fixed_places, false, file, sizeof file) || found_in(getenv("PATH"), true, file, sizeof file)) return file;
  dprintf(STDERR_FILENO,
          "chaperone: cannot find node: not at %s/node, not in %s, nor in a directory of PATH that only root may write "
          "to; install Node.js 20.19 or later, or copy its node there\n",
          directory, fixed_places);
  _exit(NOT_FOUND);
}

int cannot_run(const char *node, int error) {
  dprintf(STDERR_FILENO, "chaperone: cannot run %s: %s%s\n", node, strerror(error),
          error == ENOENT || error == ENOEXEC ? " (is it built for this system and its C library?)" : "");
  return CANNOT_RUN;
}
