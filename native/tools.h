/* The programs that need no Node: scripts and probes call them again and again. */
#pragma once

#include <stdbool.h>

/* The program sdnotify. Returns its exit status. */
int sdnotify_main(int argc, char **argv);

/*
 * `chaperonectl is-ready`. Returns true with the exit status where it has answered; false where it has done nothing: for another
 * verb, for its help, and for words that it does not take, which Node has the messages for.
 */
bool is_ready_answers(int argc, char **argv, int *status);
