/* Time limits for calls on sockets. */
#pragma once

#include <stdbool.h>

/* ms, by a clock that nobody sets. */
long long now(void);

/* Limits the next call on a socket (SO_SNDTIMEO, SO_RCVTIMEO) to the time until then. Returns false where none is left. */
bool limit(int fd, int option, long long end);
