/* Processes: those that were started on request, orphans, and everyone who is left at the end. */
#include "body.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exits that one fact tells at most: as many as a packet holds. */
#define EXITS_AT_ONCE ((PACKET_BYTES - sizeof(struct header)) / sizeof(struct exit_record))
#define PROCESS_BYTES_AT_MOST ((size_t)64 * 1024 * 1024)
/* Without /proc, the numbers that are tried one by one. */
#define LARGEST_PID_WITHOUT_PROC 131072
/* The longest chain of parents that is followed. */
#define GENERATIONS_AT_MOST 1000

struct process {
  uint64_t spawn;
  pid_t pid;
  bool takes_terminal;
  /* It ends without having reached its program: the brain knows, and does not hear of the end. */
  bool failed;
};

static struct store store;
static bool alone_is_watched;

static struct process *all(void) {
  return (struct process *)(void *)store.bytes;
}

size_t process_count(void) {
  return store.size / sizeof(struct process);
}

bool add_process(uint64_t spawn, pid_t pid, bool takes_terminal) {
  if (!grow(&store, sizeof(struct process), PROCESS_BYTES_AT_MOST)) return false;
  all()[process_count()] = (struct process){spawn, pid, takes_terminal, false};
  store.size += sizeof(struct process);
  return true;
}

static struct process *find_process(pid_t pid) {
  for (size_t i = 0; i < process_count(); i++)
    if (all()[i].pid == pid) return &all()[i];
  return NULL;
}

/* Ctrl-C at the terminal would otherwise go to a process group that no longer exists. SIGTTOU is blocked. */
static void take_back_terminal(void) {
  tcsetpgrp(STDIN_FILENO, getpgrp());
}

void forget_process(pid_t pid) {
  struct process *process = find_process(pid);
  if (process == NULL) return;
  if (process->takes_terminal) take_back_terminal();
  *process = all()[process_count() - 1];
  store.size -= sizeof(struct process);
}

void mark_failed(pid_t pid) {
  struct process *process = find_process(pid);
  if (process != NULL) process->failed = true;
}

