/* What the one program is under its names (launcher.c). Each function returns the exit status. */
#pragma once

#include <stdbool.h>

/* `chaperone`: the body (body/body.h), which begins with all signals blocked (first-instruction.c). */
int body_main(int argc, char **argv);
/* The other programs have the signals blocked that were blocked when they began. */
void restore_signals(void);

/* `sdnotify`, which scripts call again and again, needs no Node. */
int sdnotify_main(int argc, char **argv);

/* `own-pid`, by which sdnotify-exec starts a command that needs its own pid in a variable (own-pid.c). */
int own_pid_main(int argc, char **argv);

/*
 * `as-service`, by which `chaperonectl shell` becomes a program with the rights of a service: a spawn request is read from the
 * descriptor (body/protocol.h), without descriptors of its own. Returns only where that fails.
 */
int as_service_main(int from);

/*
 * `chaperonectl is-ready`, which probes call again and again. Returns true with the exit status where it has answered; false
 * where it has done nothing: for another verb, for its help, and for words that it does not take, which Node has the messages
 * for.
 */
bool is_ready_answers(int argc, char **argv, int *status);
