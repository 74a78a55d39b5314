/* The address of a datagram socket, for the addon and for sdnotify. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

/* unix(7). Returns 0 or an errno. A leading '@' stands for the NUL byte of an abstract name. */
int unix_address(const char *path, struct sockaddr_un *address, socklen_t *size);