static uint64_t microseconds(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/* As wait(2) encodes it. */
static int status_of(const siginfo_t *info) {
  if (info->si_code == CLD_EXITED) return (info->si_status & 0xff) << 8;
  return (info->si_status & 0x7f) | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

/* waitid(2) as a raw call, because the C library's version has no parameter for the rusage. Returns 0 where none is dead. */
static pid_t take_dead(siginfo_t *info, struct rusage *usage) {
  for (;;) {
    /* With WNOHANG and no dead child the call succeeds and may leave si_pid unchanged. */
    memset(info, 0, sizeof *info);
    if (syscall(SYS_waitid, P_ALL, 0, info, WEXITED | WNOHANG, usage) == 0) return info->si_pid;
    if (errno != EINTR) return 0;
  }
}

static void keep_exits(const struct exit_record *exits, size_t count) {
  if (count > 0) keep_fact(FACT_EXITS, (uint32_t)count, NULL, 0, exits, count * sizeof *exits);
}

int reap(pid_t brain) {
  static struct exit_record exits[EXITS_AT_ONCE];
  size_t count = 0;
  int brain_status = -1;
  siginfo_t info;
  struct rusage usage;
  pid_t pid;
  while (has_room_for_exits() && (pid = take_dead(&info, &usage)) > 0) {
    if (pid == brain) {
      brain_status = status_of(&info);
      continue;
    }
    if (was_speaker(pid)) continue;
    /* The verdict on a start comes before the end of the process. */
    if (pending_count() > 0) {
      keep_exits(exits, count);
      count = 0;
      judge_ended(pid);
    }
    const struct process *process = find_process(pid);
    if (process != NULL && process->failed) {
      forget_process(pid);
      continue;
    }
    exits[count++] = (struct exit_record){
        process == NULL ? 0 : process->spawn, pid, status_of(&info), microseconds(usage.ru_utime),
        microseconds(usage.ru_stime),         (uint64_t)usage.ru_maxrss};
    forget_process(pid);
    if (count < EXITS_AT_ONCE) continue;
    keep_exits(exits, count);
    count = 0;
  }
  keep_exits(exits, count);
  if (alone_is_watched) watch_alone(brain);
  return brain_status;
}

int signal_target(const struct target *target, int signal) {
  if (target->pid <= 1) return EINVAL;
  const struct process *process = find_process(target->pid);
  /* The process was reaped: its number may be that of another one by now, or of that one's group. */
  if (process != NULL ? process->spawn != target->spawn : target->spawn != 0 && target->group == 0) return ESRCH;
  return kill(target->group != 0 ? -target->pid : target->pid, signal) == 0 ? 0 : errno;
}

/* The parent of a process, from proc_pid_stat(5); 0 where it is not known. */
static pid_t parent_of(pid_t pid) {
  char path[64];
  char text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t bytes = read(fd, text, sizeof text - 1);
  close(fd);
  if (bytes <= 0) return 0;
  text[bytes] = '\0';
  /* The name may hold spaces and parentheses. */
  const char *end = strrchr(text, ')');
  int parent = 0;
  char state;
  return end != NULL && sscanf(end + 1, " %c %d", &state, &parent) == 2 ? parent : 0;
}

static bool is_descendant(pid_t pid) {
  const pid_t self = getpid();
  for (int steps = 0; pid > 1 && steps < GENERATIONS_AT_MOST; steps++) {
    pid = parent_of(pid);
    if (pid == self) return true;
  }
  return false;
}

/* Calls for each process that /proc lists until the function returns true. Returns false where there is no /proc. */
static bool each_process(bool (*function)(pid_t pid, void *argument), void *argument) {
  DIR *directory = opendir("/proc");
  if (directory == NULL) return false;
  bool found_self = false;
  const struct dirent *entry;
  while ((entry = readdir(directory)) != NULL) {
    const pid_t pid = (pid_t)atoi(entry->d_name);
    if (pid <= 0) continue;
    if (pid == getpid()) found_self = true;
    else if (function(pid, argument)) break;
  }
  closedir(directory);
  return found_self;
}

struct everyone {
  int signal;
  pid_t brain;
};

static bool signal_one(pid_t pid, void *argument) {
  const struct everyone *everyone = argument;
  if (pid != everyone->brain && (is_pid_1() || is_descendant(pid))) kill(pid, everyone->signal);
  return false;
}

void signal_everyone(int signal, pid_t brain) {
  struct everyone everyone = {signal, brain};
  if (each_process(signal_one, &everyone)) return;
  for (size_t i = 0; i < process_count(); i++) kill(all()[i].pid, signal);
  if (!is_pid_1()) return;
  for (pid_t pid = 2; pid < LARGEST_PID_WITHOUT_PROC; pid++)
    if (pid != brain) kill(pid, signal);
}

/* The children, as /proc/self/task/TID/children lists them; false where the kernel has no such file. */
static bool lists_another_child(pid_t brain, bool *another) {
  char path[64];
  char text[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t bytes = read(fd, text, sizeof text - 1);
  close(fd);
  if (bytes < 0) return false;
  text[bytes] = '\0';
  *another = false;
  char *at = text;
  for (char *end; !*another; at = end) {
    const long pid = strtol(at, &end, 10);
    if (end == at) break;
    *another = pid != brain;
  }
  return true;
}

struct search {
  pid_t brain;
  bool found;
};

static bool is_another_child(pid_t pid, void *argument) {
  struct search *search = argument;
  search->found = pid != search->brain && parent_of(pid) == getpid();
  return search->found;
}

bool is_alone(pid_t brain) {
  if (process_count() > 0) return false;
  bool another;
  if (lists_another_child(brain, &another)) return !another;
  struct search search = {brain, false};
  each_process(is_another_child, &search);
  return !search.found;
}

void watch_alone(pid_t brain) {
  alone_is_watched = !is_alone(brain);
  if (!alone_is_watched) keep_fact(FACT_ALONE, 0, NULL, 0, NULL, 0);
}
