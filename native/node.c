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

/* CHAPERONE_NODE: the operator may prefer the Node of the image, but not one that somebody else may replace. */
static const char *wanted_node(const char *wanted) {
  static char file[PATH_MAX];
  static char directory[PATH_MAX];
  struct stat status;
  const bool is_found = *wanted == '/' && realpath(wanted, file) != NULL && is_program(file);
  if (is_found) {
    strcpy(directory, file);
    *strrchr(directory, '/') = '\0';
    const bool is_safe = stat(file, &status) == 0 && status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    if (is_safe && is_of_root(*directory == '\0' ? "/" : directory)) return file;
  }
  dprintf(STDERR_FILENO, "chaperone: cannot use CHAPERONE_NODE=%s: it is %s\n", wanted,
          is_found ? "not a file that only root may write to, in a directory that only root may write to"
                   : "not the absolute path of a program");
  _exit(is_found ? CANNOT_RUN : NOT_FOUND);
}

const char *find_node(const char *directory) {
  static char file[PATH_MAX + 8];
  const char *wanted = getenv("CHAPERONE_NODE");
  if (wanted != NULL && *wanted != '\0') return wanted_node(wanted);
  snprintf(file, sizeof file, "%s/node", directory);
  if (is_program(file)) return file;
  if (found_in(fixed_places, false, file, sizeof file) || found_in(getenv("PATH"), true, file, sizeof file)) return file;
  dprintf(STDERR_FILENO,
          "chaperone: cannot find node: not at %s/node, not in %s, nor in a directory of PATH that only root may write "
          "to; install Node.js 20.19 or later, or copy its node there\n",
          directory, fixed_places);
  _exit(NOT_FOUND);
}

/*
 * The loader that came with the node of the folder, with its C library: lib/node is a link to it, so that the process has the
 * name `node`. NULL where the image's own C library serves, and where another node was chosen.
 */
static const char *own_loader(const char *directory, const char *node) {
  static char file[PATH_MAX + 16];
  snprintf(file, sizeof file, "%s/node", directory);
  if (strcmp(file, node) != 0) return NULL;
  snprintf(file, sizeof file, "%s/lib/node", directory);
  return is_program(file) ? file : NULL;
}

int run_node(const char *directory, const char *node, const char *program, int argc, char **argv, char **environment) {
  static char libraries[PATH_MAX + 8];
  static char script[PATH_MAX + 32];
  const char *loader = own_loader(directory, node);
  snprintf(libraries, sizeof libraries, "%s/lib", directory);
  snprintf(script, sizeof script, "%s/%s.cjs", directory, program);
  const char *const by_loader[] = {program, "--inhibit-cache", "--library-path", libraries, "--argv0", program, node};
  const char *const directly[] = {program};
  const char *const flags[] = {"--no-deprecation", "--v8-pool-size=1", script};
  const char *const *first = loader == NULL ? directly : by_loader;
  const size_t first_count = loader == NULL ? 1 : sizeof by_loader / sizeof by_loader[0];
  const size_t flag_count = sizeof flags / sizeof flags[0];
  const char **arguments = calloc(first_count + flag_count + (size_t)argc + 1, sizeof *arguments);
  if (arguments == NULL) return cannot_run(node, ENOMEM);
  memcpy(arguments, first, first_count * sizeof *arguments);
  memcpy(arguments + first_count, flags, sizeof flags);
  for (int i = 1; i < argc; i++) arguments[first_count + flag_count + (size_t)i - 1] = argv[i];
  execve(loader == NULL ? node : loader, (char **)arguments, environment);
  return cannot_run(node, errno);
}

int cannot_run(const char *node, int error) {
  dprintf(STDERR_FILENO, "chaperone: cannot run %s: %s%s\n", node, strerror(error),
          error == ENOENT || error == ENOEXEC ? " (is it built for this system and its C library?)" : "");
  return CANNOT_RUN;
}
