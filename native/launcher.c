/*
 * The program `chaperone`, by whatever name it is called (tools.h). As `chaperone` it is the body. `sdnotify` needs no Node, nor
 * does `chaperonectl is-ready`. For everything else of chaperonectl, and for telchap, envcp, sdnotify-exec and sv, it executes Node
 * with their script: Node is looked for beside this program first, so that these programs work in an image without Node.
 *
 * It is linked statically, so that it starts even where the C library does not match.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node.h"
#include "tools.h"

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
  static const char *const tools[] = {"sdnotify", "chaperonectl", "telchap", "envcp", "sdnotify-exec", "own-pid",
                                      "as-service", "dockerops", "sv"};
  const char *slash = path == NULL ? NULL : strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  for (size_t i = 0; name != NULL && i < sizeof tools / sizeof tools[0]; i++) {
    if (strcmp(name, tools[i]) == 0) return tools[i];
  }
  return "chaperone";
}

static bool is(const char *program, const char *name) { return strcmp(program, name) == 0; }

/*
 * Variables for the programs of the image: they may name files and options that the Node beside chaperone does not have, and
 * libraries that do not fit its C library.
 */
static bool is_for_others(const char *variable) {
  static const char *const prefixes[] = {"NODE_OPTIONS=", "LD_", "GLIBC_TUNABLES="};
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
    if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0) return true;
  }
  return false;
}

/* Hides them from Node: src/cli/given-environment.ts puts them back. Returns false where there is no memory. */
static bool hide_variables(void) {
  static const char hidden[] = "_CHAPERONE_";
  for (char **each = environ; *each != NULL; each++) {
    if (!is_for_others(*each)) continue;
    const size_t size = sizeof hidden + strlen(*each);
    char *variable = malloc(size);
    if (variable == NULL) return false;
    snprintf(variable, size, "%s%s", hidden, *each);
    *each = variable;
  }
  return true;
}

static int run_script(const char *program, int argc, char **argv) {
  const char *directory = own_directory();
  const char *node = find_node(directory);
  return hide_variables() ? run_node(directory, node, program, argc, argv, environ) : cannot_run(node, ENOMEM);
}

int main(int argc, char **argv) {
  const char *program = program_called(argv[0]);
  const bool is_body = is(program, "chaperone");
  int status;
  if (!is_body) restore_signals();
  fill_stdio();
  if (is_body) return body_main(argc, argv);
  if (is(program, "sdnotify")) return sdnotify_main(argc, argv);
  if (is(program, "as-service")) return as_service_main(STDERR_FILENO + 1);
  if (is(program, "own-pid")) return own_pid_main(argc, argv);
  if (is(program, "chaperonectl") && is_ready_answers(argc, argv, &status)) return status;
  return run_script(program, argc, argv);
}
