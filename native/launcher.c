/*
 * The program `chaperone`, by whatever name it is called (tools.h). As `chaperone` it is the body. `sdnotify` needs no Node, nor
 * does `chaperonectl is-ready`. For everything else of chaperonectl and telchap it executes Node with their script.
 *
 * It is linked statically, so that it starts even where the C library does not match.
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
#include <unistd.h>

#include "node.h"
#include "tools.h"

static const char *const node_flags[] = {NODE_FLAGS};
enum { FLAG_COUNT = sizeof node_flags / sizeof node_flags[0] };

extern char **environ;

/*
 * Opens the missing ones of descriptors 0 to 2; otherwise the next file to be opened would become one of them. Without
 * /dev/null, a descriptor holds the place that nobody can read or write.
 */
static void fill_stdio(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0 && open("/", O_PATH) < 0) return;
  }
}

/* Which program this is, by the last part of the name that it was called by. */
static const char *program_called(const char *path) {
  static const char *const tools[] = {"sdnotify", "chaperonectl", "telchap", "own-pid"};
  const char *slash = path == NULL ? NULL : strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  for (size_t i = 0; name != NULL && i < sizeof tools / sizeof tools[0]; i++) {
    if (strcmp(name, tools[i]) == 0) return tools[i];
  }
  return "chaperone";
}

static bool is(const char *program, const char *name) { return strcmp(program, name) == 0; }

/* Returns NULL where there is no memory. */
static char **arguments_for_node(const char *directory, const char *program, int argc, char **argv) {
  static char script[PATH_MAX + 32];
  char **arguments = calloc((size_t)argc + FLAG_COUNT + 3, sizeof *arguments);
  if (arguments == NULL) return NULL;
  char **next = arguments;
  snprintf(script, sizeof script, "%s/%s.cjs", directory, program);
  *next++ = (char *)program;
  for (int i = 0; i < FLAG_COUNT; i++) *next++ = (char *)node_flags[i];
  *next++ = script;
  for (int i = 1; i < argc; i++) *next++ = argv[i];
  return arguments;
}

static int run_node(const char *program, int argc, char **argv) {
  const char *directory = own_directory();
  const char *node = find_node(directory);
  char **arguments = arguments_for_node(directory, program, argc, argv);
  if (arguments == NULL) return cannot_run(node, ENOMEM);
  execve(node, arguments, environ);
  return cannot_run(node, errno);
}

int main(int argc, char **argv) {
  const char *program = program_called(argv[0]);
  const bool is_body = is(program, "chaperone");
  int status;
  if (!is_body) restore_signals();
  fill_stdio();
  if (is_body) return body_main(argc, argv);
  if (is(program, "sdnotify")) return sdnotify_main(argc, argv);
  if (is(program, "own-pid")) return own_pid_main(argc, argv);
  if (is(program, "chaperonectl") && is_ready_answers(argc, argv, &status)) return status;
  return run_node(program, argc, argv);
}
