/*
 * Starts programs. The body is small, so fork(2) is cheap, and the child has descriptors and memory of its own. The
 * body does not wait for the child, which writes into a pipe where it fails; execve(2) closes the pipe.
 */
#include "../tools.h"
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Descriptors that are closed one by one where nothing tells which of them are open. */
#define CLOSE_AT_MOST 65536
#define CAPABILITY_COUNT 64
/* The most processors of a kernel that is built for x86-64, divided by 64. */
#define PROCESSOR_WORDS 128
/* The most bytes of a request in a memory file; execve(2) takes no more than 6 MB of arguments and variables. */
#define REQUEST_BYTES_AT_MOST ((size_t)16 * 1024 * 1024)
/* Room for ten digits and the NUL byte. */
#define PID_BYTES 11
/* Descriptors that the body needs beside those of children on their way. */
#define DESCRIPTORS_OF_BODY 24
/* Children on their way, as far as the limit of descriptors allows. In an unprivileged account descriptors under way count
 * against the same limit. */
#define SPAWNS_AT_ONCE 64

/* A request as the child reads it. All of it points into the packet or the memory file, which only the child uses. */
struct plan {
  const struct spawn_request *request;
  const struct step *steps;
  const uint32_t *groups;
  const struct descriptor_map *map;
  const char *file;
  const char *directory;
  char **arguments;
  char **variables;
  char **pid_variables;
};

/* ---- reading a request ---- */

struct reader {
  const char *at;
  size_t left;
  bool broken;
};

static const void *read_bytes(struct reader *reader, size_t bytes) {
  if (reader->broken || bytes > reader->left) {
    reader->broken = true;
    return NULL;
  }
  const char *start = reader->at;
  reader->at += bytes;
  reader->left -= bytes;
  return start;
}

static const void *read_array(struct reader *reader, size_t count, size_t size) {
  if (count > reader->left / size) reader->broken = true;
  return read_bytes(reader, count * size);
}

static const char *read_text(struct reader *reader) {
  const size_t length = strnlen(reader->at, reader->left);
  if (length == reader->left) reader->broken = true;
  return read_bytes(reader, length + 1);
}

/* Returns a list that ends with NULL, or NULL where the request is broken or there is no memory. */
static char **read_texts(struct reader *reader, uint64_t count) {
  if (count > reader->left) reader->broken = true;
  if (reader->broken) return NULL;
  char **texts = calloc((size_t)count + 1, sizeof *texts);
  if (texts == NULL) return NULL;
  for (uint64_t i = 0; i < count; i++) texts[i] = (char *)(uintptr_t)read_text(reader);
  return texts;
}

/* True where all sources are descriptors that came, and no target is negative or stands twice. */
static bool is_map_valid(const struct descriptor_map *map, uint32_t count, int descriptors) {
  for (uint32_t i = 0; i < count; i++) {
    if (map[i].target < 0 || map[i].target > 65535) return false;
    if (map[i].source < -3 || map[i].source >= descriptors) return false;
    for (uint32_t j = 0; j < i; j++)
      if (map[j].target == map[i].target) return false;
  }
  return true;
}

/* Runs in the child, which has memory of its own. */
static bool read_plan(struct reader *reader, const struct spawn_request *request, int descriptors, struct plan *plan) {
  plan->request = request;
  plan->steps = read_array(reader, request->step_count, sizeof *plan->steps);
  plan->groups = read_array(reader, request->group_count, sizeof *plan->groups);
  plan->map = read_array(reader, request->descriptor_count, sizeof *plan->map);
  plan->file = read_text(reader);
  plan->directory = (request->flags & SPAWN_DIRECTORY) != 0 ? read_text(reader) : NULL;
  plan->arguments = read_texts(reader, request->argument_count);
  plan->variables = read_texts(reader, (uint64_t)request->variable_count + request->pid_variable_count);
  if (reader->broken || plan->arguments == NULL || plan->variables == NULL || request->argument_count == 0) return false;
  return request->descriptor_count <= 65536 && is_map_valid(plan->map, request->descriptor_count, descriptors);
}

/* ---- the child's side ---- */

static _Noreturn void give_up(int error_pipe, uint32_t stage) {
  const struct failure failure = {errno, stage};
  /* The message is smaller than PIPE_BUF, so the write is atomic. An error here could not be reported to anyone. */
  const ssize_t written = write(error_pipe, &failure, sizeof failure);
  _exit(written < 0 ? 126 : 127);
}

