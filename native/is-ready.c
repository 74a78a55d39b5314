/*
 * `chaperonectl is-ready`: asks the control socket, by one HTTP request, whether services are ready, and ends with the answer.
 * A probe has its own time limit, but a probe that hangs is worse than one that fails: all of it takes at most
 * IS_READY_PATIENCE. src/control/client.ts and src/cli/chaperonectl/is-ready.ts do the same in Node.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "deadline.h"
#include "options.h"
#include "output.h"
#include "tools.h"
#include "words.h"

/* What chaperone reads of a request, and more than it answers to one of that size. */
enum { REQUEST_BYTES = 16 * 1024, REPLY_BYTES = 64 * 1024 };
enum { HTTP_READY = 200, HTTP_NOT_READY = 503 };

enum option_number {
#define NUMBER(identifier, name, takes_value, expects) OPTION_##identifier,
  IS_READY_OPTIONS(NUMBER)
#undef NUMBER
  OPTION_COUNT
};

static const struct option_kind options[OPTION_COUNT] = {
#define KIND(identifier, name, takes_value, expects) {name, takes_value, expects},
    IS_READY_OPTIONS(KIND)
#undef KIND
};

enum exit_status {
#define STATUS(kind, status) EXIT_##kind = status,
  EXIT_STATUSES(STATUS)
#undef STATUS
};

struct request {
  bool json;
  int names;
  size_t length;
  char bytes[REQUEST_BYTES];
};

struct reply {
  /* What has come so far, with a NUL behind it. */
  size_t length;
  /* Behind the head; NULL before all of the head has come. */
  const char *body;
  /* Of HTTP; 0 before all of the head has come, and for what is not HTTP. */
  int status;
  char bytes[REPLY_BYTES + 1];
};

static bool add(struct request *request, const char *bytes, size_t length) {
  if (length > sizeof request->bytes - request->length) return false;
  memcpy(request->bytes + request->length, bytes, length);
  request->length += length;
  return true;
}

static bool add_text(struct request *request, const char *text) { return add(request, text, strlen(text)); }

/* As encodeURIComponent has it. Returns false where there is no room, or the text is not UTF-8. */
static bool add_encoded(struct request *request, const char *text) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()";
  while (*text != '\0') {
    const size_t length = utf8_length(text);
    if (length == 0) return false;
    for (const char *end = text + length; text < end; text++) {
      char escape[4] = {*text};
      if (strchr(plain, *text) == NULL) snprintf(escape, sizeof escape, "%%%02X", (unsigned char)*text);
      if (!add_text(request, escape)) return false;
    }
  }
  return true;
}

static bool add_name(struct request *request, const char *name) {
  return add_text(request, request->names++ == 0 ? "?name=" : "&name=") && add_encoded(request, name);
}

/* Makes the request of the words behind the verb. Returns false for words that Node shall answer. */
static bool read_words(struct request *request, int count, char **words) {
  bool options_end = false;
  if (!add_text(request, "GET /v1/ready")) return false;
  for (int i = 0; i < count; i++) {
    struct word_reading reading = {.kind = WORD};
    if (!options_end) reading = read_word(options, OPTION_COUNT, words[i], NULL);
    if (reading.kind == WORD) {
      if (!add_name(request, words[i])) return false;
    } else if (reading.kind == END_OF_OPTIONS) {
      options_end = true;
    } else if (reading.kind == OPTION && reading.option == OPTION_json) {
      request->json = true;
    } else {
      return false;
    }
  }
  /* HTTP/1.0: the reply ends with the connection, and comes in no chunks. */
  return add_text(request, " HTTP/1.0\r\n\r\n");
}

static bool is_socket(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Folders that every account may usually write to, as in src/control/places.ts. */
static const char *const shared_folders[] = {"/dev/shm", "/tmp"};
enum { SHARED_FOLDERS = sizeof shared_folders / sizeof shared_folders[0] };

/*
 * Finds the socket in a directory of chaperone's own. Another account that can write to the directory could pretend to be chaperone,
 * so its owner has to be one of the accounts. A root without capabilities may not look into the directory of another account: the
 * connection will tell why.
 */
static bool found_in(const char *directory, const uid_t *accounts, size_t count, char *path, size_t size) {
  struct stat status;
  const int length = snprintf(path, size, "%s/chaperone.sock", directory);
  if (length <= 0 || (size_t)length >= size || lstat(directory, &status) != 0) return false;
  bool trusted = false;
  for (size_t i = 0; i < count; i++) trusted = trusted || accounts[i] == status.st_uid;
  if (!trusted) return false;
  return lstat(path, &status) == 0 ? S_ISSOCK(status.st_mode) : errno == EACCES;
}

/* The socket in the directory of an account's chaperone in a shared folder. Returns false where there is none. */
static bool found_of(uid_t account, const uid_t *accounts, size_t count, char *path, size_t size) {
  char directory[64];
  for (size_t i = 0; i < SHARED_FOLDERS; i++) {
    snprintf(directory, sizeof directory, "%s/chaperone-%u", shared_folders[i], (unsigned)account);
    if (found_in(directory, accounts, count, path, size)) return true;
  }
  return false;
}

/* Reads the account from the name of its directory, "chaperone-1000". */
static bool names_account(const char *name, uid_t *account) {
  static const char prefix[] = "chaperone-";
  const char *digits = name + sizeof prefix - 1;
  if (strncmp(name, prefix, sizeof prefix - 1) != 0) return false;
  const size_t length = strspn(digits, "0123456789");
  if (length == 0 || length > 10 || digits[length] != '\0' || (digits[0] == '0' && length > 1)) return false;
  const unsigned long long number = strtoull(digits, NULL, 10);
  *account = (uid_t)number;
  return number == (unsigned long long)*account;
}

/* The lowest account from `least` on that has a directory for a chaperone in a shared folder. Returns false where there is none. */
static bool next_account(unsigned long long least, uid_t *next) {
  bool found = false;
  for (size_t i = 0; i < SHARED_FOLDERS; i++) {
    DIR *folder = opendir(shared_folders[i]);
    if (folder == NULL) continue;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
      uid_t account = 0;
      if (!names_account(entry->d_name, &account) || account < least || (found && account >= *next)) continue;
      *next = account;
      found = true;
    }
    closedir(folder);
  }
  return found;
}

