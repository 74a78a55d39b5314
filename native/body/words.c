/* Lines for people, on stderr, as the console shows them. A child writes each line: stderr may be a pipe that nobody reads. */
#include "body.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ms that a child may take to write its line, and that the end of the body waits for it. */
#define WRITE_PATIENCE 2000
/* ms that a line waits for the one before it, so that lines come in order. */
#define ORDER_PATIENCE 50
/* Bytes that a pipe takes at once where poll(2) says that it takes any. */
#define BYTES_AT_ONCE 4096
#define LINE_BYTES 4096
#define PREFIX_BYTES 512

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
static size_t write_prefix(char *line, size_t size, pid_t body) {
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char host[256] = "localhost";
  struct tm local;
  const time_t now = time(NULL);
  gethostname(host, sizeof host - 1);
  if (localtime_r(&now, &local) == NULL) memset(&local, 0, sizeof local);
  const int bytes = snprintf(line, size, "%s %2d %02d:%02d:%02d %s chaperone[%d]: ", months[local.tm_mon % 12],
                             local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, host, (int)body);
  return bytes < 0 ? 0 : (size_t)bytes;
}

static size_t write_line(char *line, const char *text, pid_t body) {
  size_t size = write_prefix(line, PREFIX_BYTES, body);
  const size_t length = strnlen(text, LINE_BYTES - 1);
  memcpy(line + size, text, length);
  size += length;
  line[size++] = '\n';
  return size;
}

static bool is_writable(int patience) {
  struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
  return poll(&writable, 1, patience) > 0 && (writable.revents & POLLOUT) != 0;
}

static _Noreturn void speak(const char *text, pid_t body) {
  char line[PREFIX_BYTES + LINE_BYTES];
  const size_t size = write_line(line, text, body);
  const int64_t end = now_ms() + WRITE_PATIENCE;
  unblock_signals();
  signal(SIGTERM, SIG_IGN);
  alarm(WRITE_PATIENCE / 1000);
  for (size_t at = 0; at < size && now_ms() < end;) {
    if (!is_writable(WRITE_PATIENCE)) break;
    const ssize_t bytes = write(STDERR_FILENO, line + at, size - at);
    if (bytes > 0) at += (size_t)bytes;
    else if (errno != EINTR && errno != EAGAIN) break;
  }
  _exit(0);
}

/* Where the kernel gives no child, the body writes as much as certainly does not wait. */
static void speak_alone(const char *text) {
  char line[PREFIX_BYTES + LINE_BYTES];
  const size_t size = write_line(line, text, getpid());
  if (!is_writable(0)) return;
  const ssize_t written = write(STDERR_FILENO, line, size < BYTES_AT_ONCE ? size : BYTES_AT_ONCE);
  (void)written;
}

void say(const char *format, ...) {
  char text[LINE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  const pid_t body = getpid();
  const pid_t pid = fork();
  if (pid == 0) speak(text, body);
  if (pid < 0) speak_alone(text);
  else if (!wait_for_helper(pid, now_ms() + ORDER_PATIENCE)) add_helper(pid, true);
}

void finish_saying(void) {
  wait_for_speakers(now_ms() + WRITE_PATIENCE);
}