static bool leave_group(uint32_t group) {
  if (group == SPAWN_SESSION) return setsid() >= 0;
  if (group == SPAWN_OWN_GROUP) return setpgid(0, 0) == 0;
  return true;
}

/* Moves descriptors out of the way of the targets, and then onto them. dup3(2) clears O_CLOEXEC. */
static bool take_descriptors(const struct plan *plan, const int *received, int *error_pipe, int *end) {
  const uint32_t count = plan->request->descriptor_count;
  const struct descriptor_map *map = plan->map;
  int top = 3;
  for (uint32_t i = 0; i < count; i++)
    if (map[i].target >= top) top = map[i].target + 1;
  int *sources = calloc((size_t)count + 1, sizeof *sources);
  if (sources == NULL) return false;
  if ((*error_pipe = fcntl(*error_pipe, F_DUPFD_CLOEXEC, top)) < 0) return false;
  for (uint32_t i = 0; i < count; i++) {
    const int source = map[i].source < 0 ? -1 - map[i].source : received[map[i].source];
    if ((sources[i] = fcntl(source, F_DUPFD_CLOEXEC, top)) < 0) return false;
  }
  for (int fd = 0; fd < top; fd++) close(fd);
  for (uint32_t i = 0; i < count; i++)
    if (dup3(sources[i], map[i].target, 0) < 0) return false;
  *end = top;
  return true;
}

static bool close_listed(int first, int kept) {
  char path[] = "/proc/self/fd";
  struct stat status;
  if (stat(path, &status) != 0) return false;
  const int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  _Alignas(8) char buffer[2048];
  long bytes;
  while ((bytes = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < bytes;) {
      unsigned short length;
      memcpy(&length, buffer + at + 16, sizeof length);
      const char *name = buffer + at + 19;
      const int fd = *name >= '0' && *name <= '9' ? atoi(name) : -1;
      if (fd >= first && fd != directory && fd != kept) close(fd);
      at += length;
    }
  }
  close(directory);
  return bytes == 0;
}

/* Closes everything from `first` on but the error pipe, which lies next to it for one close_range(2). */
static bool close_others(int first, int *error_pipe) {
  if (*error_pipe != first) {
    if (dup3(*error_pipe, first, O_CLOEXEC) < 0) return false;
    *error_pipe = first;
  }
  /* An old kernel has no close_range(2), and a seccomp filter may refuse it. */
  if (syscall(SYS_close_range, (unsigned)first + 1, ~0U, 0U) == 0 || close_listed(first + 1, first)) return true;
  struct rlimit limit;
  rlim_t end = CLOSE_AT_MOST;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < end) end = limit.rlim_cur;
  for (rlim_t fd = (rlim_t)first + 1; fd < end; fd++) close((int)fd);
  return true;
}

static int compare_ids(const void *left, const void *right) {
  const gid_t a = *(const gid_t *)left;
  const gid_t b = *(const gid_t *)right;
  return (a > b) - (a < b);
}

/* Sorts the groups, drops repetitions, and returns how many are left. */
static size_t as_set(gid_t *groups, size_t count) {
  size_t kept = 0;
  if (count > 1) qsort(groups, count, sizeof *groups, compare_ids);
  for (size_t i = 0; i < count; i++)
    if (kept == 0 || groups[kept - 1] != groups[i]) groups[kept++] = groups[i];
  return kept;
}

/* Without privilege setgroups(2) fails even where it would change nothing. */
static bool set_groups(const struct plan *plan) {
  const size_t count = plan->request->group_count;
  gid_t *wanted = calloc(count + 1, sizeof *wanted);
  const int now = getgroups(0, NULL);
  gid_t *current = calloc((size_t)(now < 0 ? 0 : now) + 1, sizeof *current);
  if (wanted == NULL || current == NULL) return false;
  if (count > 0) memcpy(wanted, plan->groups, count * sizeof *wanted);
  const size_t size = as_set(wanted, count);
  const int filled = now < 0 ? -1 : getgroups(now, current);
  if (filled >= 0 && as_set(current, (size_t)filled) == size && memcmp(current, wanted, size * sizeof *wanted) == 0)
    return true;
  return setgroups(size, wanted) == 0;
}

/* Only what is in the set is dropped: without privilege dropping fails even where it would change nothing. */
static bool bound_capabilities(uint64_t kept) {
  for (int each = 0; each < CAPABILITY_COUNT; each++) {
    if ((kept >> each & 1) == 0 && prctl(PR_CAPBSET_READ, each, 0, 0, 0) == 1 &&
        prctl(PR_CAPBSET_DROP, each, 0, 0, 0) != 0)
      return false;
  }
  return true;
}

