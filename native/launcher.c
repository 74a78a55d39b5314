/*
 * The launcher: the program `chaperone` that a container runs. It saves what Node would overwrite, and executes Node:
 *
 * _CHAPERONE_NOFILE=soft:hard   RLIMIT_NOFILE at the start (Node raises the soft limit to the hard one); -1 is no limit
 * _CHAPERONE_KEEP_X=value       every variable X that begins with NODE_ or UV_: it is meant for services, not for PID 1
 *
 * It is linked statically, so that it starts even where the C library does not match.
 *
 * Links to it have other names (tools.h): sdnotify, and chaperonectl with `is-ready`, need no Node; for chaperonectl and telchap
 * it executes Node with their script and the environment as it is.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools.h"

enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static const char limit_name[] = "_CHAPERONE_NOFILE=";
static const char keep_prefix[] = "_CHAPERONE_KEEP_";
static const char *const fallback_path = "/usr/local/bin:/usr/bin";

/*
 * Deprecations in libraries do not belong in the container's log. One thread for V8's background work in place of four leaves the
 * processors to the services that are being started. Options of V8 itself would cost a tenth of the boot: V8 refuses the code
 * that Node brings compiled where they differ.
 */
static const char *const node_flags[] = {"--no-deprecation", "--v8-pool-size=1"};
enum { FLAG_COUNT = sizeof node_flags / sizeof node_flags[0] };

extern char **environ;

static bool begins(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void *allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (memory == NULL) {
    dprintf(STDERR_FILENO, "chaperone: cannot start: out of memory\n");
    _exit(CANNOT_RUN);
  }
  return memory;
}

/* Opens the missing ones of descriptors 0 to 2; otherwise the next file to be opened would become one of them. */
static void fill_stdio(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) return;
  }
}

/* The directory of this program, with links resolved. Without /proc, the name it was called by decides. */
static const char *own_directory(void) {
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

static long long limit_number(rlim_t limit) {
  return limit == RLIM_INFINITY ? -1 : (long long)limit;
}

static char *limit_variable(void) {
  static char variable[80];
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  getrlimit(RLIMIT_NOFILE, &limit);
  snprintf(variable, sizeof variable, "%s%lld:%lld", limit_name, limit_number(limit.rlim_cur),
           limit_number(limit.rlim_max));
  return variable;
}

static char *kept(const char *variable) {
  const size_t bytes = sizeof keep_prefix + strlen(variable);
  char *copy = allocate(bytes);
  snprintf(copy, bytes, "%s%s", keep_prefix, variable);
  return copy;
}

/* OpenSSL reads its configuration variables in every program that links it, and so would Node. */
static bool belongs_to_node(const char *variable) {
  return begins(variable, "NODE_") || begins(variable, "UV_") || begins(variable, "OPENSSL_");
}

static char **environment_for_node(void) {
  size_t count = 0;
  while (environ[count] != NULL) count++;
  char **environment = allocate((count + 2) * sizeof *environment);
  char **next = environment;
  for (char **each = environ; *each != NULL; each++) {
    /* Notes of an outer chaperone that has started this one do not apply here. */
    if (begins(*each, limit_name) || begins(*each, keep_prefix)) continue;
    *next++ = belongs_to_node(*each) ? kept(*each) : *each;
  }
  *next++ = limit_variable();
  *next = NULL;
  return environment;
}

static bool is_program(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Only absolute entries of PATH count: a file in the working directory must not become PID 1. */
static bool found_in(const char *path, char *file, size_t size) {
  while (path != NULL && *path != '\0') {
    const size_t length = strcspn(path, ":");
    if (*path == '/') {
      const int wanted = snprintf(file, size, "%.*s/node", (int)length, path);
      if (wanted > 0 && (size_t)wanted < size && is_program(file)) return true;
    }
    path += length;
    if (*path == ':') path++;
  }
  return false;
}

static const char *find_node(const char *directory) {
  static char file[PATH_MAX + 8];
  snprintf(file, sizeof file, "%s/node", directory);
  if (is_program(file)) return file;
  if (found_in(getenv("PATH"), file, sizeof file) || found_in(fallback_path, file, sizeof file)) return file;
  dprintf(STDERR_FILENO,
          "chaperone: cannot find node: not in PATH, not in %s, not at %s/node; install Node.js 20.19 or later, "
          "or copy its node there\n",
          fallback_path, directory);
  _exit(NOT_FOUND);
}

/* Which program this is, by the last part of the name that it was called by. */
static const char *program_called(const char *path) {
  static const char *const tools[] = {"sdnotify", "chaperonectl", "telchap"};
  const char *slash = path == NULL ? NULL : strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  for (size_t i = 0; name != NULL && i < sizeof tools / sizeof tools[0]; i++) {
    if (strcmp(name, tools[i]) == 0) return tools[i];
  }
  return "chaperone";
}

static bool is(const char *program, const char *name) { return strcmp(program, name) == 0; }

static char **arguments_for_node(const char *directory, const char *program, int argc, char **argv) {
  static char script[PATH_MAX + 32];
  char **arguments = allocate(((size_t)argc + FLAG_COUNT + 3) * sizeof *arguments);
  char **next = arguments;
  snprintf(script, sizeof script, "%s/%s.cjs", directory, program);
  *next++ = (char *)program;
  for (int i = 0; i < FLAG_COUNT; i++) *next++ = (char *)node_flags[i];
  *next++ = script;
  for (int i = 1; i < argc; i++) *next++ = argv[i];
  *next = NULL;
  return arguments;
}

int main(int argc, char **argv) {
  const char *program = program_called(argv[0]);
  int status;
  fill_stdio();
  if (is(program, "sdnotify")) return sdnotify_main(argc, argv);
  if (is(program, "chaperonectl") && is_ready_answers(argc, argv, &status)) return status;
  const char *directory = own_directory();
  const char *node = find_node(directory);
  char **environment = is(program, "chaperone") ? environment_for_node() : environ;
  execve(node, arguments_for_node(directory, program, argc, argv), environment);
  const int error = errno;
  dprintf(STDERR_FILENO, "chaperone: cannot run %s: %s%s\n", node, strerror(error),
          error == ENOENT || error == ENOEXEC ? " (is it built for this system and its C library?)" : "");
  return CANNOT_RUN;
}
