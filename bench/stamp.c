/*
 * The measured program: writes what it does and when (CLOCK_MONOTONIC, ns) as one line into a FIFO.
 *
 *   stamp FIFO exec PROGRAM ARGUMENTS...   "start NS", then becomes PROGRAM: the init
 *   stamp FIFO run                         "run NS", then waits for a signal: a service
 *   stamp FIFO once                        "run NS", then exits with 0: a oneshot
 *   stamp FIFO orphans N                   leaves N processes behind that exit at once; "run NS" when none is a zombie; waits
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *fifo;

static void stamp(const char *what) {
  struct timespec now;
  char line[64];
  int fd = open(fifo, O_WRONLY | O_CLOEXEC);
  if (fd < 0) _exit(111);
  clock_gettime(CLOCK_MONOTONIC, &now);
  int length = snprintf(line, sizeof line, "%s %lld\n", what, (long long)now.tv_sec * 1000000000LL + now.tv_nsec);
  if (write(fd, line, (size_t)length) != length) _exit(112);
  close(fd);
}

static int zombies(void) {
  int count = 0;
  struct dirent *entry;
  DIR *proc = opendir("/proc");
  while (proc != NULL && (entry = readdir(proc)) != NULL) {
    char path[300], stat[512];
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
    int fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    ssize_t length = read(fd, stat, sizeof stat - 1);
    close(fd);
    if (length <= 0) continue;
    stat[length] = '\0';
    char *end = strrchr(stat, ')');
    if (end != NULL && end[2] == 'Z') count++;
  }
  if (proc != NULL) closedir(proc);
  return count;
}

static void leave_orphans(int count) {
  for (int left = count; left > 0; left--) {
    pid_t child = fork();
    if (child == 0) {
      if (fork() == 0) _exit(0);
      _exit(0);
    }
    if (child > 0) waitpid(child, NULL, 0);
  }
  while (zombies() > 0) usleep(1000);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  fifo = argv[1];
  if (strcmp(argv[2], "exec") == 0) {
    stamp("start");
    execvp(argv[3], argv + 3);
    return 127;
  }
  if (strcmp(argv[2], "orphans") == 0) leave_orphans(atoi(argv[3]));
  stamp("run");
  if (strcmp(argv[2], "once") != 0) pause();
  return 0;
}