/* The socket of the chaperone of whatever account, the lowest first. */
static bool found_of_any(char *path, size_t size) {
  uid_t account = 0;
  for (unsigned long long least = 0; next_account(least, &account); least = (unsigned long long)account + 1) {
    const uid_t accounts[] = {account, 0};
    if (found_of(account, accounts, 2, path, size)) return true;
  }
  return false;
}

/* The socket that the environment names, else the first there is, as src/control/find-socket.ts looks for it. */
static const char *find_socket(void) {
  static const char fallback[] = "/dev/chaperone.sock";
  static char path[PATH_MAX + 32];
  char directory[PATH_MAX];
  const char *named = getenv(SOCKET_VARIABLE);
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  struct stat init;
  const bool knows_init = lstat("/proc/1", &init) == 0;
  const uid_t accounts[] = {0, getuid(), knows_init ? init.st_uid : 0};
  if (named != NULL && named[0] != '\0') return named;
  if (is_socket(fallback)) return fallback;
  if (found_in("/run/chaperone", accounts, 3, path, sizeof path)) return path;
  if (runtime != NULL && runtime[0] == '/') {
    const int length = snprintf(directory, sizeof directory, "%s/chaperone", runtime);
    if (length < (int)sizeof directory && found_in(directory, accounts, 3, path, sizeof path)) return path;
  }
  if (found_of(accounts[1], accounts, 3, path, sizeof path)) return path;
  if (knows_init) {
    const uid_t inits[] = {init.st_uid, 0};
    if (found_of(init.st_uid, inits, 2, path, sizeof path)) return path;
  }
  return accounts[1] == 0 && found_of_any(path, sizeof path) ? path : fallback;
}

/* connect(2). Returns 0 or an errno. */
static int join(int fd, const char *path, long long end) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const size_t length = strlen(path);
  if (length >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, path, length);
  while (limit(fd, SO_SNDTIMEO, end)) {
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return 0;
    /* EAGAIN: nobody has taken the connections before this one for all of that time. */
    if (errno != EINTR && errno != EAGAIN) return errno;
  }
  return ETIMEDOUT;
}

/* send(2) of all of it. Returns 0 or an errno. */
static int ask(int fd, const struct request *request, long long end) {
  for (size_t sent = 0; sent < request->length;) {
    if (!limit(fd, SO_SNDTIMEO, end)) return ETIMEDOUT;
    const ssize_t part = send(fd, request->bytes + sent, request->length - sent, MSG_NOSIGNAL);
    if (part >= 0) sent += (size_t)part;
    else if (errno != EINTR && errno != EAGAIN) return errno;
  }
  return 0;
}

/* The status of an HTTP head, 0 where it is none. */
static int status_of(const char *head) {
  int status = 0;
  if (strncmp(head, "HTTP/1.0 ", 9) != 0 && strncmp(head, "HTTP/1.1 ", 9) != 0) return 0;
  for (int i = 9; i < 12; i++) {
    if (head[i] < '0' || head[i] > '9') return 0;
    status = status * 10 + head[i] - '0';
  }
  return status;
}

/* Notes what has come. Returns where the body's new part begins, NULL while there is no body. */
static const char *note(struct reply *reply, size_t length) {
  const char *part = reply->bytes + reply->length;
  reply->length += length;
  reply->bytes[reply->length] = '\0';
  if (reply->body != NULL) return part;
  const char *end = strstr(reply->bytes, "\r\n\r\n");
  if (end == NULL) return NULL;
  reply->body = end + 4;
  reply->status = status_of(reply->bytes);
  return reply->body;
}

/* The text of an answer, behind its opening quotation mark. Inside of a text, a quotation mark has a backslash before it. */
static const char *text_in(const char *body) {
  static const char key[] = "\"text\":\"";
  const char *found = strstr(body, key);
  return found == NULL ? NULL : found + sizeof key - 1;
}

