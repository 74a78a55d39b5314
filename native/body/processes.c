/* Processes: those that were started on request, orphans, and everyone who is left at the end. */
#include "body.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exits that one fact tells at most: as many as a packet holds. */
#define EXITS_AT_ONCE ((PACKET_BYTES - sizeof(struct header)) / sizeof(struct exit_record))
#define PROCESS_BYTES_AT_MOST ((size_t)256 * 1024 * 1024)
#define FIRST_PLACES 512
/* Without /proc, the numbers that are tried one by one. */
#define LARGEST_PID_WITHOUT_PROC 131072
/* The longest chain of parents that is followed. */
#define GENERATIONS_AT_MOST 1000

/* A place of the table; `pid` 0: it is free. */
struct process {
  uint64_t spawn;
  pid_t pid;
  bool takes_terminal;
  /* It ends without having reached its program: the brain knows, and does not hear of the end. */
  bool failed;
  /* 0: SIGTERM. */
  uint8_t stop_signal;
};

/* A hash table by pid with `places` places, a power of two; who finds the own place taken goes to the next free one. */
static struct store store;
static size_t places;
static size_t count;
static bool alone_is_watched;
static bool more_are_dead;

static struct process *all(void) {
  return (struct process *)(void *)store.bytes;
}

size_t process_count(void) {
  return count;
}

/* The kernel gives pids in a row, so that their last bits spread well. */
static size_t home_of(pid_t pid) {
  return (size_t)pid & (places - 1);
}

/* The place of a pid, or the free one where it belongs. */
static size_t place_of(pid_t pid) {
  size_t place = home_of(pid);
  while (all()[place].pid != 0 && all()[place].pid != pid) place = (place + 1) & (places - 1);
  return place;
}

static struct process *find_process(pid_t pid) {
  if (places == 0 || pid <= 0) return NULL;
  struct process *process = &all()[place_of(pid)];
  return process->pid == 0 ? NULL : process;
}

bool make_room_for_process(void) {
  if (count < places / 2) return true;
  struct store old = store;
  const size_t old_places = places;
  const size_t wanted = places == 0 ? FIRST_PLACES : places * 2;
  struct store larger = {NULL, 0, 0};
  if (!grow(&larger, wanted * sizeof(struct process), PROCESS_BYTES_AT_MOST)) return false;
  store = larger;
  places = wanted;
  const struct process *before = (const struct process *)(const void *)old.bytes;
  for (size_t i = 0; i < old_places; i++)
    if (before[i].pid != 0) all()[place_of(before[i].pid)] = before[i];
  if (old.bytes != NULL) munmap(old.bytes, old.capacity);
  return true;
}

void add_process(uint64_t spawn, pid_t pid, bool takes_terminal, uint32_t stop_signal) {
  all()[place_of(pid)] = (struct process){spawn, pid, takes_terminal, false, stop_signal > 64 ? 0 : (uint8_t)stop_signal};
  count++;
}

/* Ctrl-C at the terminal would otherwise go to a process group that no longer exists, unless another process has taken the
 * terminal since. SIGTTOU is blocked. */
static void take_back_terminal(pid_t from) {
  const pid_t group = tcgetpgrp(STDIN_FILENO);
  const struct process *holder = find_process(group);
  if (holder == NULL || holder->pid == from || !holder->takes_terminal) tcsetpgrp(STDIN_FILENO, getpgrp());
}

