/* The brain: Node with the bundle beside this program, in a session of its own. */
#include "../node.h"
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The descriptors of the brain beside 0 to 2: the socket, and a memory file with the environment of the body. */
enum { BRAIN_SOCKET = 3, BRAIN_ENVIRONMENT = 4, BRAIN_DESCRIPTORS = 5 };
/* The bytes of the brain's last words that are kept. */
#define WORDS_BYTES 2048
/* Reads of the pipe in one turn, and at the end: as many as empty the largest pipe that accounts may have. */
#define READS_AT_ONCE 16
#define READS_AT_MOST 1024

extern char **environ;

static pid_t pid;
static bool listens;
static int words = -1;
static char kept_words[WORDS_BYTES + 1];
static size_t kept_size;

/* Variables that ld.so(8), the C library, OpenSSL, ICU, V8 or Node act on: they are meant for services, not for the brain. */
static const char *const put_aside[] = {
    "NODE_", "UV_", "OPENSSL_", "SSL_", "SSLKEYLOGFILE=", "LD_", "MALLOC_", "GLIBC_TUNABLES=", "GCONV_PATH=",
    "GETCONF_DIR=", "HOSTALIASES=", "LOCALDOMAIN=", "LOCPATH=", "NIS_PATH=", "NLSPATH=", "RESOLV_HOST_CONF=",
    "RES_OPTIONS=", "TMPDIR=", "TZDIR=", "ICU_DATA=", "V8_", "_CHAPERONE_",
};

static bool begins(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_for_services_only(const char *variable) {
  for (size_t i = 0; i < sizeof put_aside / sizeof put_aside[0]; i++)
    if (begins(variable, put_aside[i])) return true;
  return false;
}

pid_t brain_pid(void) {
  return pid;
}

void brain_was_reaped(void) {
  pid = 0;
}

bool brain_listens(void) {
  return listens;
}

void brain_said_hello(const struct hello *hello, int pipe) {
  listens = true;
  set_budget(hello->budget);
  if (pipe < 0) return;
  if (words >= 0) close(words);
  words = pipe;
  if (fcntl(pipe, F_SETFL, O_NONBLOCK) == 0) return;
  close(words);
  words = -1;
}

int words_fd(void) {
  return words;
}

/* Keeps the end of what the brain has written, so that it can be told if the brain dies. */
static void read_words(int times) {
  char bytes[WORDS_BYTES];
  for (int i = 0; words >= 0 && i < times; i++) {
    const ssize_t size = read(words, bytes, sizeof bytes);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
      close(words);
      words = -1;
      return;
    }
    const size_t fresh = (size_t)size;
    const size_t old = kept_size + fresh > WORDS_BYTES ? WORDS_BYTES - fresh : kept_size;
    memmove(kept_words, kept_words + kept_size - old, old);
    memcpy(kept_words + old, bytes, fresh);
    kept_size = old + fresh;
  }
}

void take_words(void) {
  read_words(READS_AT_ONCE);
}

/* On one line: what is not printable becomes a space. */
const char *last_words(void) {
  read_words(READS_AT_MOST);
  size_t size = 0;
  for (size_t i = 0; i < kept_size; i++) {
    const char each = kept_words[i] >= ' ' || (unsigned char)kept_words[i] > 0x7f ? kept_words[i] : ' ';
    if (each != ' ' || (size > 0 && kept_words[size - 1] != ' ')) kept_words[size++] = each;
  }
  kept_words[size] = '\0';
  kept_size = size;
  return kept_words;
}

static bool write_all(int fd, const char *bytes, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    size -= (size_t)written;
  }
  return true;
}

static long long limit_number(rlim_t limit) {
  return limit == RLIM_INFINITY ? -1 : (long long)limit;
}

/*
 * A memory file with the limits of open descriptors, `SOFT:HARD`, and the variables of the body, byte for byte. Each text
 * ends with a NUL byte. Returns -1 where the kernel has no memory files: the brain then has only its own environment.
 */
static int save_environment(void) {
  const int fd = (int)syscall(SYS_memfd_create, "environment", 0U);
  if (fd < 0) return -1;
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  char limits[64];
  getrlimit(RLIMIT_NOFILE, &limit);
  const int length =
      snprintf(limits, sizeof limits, "%lld:%lld", limit_number(limit.rlim_cur), limit_number(limit.rlim_max));
  bool saved = write_all(fd, limits, (size_t)length + 1);
  for (char **each = environ; saved && *each != NULL; each++) saved = write_all(fd, *each, strlen(*each) + 1);
  if (saved && lseek(fd, 0, SEEK_SET) == 0) return fd;
  close(fd);
  return -1;
}

static char **environment_of_brain(bool saved) {
  static char marker[64];
  size_t count = 0;
  while (environ[count] != NULL) count++;
  char **environment = calloc(count + 2, sizeof *environment);
  if (environment == NULL) return NULL;
  char **next = environment;
  for (char **each = environ; *each != NULL; each++)
    if (!is_for_services_only(*each)) *next++ = *each;
  snprintf(marker, sizeof marker, saved ? "_CHAPERONE_BODY=%d:%d" : "_CHAPERONE_BODY=%d", BRAIN_SOCKET,
           BRAIN_ENVIRONMENT);
  *next = marker;
  return environment;
}

/* Puts a descriptor at its place in the brain. */
static void place(int fd, int target) {
  if (fd == target) fcntl(fd, F_SETFD, 0);
  else if (fd >= 0) dup3(fd, target, 0);
}

static _Noreturn void become_brain(const char *node, const char *directory, int socket, int environment, int argc,
                                   char **argv) {
  char **variables = environment_of_brain(environment >= 0);
  /* Both go up first: each may lie at the place of the other. */
  const int high_socket = fcntl(socket, F_DUPFD_CLOEXEC, BRAIN_DESCRIPTORS);
  const int high_environment = environment < 0 ? -1 : fcntl(environment, F_DUPFD_CLOEXEC, BRAIN_DESCRIPTORS);
  place(high_socket, BRAIN_SOCKET);
  place(high_environment, BRAIN_ENVIRONMENT);
  /* With TOSTOP a terminal would stop a background process of its session that writes to it. */
  setsid();
  /* Until the brain notices the end of the connection by itself. */
  prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
  unblock_signals();
  if (variables == NULL) _exit(cannot_run(node, ENOMEM));
  _exit(run_node(directory, node, "chaperone", argc, argv, variables));
}

int start_brain(int argc, char **argv) {
  const char *directory = own_directory();
  const char *node = find_node(directory);
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) != 0) {
    _exit(cannot_run("a connection to the brain", errno));
  }
  const int environment = save_environment();
  pid = fork();
  if (pid == 0) become_brain(node, directory, sockets[1], environment, argc, argv);
  if (pid < 0) _exit(cannot_run(node, errno));
  close(sockets[1]);
  if (environment >= 0) close(environment);
  return sockets[0];
}