static bool take_capabilities(uint64_t mask) {
  const uint32_t low = (uint32_t)mask;
  const uint32_t high = (uint32_t)(mask >> 32);
  /* As capset(2) has them, whose header the C library lacks: the version and the thread; effective, permitted, inheritable. */
  const uint32_t header[] = {0x20080522, 0};
  const uint32_t sets[] = {low, low, low, high, high, high};
  if (syscall(SYS_capset, header, sets) != 0) return false;
  for (int each = 0; each < CAPABILITY_COUNT; each++)
    if ((mask >> each & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, each, 0, 0) != 0) return false;
  return true;
}

static bool set_oom_score(int score) {
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  return fd >= 0 && dprintf(fd, "%d", score) > 0 && close(fd) == 0;
}

static bool add_processors(const struct step *step) {
  static uint64_t mask[PROCESSOR_WORDS];
  errno = EINVAL;
  if (step->which >= PROCESSOR_WORDS) return false;
  mask[step->which] |= step->first;
  return step->second == 0 || syscall(SYS_sched_setaffinity, 0, sizeof mask, mask) == 0;
}

static bool take_step(const struct plan *plan, const struct step *step) {
  const uint32_t number = (uint32_t)step->first;
  const struct rlimit limit = {step->first, step->second};
  switch ((enum step_kind)step->kind) {
    case STEP_LIMIT: return setrlimit(step->which, &limit) == 0;
    case STEP_NICE: return setpriority(PRIO_PROCESS, 0, (int32_t)number) == 0;
    case STEP_OOM_SCORE: return set_oom_score((int32_t)number);
    case STEP_PROCESSORS: return add_processors(step);
    case STEP_BOUNDING: return bound_capabilities(step->first);
    case STEP_GROUPS: return set_groups(plan);
    case STEP_GID: return setresgid(number, number, number) == 0;
    case STEP_UID:
      if (step->which != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
      return setresuid(number, number, number) == 0;
    case STEP_CAPABILITIES: return take_capabilities(step->first);
    case STEP_NO_NEW_PRIVILEGES: return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    case STEP_UMASK: umask((mode_t)number); return true;
  }
  errno = EINVAL;
  return false;
}

static bool is_named(const char *variable, const char *name) {
  const size_t length = strlen(name);
  return strncmp(variable, name, length) == 0 && (variable[length] == '=' || variable[length] == '\0');
}

/* The last variables are names: each becomes `NAME=PID`, once, and replaces all that has the name already. */
static bool set_pid_variables(const struct plan *plan) {
  const uint32_t names = plan->request->pid_variable_count;
  char **variables = plan->variables;
  uint32_t count = plan->request->variable_count;
  for (char **next = variables + count, **end = next + names; next < end; next++) {
    const char *name = *next;
    const size_t size = strlen(name) + 1 + PID_BYTES;
    char *text = malloc(size);
    if (text == NULL) return false;
    snprintf(text, size, "%s=%d", name, (int)getpid());
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
      if (!is_named(variables[i], name)) variables[kept++] = variables[i];
    variables[kept++] = text;
    count = kept;
  }
  variables[count] = NULL;
  return true;
}

/* The rest of a request, which lies behind the head or in a memory file. Returns false where it cannot be read. */
static bool open_rest(const struct packet *packet, const struct spawn_request *request, struct reader *reader) {
  *reader = (struct reader){packet->bytes + sizeof *request, packet->size - sizeof *request, false};
  if ((request->flags & SPAWN_IN_MEMORY) == 0) return true;
  struct stat status;
  if (packet->descriptor_count == 0 || fstat(packet->descriptors[0], &status) != 0) return false;
  if (status.st_size <= 0 || (uint64_t)status.st_size > REQUEST_BYTES_AT_MOST) return false;
  const size_t size = (size_t)status.st_size;
  void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, packet->descriptors[0], 0);
  if (bytes == MAP_FAILED) return false;
  *reader = (struct reader){bytes, size, false};
  return true;
}

/* Returns the stage that has failed, with errno. */
static uint32_t become(const struct plan *plan) {
  for (uint32_t i = 0; i < plan->request->step_count; i++)
    if (!take_step(plan, plan->steps + i)) return STAGE_STEPS + i;
  /* The change of directory follows the change of account, so that the account's rights decide, as in systemd. */
  if (plan->directory != NULL && chdir(plan->directory) != 0) return STAGE_DIRECTORY;
  if (!set_pid_variables(plan)) return STAGE_EXEC;
  unblock_signals();
  execve(plan->file, plan->arguments, plan->variables);
  return STAGE_EXEC;
}