/* The closing quotation mark of a text, NULL where that has not come yet. */
static const char *end_of(const char *text) {
  for (; *text != '\0' && *text != '"'; text++) {
    if (*text == '\\' && text[1] != '\0') text++;
  }
  return *text == '\0' ? NULL : text;
}

/* Whether nothing that may still come counts. */
static bool is_enough(const struct reply *reply, bool json) {
  if (reply->body == NULL) return false;
  if (reply->status == 0 || (!json && reply->status == HTTP_READY)) return true;
  if (json || reply->status != HTTP_NOT_READY) return false;
  const char *text = text_in(reply->body);
  return text != NULL && end_of(text) != NULL;
}

/* Reads the reply, and passes its body on to the output where there is one. Returns 0 or an errno. */
static int hear(int fd, struct reply *reply, struct output *output, long long end) {
  while (!is_enough(reply, output != NULL)) {
    /* A longer body is only passed on. */
    if (reply->length == REPLY_BYTES) {
      if (reply->body == NULL || output == NULL) return 0;
      reply->length = (size_t)(reply->body - reply->bytes);
    }
    if (!limit(fd, SO_RCVTIMEO, end)) return ETIMEDOUT;
    const ssize_t received = recv(fd, reply->bytes + reply->length, REPLY_BYTES - reply->length, 0);
    if (received == 0) return 0;
    if (received < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (received < 0) return errno;
    const char *part = note(reply, (size_t)received);
    if (part != NULL && output != NULL && reply->status != 0) {
      put_bytes(output, part, (size_t)(reply->bytes + reply->length - part));
    }
  }
  return 0;
}

/* The exit status that an answer names, else that of its kind. A quotation mark inside a text has a backslash before it. */
static int status_in(const char *body) {
  static const char key[] = ",\"exitStatus\":";
  static const struct {
    const char *kind;
    int status;
  } kinds[] = {
#define ROW(kind, status) {"{\"kind\":\"" #kind "\"", status},
      EXIT_STATUSES(ROW)
#undef ROW
  };
  const char *found = strstr(body, key);
  if (found != NULL && found[sizeof key - 1] >= '0' && found[sizeof key - 1] <= '9') return atoi(found + sizeof key - 1);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (strncmp(body, kinds[i].kind, strlen(kinds[i].kind)) == 0) return kinds[i].status;
  }
  return EXIT_failed;
}

/* @param error 0 where the connection was closed before there was a reply */
static int unreachable(const char *path, int error) {
  struct output errors = {.fd = STDERR_FILENO};
  const char *name = error_name(error);
  put(&errors, UNREACHABLE "\n(Error is: ");
  if (error == 0) {
    put(&errors, path);
    put(&errors, " hung up");
  } else {
    put(&errors, name == NULL ? strerror(error) : name);
    put(&errors, " ");
    put(&errors, path);
  }
  put(&errors, ")\n");
  flush(&errors);
  return EXIT_unreachable;
}

/* Says on standard error why the services are not ready, or cannot be asked for. */
static void tell_why(const char *body) {
  struct output errors = {.fd = STDERR_FILENO};
  const char *text = text_in(body);
  const char *end = text == NULL ? NULL : end_of(text);
  if (end == NULL) return;
  for (; text < end; text++) {
    /* Of the escapes of JSON only these come: chaperone escapes control characters itself. */
    if (*text != '\\') put_bytes(&errors, text, 1);
    else if (*++text == 'n') put(&errors, "\n");
    else put_bytes(&errors, text, 1);
  }
  put(&errors, "\n");
  flush(&errors);
}

static int answer_with(const struct reply *reply, struct output *output) {
  /* A reader that closes the pipe early is no error. */
  const int error = output == NULL ? 0 : flush(output);
  if (error != 0 && error != EPIPE) {
    dprintf(STDERR_FILENO, "chaperonectl: cannot write standard output: %s\n", error_words(error));
    return EXIT_failed;
  }
  if (reply->status == HTTP_READY) return EXIT_done;
  if (output == NULL) tell_why(reply->body);
  return reply->status == HTTP_NOT_READY ? EXIT_failed : status_in(reply->body);
}

static int probe(const struct request *request) {
  static struct reply reply;
  static struct output output = {.fd = STDOUT_FILENO};
  const long long end = now() + IS_READY_PATIENCE;
  const char *path = find_socket();
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int error = fd < 0 ? errno : join(fd, path, end);
  if (error == 0) error = ask(fd, request, end);
  if (error == 0) error = hear(fd, &reply, request->json ? &output : NULL, end);
  return reply.status == 0 ? unreachable(path, error) : answer_with(&reply, request->json ? &output : NULL);
}

bool is_ready_answers(int argc, char **argv, int *status) {
  static struct request request;
  if (argc < 2 || strcmp(argv[1], "is-ready") != 0) return false;
  if (!read_words(&request, argc - 2, argv + 2)) return false;
  /* Only now: Node would inherit it. */
  signal(SIGPIPE, SIG_IGN);
  *status = probe(&request);
  return true;
}
