/* Lines for people, on stderr, as the console shows them. A child writes each line: stderr may be a pipe that nobody reads. */
#include "body.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ms that a child may take to write its line, and that the end of the body waits for it. */
#define WRITE_PATIENCE 2000
#define LINE_BYTES 4096
#define SPEAKERS 16

static pid_t speakers[SPEAKERS];

static const struct {
  int number;
  const char *name;
} names[] = {
    {SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},   {SIGQUIT, "SIGQUIT"}, {SIGILL, "SIGILL"},   {SIGTRAP, "SIGTRAP"},
    {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},   {SIGKILL, "SIGKILL"}, {SIGUSR1, "SIGUSR1"},
    {SIGSEGV, "SIGSEGV"}, {SIGUSR2, "SIGUSR2"}, {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"}, {SIGTERM, "SIGTERM"},
    {SIGPWR, "SIGPWR"},   {SIGSYS, "SIGSYS"},   {37, "SIGRTMIN+3"},
};

const char *signal_name(int signal) {
  static char number[16];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].number == signal) return names[i].name;
  snprintf(number, sizeof number, "signal %d", signal);
  return number;
}

/* `Jan  5 04:03:02 HOST chaperone[1]: `, in local time. */
static size_t write_prefix(char *line, size_t size) {
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char host[256] = "localhost";
  struct tm local;
  const time_t now = time(NULL);
  gethostname(host, sizeof host - 1);
  if (localtime_r(&now, &local) == NULL) memset(&local, 0, sizeof local);
  const int bytes = snprintf(line, size, "%s %2d %02d:%02d:%02d %s chaperone[%d]: ", months[local.tm_mon % 12],
                             local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, host, (int)getppid());
  return bytes < 0 ? 0 : (size_t)bytes;
}

static _Noreturn void speak(const char *text) {
  char line[LINE_BYTES + 512];
  size_t size = write_prefix(line, sizeof line - LINE_BYTES);
  const size_t length = strnlen(text, LINE_BYTES - 1);
  memcpy(line + size, text, length);
  size += length;
  line[size++] = '\n';
  const int64_t end = now_ms() + WRITE_PATIENCE;
  unblock_signals();
  alarm(WRITE_PATIENCE / 1000);
  for (size_t at = 0; at < size && now_ms() < end;) {
    struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&writable, 1, WRITE_PATIENCE) <= 0) break;
    const ssize_t bytes = write(STDERR_FILENO, line + at, size - at);
    if (bytes > 0) at += (size_t)bytes;
    else if (errno != EINTR && errno != EAGAIN) break;
  }
  _exit(0);
}

void say(const char *format, ...) {
  char text[LINE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  const pid_t pid = fork();
  if (pid == 0) speak(text);
  if (pid < 0) return;
  /* Lines come in order: each child waits for nobody, but the next line waits for a moment for the one before. */
  struct timespec moment = {0, 1000000};
  for (int tries = 0; tries < 50; tries++) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == pid) return;
    nanosleep(&moment, NULL);
  }
  for (int i = 0; i < SPEAKERS; i++) {
    if (speakers[i] != 0) continue;
    speakers[i] = pid;
    return;
  }
}

bool was_speaker(pid_t pid) {
  for (int i = 0; i < SPEAKERS; i++) {
    if (speakers[i] != pid) continue;
    speakers[i] = 0;
    return true;
  }
  return false;
}

void finish_saying(void) {
  const int64_t end = now_ms() + WRITE_PATIENCE;
  struct timespec moment = {0, 1000000};
  for (int i = 0; i < SPEAKERS; i++) {
    while (speakers[i] != 0 && now_ms() < end) {
      siginfo_t info;
      memset(&info, 0, sizeof info);
      if (waitid(P_PID, (id_t)speakers[i], &info, WEXITED | WNOHANG) != 0 || info.si_pid == speakers[i]) speakers[i] = 0;
      else nanosleep(&moment, NULL);
    }
  }
}
