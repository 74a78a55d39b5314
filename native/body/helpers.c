/* Children that do for the body what may wait: they write lines and close descriptors. They are no services. */
#include "body.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define HELPERS_AT_MOST 64

struct helper {
  pid_t pid;
  bool speaks;
};

static struct helper helpers[HELPERS_AT_MOST];
static size_t count;

bool has_room_for_helper(void) {
  return count < HELPERS_AT_MOST;
}

void add_helper(pid_t pid, bool speaks) {
  if (count < HELPERS_AT_MOST) helpers[count++] = (struct helper){pid, speaks};
}

bool is_helper(pid_t pid) {
  for (size_t i = 0; i < count; i++)
    if (helpers[i].pid == pid) return true;
  return false;
}

bool was_helper(pid_t pid) {
  for (size_t i = 0; i < count; i++) {
    if (helpers[i].pid != pid) continue;
    helpers[i] = helpers[--count];
    return true;
  }
  return false;
}

bool wait_for_helper(pid_t pid, int64_t end) {
  const struct timespec moment = {0, 1000000};
  for (;;) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) != 0 || info.si_pid == pid) return true;
    if (now_ms() >= end) return false;
    nanosleep(&moment, NULL);
  }
}

void wait_for_speakers(int64_t end) {
  for (size_t i = 0; i < count; i++)
    if (helpers[i].speaks) wait_for_helper(helpers[i].pid, end);
}
