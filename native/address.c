#include "address.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

int unix_address(const char *path, struct sockaddr_un *address, socklen_t *size) {
  const size_t length = strlen(path);
  const bool abstract = path[0] == '@';
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  /* An empty name is refused, because bind(2) would choose a name for it. */
  if (length == 0) return EINVAL;
  if (length + !abstract > sizeof address->sun_path) return ENAMETOOLONG;
  memcpy(address->sun_path, path, length);
  if (abstract) address->sun_path[0] = '\0';
  *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
  return 0;
}