void forget_process(pid_t pid) {
  struct process *process = find_process(pid);
  if (process == NULL) return;
  if (process->takes_terminal) take_back_terminal(pid);
  release_pipes(pid);
  size_t hole = (size_t)(process - all());
  count--;
  /* What follows without a gap moves up, unless it would get before its home. */
  for (size_t next = (hole + 1) & (places - 1); all()[next].pid != 0; next = (next + 1) & (places - 1)) {
    const size_t home = home_of(all()[next].pid);
    if (((next - home) & (places - 1)) < ((next - hole) & (places - 1))) continue;
    all()[hole] = all()[next];
    hole = next;
  }
  all()[hole].pid = 0;
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

/*
 * Takes one dead child: any, or only this one. waitid(2) as a raw call, because the C library's version has no parameter for
 * the rusage. Returns 0 where none is dead.
 */
static pid_t take_dead(pid_t only, siginfo_t *info, struct rusage *usage) {
  for (;;) {
    /* With WNOHANG and no dead child the call succeeds and may leave si_pid unchanged. */
    memset(info, 0, sizeof *info);
    if (syscall(SYS_waitid, only > 0 ? P_PID : P_ALL, only, info, WEXITED | WNOHANG, usage) == 0) return info->si_pid;
    if (errno != EINTR) return 0;
  }
}

/* The exits of one look, until they are kept as one fact. */
static struct exit_record exits[EXITS_AT_ONCE];
static size_t exit_count;

static void keep_exits(void) {
  if (exit_count > 0) keep_fact(FACT_EXITS, (uint32_t)exit_count, NULL, 0, exits, exit_count * sizeof *exits);
  exit_count = 0;
}

static void note_end(pid_t pid, const siginfo_t *info, const struct rusage *usage) {
  if (was_helper(pid)) return;
  /* The verdict on a start comes before the end of the process. */
  if (is_pending(pid)) {
    keep_exits();
    judge_ended(pid);
  }
  const struct process *process = find_process(pid);
  if (process == NULL || !process->failed) {
    exits[exit_count++] = (struct exit_record){
        process == NULL ? 0 : process->spawn, pid, status_of(info), microseconds(usage->ru_utime),
        microseconds(usage->ru_stime),        (uint64_t)usage->ru_maxrss};
  }
  forget_process(pid);
}

int reap(pid_t brain) {
  int brain_status = -1;
  siginfo_t info;
  struct rusage usage;
  pid_t pid;
  const bool has_room = has_room_for_exits();
  more_are_dead = false;
  /* Without room for exits the end of the brain still counts. */
  if (!has_room && brain > 0 && take_dead(brain, &info, &usage) == brain) brain_status = status_of(&info);
  size_t taken = 0;
  while (has_room && (pid = take_dead(0, &info, &usage)) > 0) {
    if (pid == brain) brain_status = status_of(&info);
    else note_end(pid, &info, &usage);
    /* Who dies in a flood keeps neither signals nor requests waiting. */
    taken++;
    more_are_dead = taken == EXITS_AT_ONCE;
    if (more_are_dead) break;
  }
  keep_exits();
  if (alone_is_watched) watch_alone(brain);
  return brain_status;
}

bool must_look_again(void) {
  return more_are_dead;
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
  char self[16];
  /* A /proc of other processes, as that of a host, has other numbers. */
  const ssize_t bytes = readlink("/proc/self", self, sizeof self - 1);
  if (bytes <= 0) return false;
  self[bytes] = '\0';
  DIR *directory = atoi(self) == getpid() ? opendir("/proc") : NULL;
  if (directory == NULL) return false;
  const struct dirent *entry;
  while ((entry = readdir(directory)) != NULL) {
    const pid_t pid = (pid_t)atoi(entry->d_name);
    if (pid > 0 && pid != getpid() && function(pid, argument)) break;
  }
  closedir(directory);
  return true;
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
  /* kill(2) to -1 reaches also who is started in the meantime. It passes over PID 1. */
  if (is_pid_1() && brain <= 0) {
    kill(-1, signal);
    return;
  }
  if (each_process(signal_one, &everyone)) return;
  for (size_t i = 0; i < places; i++)
    if (all()[i].pid > 0) kill(all()[i].pid, signal);
  if (!is_pid_1()) return;
  for (pid_t pid = 2; pid < LARGEST_PID_WITHOUT_PROC; pid++)
    if (pid != brain) kill(pid, signal);
}

static bool has_own_signals(void) {
  for (size_t i = 0; i < places; i++)
    if (all()[i].pid > 0 && all()[i].stop_signal != 0) return true;
  return false;
}

static bool ask_one_to_end(pid_t pid, void *argument) {
  (void)argument;
  if (!is_pid_1() && !is_descendant(pid)) return false;
  const struct process *process = find_process(pid);
  if (process == NULL) process = find_process(getpgid(pid));
  kill(pid, process == NULL || process->stop_signal == 0 ? SIGTERM : process->stop_signal);
  return false;
}

void ask_everyone_to_end(void) {
  if (!has_own_signals()) {
    signal_everyone(SIGTERM, 0);
    return;
  }
  if (each_process(ask_one_to_end, NULL)) return;
  for (size_t i = 0; !is_pid_1() && i < places; i++)
    if (all()[i].pid > 0) ask_one_to_end(all()[i].pid, NULL);
  for (pid_t pid = 2; is_pid_1() && pid < LARGEST_PID_WITHOUT_PROC; pid++) ask_one_to_end(pid, NULL);
}

/* The children, as /proc/self/task/TID/children lists them; false where the kernel has no such file. */
static bool lists_another_child(pid_t brain, bool *another) {
  char path[64];
  char text[2048];
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
    *another = pid != brain && !is_helper((pid_t)pid);
  }
  return true;
}

struct search {
  pid_t brain;
  bool found;
};

static bool is_another_child(pid_t pid, void *argument) {
  struct search *search = argument;
  search->found = pid != search->brain && !is_helper(pid) && parent_of(pid) == getpid();
  return search->found;
}

bool is_alone(pid_t brain) {
  if (process_count() > 0) return false;
  bool another;
  siginfo_t info;
  /* Without /proc this call knows at least that there is no child at all. */
  if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD) return true;
  if (lists_another_child(brain, &another)) return !another;
  struct search search = {brain, false};
  each_process(is_another_child, &search);
  return !search.found;
}

void watch_alone(pid_t brain) {
  alone_is_watched = !is_alone(brain);
  if (!alone_is_watched) keep_fact(FACT_ALONE, 0, NULL, 0, NULL, 0);
}
