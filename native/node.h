/* Finds this program's directory, and Node. */
#pragma once

/* The directory of this program, with links resolved. Exits where it cannot be found. */
const char *own_directory(void);
/* Finds Node; exits where there is none. */
const char *find_node(const char *directory);
/* Says why Node could not be executed, and returns the exit status for that. */
int cannot_run(const char *node, int error);

/*
 * Options of Node for every program. Deprecations in libraries do not belong in the container's log. One thread for V8's background
 * work in place of four leaves the processors to the services that are being started. Options of V8 itself would cost a tenth of the
 * boot: V8 refuses the code that Node brings compiled where they differ.
 */
#define NODE_FLAGS "--no-deprecation", "--v8-pool-size=1"
