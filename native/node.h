/* Finds this program's directory, and Node, and executes Node. */
#pragma once

/* The directory of this program, with links resolved. Exits where it cannot be found. */
const char *own_directory(void);
/* Finds Node; exits where there is none. */
const char *find_node(const char *directory);
/*
 * Executes Node with the script `PROGRAM.cjs` of the directory and the arguments behind argv[0]; `ps` shows the name of the program.
 * Returns the exit status only where that cannot be done.
 *
 * Options of Node for every program: deprecations in libraries do not belong in the container's log. One thread for V8's background
 * work in place of four leaves the processors to the services that are being started. Options of V8 itself would cost a tenth of the
 * boot: V8 refuses the code that Node brings compiled where they differ.
 */
int run_node(const char *directory, const char *node, const char *program, int argc, char **argv, char **environment);
/* Says why Node could not be executed, and returns the exit status for that. */
int cannot_run(const char *node, int error);