static _Noreturn void run_child(const struct packet *packet, const struct spawn_request *request, int error_pipe) {
  struct plan plan;
  struct reader reader;
  int end = 0;
  const int skipped = (request->flags & SPAWN_IN_MEMORY) == 0 ? 0 : 1;
  const int *received = packet->descriptors + skipped;
  errno = EINVAL;
  if (!open_rest(packet, request, &reader) ||
      !read_plan(&reader, request, packet->descriptor_count - skipped - (int)request->kept_count, &plan)) {
    give_up(error_pipe, STAGE_PIPE);
  }
  if (!leave_group(request->group)) give_up(error_pipe, STAGE_GROUP);
  if ((request->flags & SPAWN_TERMINAL) != 0 && tcsetpgrp(STDIN_FILENO, getpid()) != 0) {
    give_up(error_pipe, STAGE_TERMINAL);
  }
  if (!take_descriptors(&plan, received, &error_pipe, &end) || !close_others(end, &error_pipe)) {
    give_up(error_pipe, STAGE_STDIO);
  }
  give_up(error_pipe, become(&plan));
}

int as_service_main(int from) {
  struct plan plan;
  size_t size = 0;
  char *bytes = malloc(REQUEST_BYTES_AT_MOST);
  for (ssize_t got = 1; bytes != NULL && got > 0; size += got > 0 ? (size_t)got : 0)
    got = read(from, bytes + size, REQUEST_BYTES_AT_MOST - size);
  const struct spawn_request *request = (const struct spawn_request *)(void *)bytes;
  struct reader reader = {bytes + sizeof *request, size - sizeof *request, false};
  if (size < sizeof *request || !read_plan(&reader, request, 0, &plan)) return 126;
  close(from);
  const uint32_t stage = become(&plan);
  dprintf(STDERR_FILENO, "chaperonectl shell: %s: %s\n",
          stage == STAGE_EXEC ? plan.file : stage == STAGE_DIRECTORY ? plan.directory : "cannot take the rights of the service",
          strerror(errno));
  return errno == ENOENT ? 127 : 126;
}

/* ---- the body's side ---- */

static void fail(uint64_t request, int error, enum stage stage) {
  const struct spawn_failed failed = {request, error, stage};
  keep_fact(FACT_SPAWN_FAILED, 1, &failed, sizeof failed, NULL, 0);
}

static void start(uint64_t number, const struct spawn_request *request, const struct packet *packet) {
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
    fail(number, errno, STAGE_PIPE);
    return;
  }
  const pid_t pid = fork();
  if (pid == 0) run_child(packet, request, error_pipe[1]);
  const int error = errno;
  close(error_pipe[1]);
  if (pid > 0) {
    add_process(number, pid, (request->flags & SPAWN_TERMINAL) != 0, request->stop_signal);
    add_pending(number, pid, error_pipe[0]);
    for (uint32_t i = 0; i < request->kept_count; i++) keep_pipe(pid, packet->descriptors[packet->descriptor_count - 1 - (int)i]);
    return;
  }
  close(error_pipe[0]);
  fail(number, error, STAGE_CLONE);
}

void spawn(uint64_t number, const struct packet *packet) {
  struct spawn_request request;
  if (packet->lost_descriptors || packet->size < sizeof request) {
    fail(number, packet->lost_descriptors ? EMFILE : EINVAL, STAGE_PIPE);
    return;
  }
  memcpy(&request, packet->bytes, sizeof request);
  /* The other end knows from the welcome how many may be on their way; further ones fail, and nothing waits for them. */
  if (request.kept_count > (uint32_t)packet->descriptor_count) fail(number, EINVAL, STAGE_PIPE);
  else if (pending_count() >= PENDING_AT_MOST) fail(number, EAGAIN, STAGE_CLONE);
  else if (!make_room_for_process()) fail(number, ENOMEM, STAGE_CLONE);
  else start(number, &request, packet);
}

uint32_t spawns_at_once(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > DESCRIPTORS_OF_BODY + SPAWNS_AT_ONCE * 2) {
    return SPAWNS_AT_ONCE;
  }
  return limit.rlim_cur > DESCRIPTORS_OF_BODY + 8 ? (uint32_t)(limit.rlim_cur - DESCRIPTORS_OF_BODY) / 2 : 4;
}
