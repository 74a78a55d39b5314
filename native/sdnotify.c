/*
 * The program sdnotify: sends notifications of sd_notify(3) to the socket that NOTIFY_SOCKET names. A mistake on the command
 * line is told before anything is sent, with and without NOTIFY_SOCKET.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "address.h"
#include "deadline.h"
#include "options.h"
#include "output.h"
#include "tools.h"
#include "words.h"

enum { DONE = 0, FAILED = 1, MISTAKE = 2 };

/* ms; how long a full queue is waited for, which is longer than a healthy receiver ever needs. */
enum { PATIENCE = 10000 };

enum option_number {
#define NUMBER(identifier, name, takes_value, expects) OPTION_##identifier,
  SDNOTIFY_OPTIONS(NUMBER)
#undef NUMBER
  OPTION_COUNT
};

static const struct option_kind options[OPTION_COUNT] = {
#define KIND(identifier, name, takes_value, expects) {name, takes_value, expects},
    SDNOTIFY_OPTIONS(KIND)
#undef KIND
};

/* VARIABLE=VALUE in two parts, so that nothing has to be copied. */
struct message {
  const char *name;
  size_t name_length;
  const char *value;
};

struct operation {
  const char *given[OPTION_COUNT];
  /* The words that are no options: they are moved to the front of the arguments. */
  char **words;
  int word_count;
};

/* A text of its own to stand for an option that takes no value. */
static const char set[] = "";

static struct output errors = {.fd = STDERR_FILENO};

static int mistake_ends(void) {
  put(&errors, "\ntry \"sdnotify --help\"\n");
  flush(&errors);
  return MISTAKE;
}

/* What every mistake begins with. */
static struct output *mistake(void) {
  put(&errors, "sdnotify: ");
  return &errors;
}

static void tell_unknown(const char *word) {
  const int meant = nearest_option(options, OPTION_COUNT, word);
  put(mistake(), "unknown option ");
  put_quoted(&errors, word, unknown_length(word));
  if (meant < 0) return;
  put(&errors, ": did you mean \"--");
  put(&errors, options[meant].name);
  put(&errors, "\"?");
}

/* @param value NULL where there is none */
static void tell_wrong_value(int option, const char *value) {
  put(mistake(), "--");
  put(&errors, options[option].name);
  put(&errors, " needs ");
  put(&errors, options[option].expects);
  if (value == NULL || value[0] == '\0') return;
  put(&errors, ", not ");
  put_quoted(&errors, value, strlen(value));
}

/* A decimal number from 1 on, of at most ten digits, or "self". */
static bool is_process(const char *text) {
  const size_t digits = strspn(text, "0123456789");
  return strcmp(text, "self") == 0 || (text[0] != '0' && digits > 0 && digits <= 10 && text[digits] == '\0');
}

/* Notes one option. Returns false for a mistake, which is told. */
static bool note_option(struct operation *operation, const char *word, struct word_reading reading) {
  switch (reading.kind) {
    case UNKNOWN_OPTION:
      tell_unknown(word);
      return false;
    case UNWANTED_VALUE:
      put(mistake(), "--");
      put(&errors, options[reading.option].name);
      put(&errors, " takes no value");
      return false;
    case OPTION:
    case MISSING_VALUE:
      if (reading.kind == MISSING_VALUE || (reading.option == OPTION_pid && !is_process(reading.value))) {
        tell_wrong_value(reading.option, reading.value);
        return false;
      }
      operation->given[reading.option] = reading.value == NULL ? set : reading.value;
      return true;
    case WORD:
    case END_OF_OPTIONS:
      break;
  }
  return true;
}

/* Takes the options out of the arguments. Returns false for a mistake, which is told. */
static bool read_arguments(struct operation *operation, int argc, char **argv) {
  operation->words = argv;
  for (int i = 1; i < argc;) {
    const struct word_reading reading = read_word(options, OPTION_COUNT, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
    if (reading.kind == WORD) operation->words[operation->word_count++] = argv[i];
    if (!note_option(operation, argv[i], reading)) return false;
    i += reading.used;
    if (reading.kind != END_OF_OPTIONS) continue;
    while (i < argc) operation->words[operation->word_count++] = argv[i++];
  }
  return true;
}

static bool is_variable_name(const char *name, size_t length) {
  for (size_t i = 0; i < length; i++) {
    const bool letter = (name[i] >= 'A' && name[i] <= 'Z') || name[i] == '_';
    if (!letter && (i == 0 || name[i] < '0' || name[i] > '9')) return false;
  }
  return length > 0;
}

/* Whether the words are of the form VARIABLE=VALUE. A mistake is told. */
static bool check_words(const struct operation *operation) {
  for (int i = 0; i < operation->word_count; i++) {
    const char *word = operation->words[i];
    const size_t length = strcspn(word, "=");
    if (word[length] == '=' && is_variable_name(word, length)) continue;
    mistake();
    put_quoted(&errors, word, length);
    put(&errors, word[length] == '=' ? " is no name in upper case" : " is not of the form VARIABLE=VALUE");
    return false;
  }
  return true;
}

/* The pid of who runs sdnotify: its own would be that of a dead process when the manager reads it. */
static const char *main_pid(const char *given) {
  static char number[16];
  if (strcmp(given, "self") != 0) return given;
  snprintf(number, sizeof number, "%d", (int)getppid());
  return number;
}

/* The message of that number, in the order in which they are sent; false behind the last one. */
static bool message_at(const struct operation *operation, int number, struct message *message) {
  const char *pid = operation->given[OPTION_pid];
  const char *status = operation->given[OPTION_status];
  if (pid != NULL && number-- == 0) {
    *message = (struct message){"MAINPID", 7, main_pid(pid)};
  } else if (status != NULL && number-- == 0) {
    *message = (struct message){"STATUS", 6, status};
  } else if (operation->given[OPTION_ready] != NULL && number-- == 0) {
    *message = (struct message){"READY", 5, "1"};
  } else if (number < operation->word_count) {
    const char *word = operation->words[number];
    const size_t length = strcspn(word, "=");
    *message = (struct message){word, length, word + length + 1};
  } else {
    return false;
  }
  return true;
}

/* Whether there is something to do, in lines of one line each. A mistake is told. */
static bool check_messages(const struct operation *operation) {
  struct message message;
  int count = 0;
  for (; message_at(operation, count, &message); count++) {
    /* A second line would be taken for another variable. */
    if (strpbrk(message.value, "\n\r") == NULL) continue;
    put(mistake(), "the value of ");
    put_bytes(&errors, message.name, message.name_length);
    put(&errors, " has more than one line");
    return false;
  }
  if (count > 0 || operation->given[OPTION_booted] != NULL) return true;
  put(mistake(), "there is nothing to send");
  return false;
}

static bool is_named(const struct message *message, const char *name) {
  return message->name_length == strlen(name) && strncmp(message->name, name, message->name_length) == 0;
}

/*
 * Returns the line that follows the message in its datagram. systemd's tools report their own errors at the socket of the service
 * that runs them as helpers. This line tells chaperone that a user of sdnotify has asked for the report of an error; other service
 * managers ignore the line.
 */
static const char *voucher(const struct message *message) {
  static const char *const errors[] = {"ERRNO", "BUSERROR", "EXIT_STATUS"};
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (is_named(message, errors[i])) return "\nX_CHAPERONE=1";
  return "";
}

/* sendmsg(2), which waits while the queue of the receiver is full. Returns 0 or an errno. */
static int send_message(int fd, const struct sockaddr_un *address, socklen_t size, const struct message *message) {
  const char *more = voucher(message);
  /* sendmsg(2) only reads what these point to. */
  struct iovec parts[] = {{(char *)message->name, message->name_length},
                          {(char *)"=", 1},
                          {(char *)message->value, strlen(message->value)},
                          {(char *)more, strlen(more)}};
  const struct msghdr header = {
      .msg_name = (struct sockaddr_un *)address, .msg_namelen = size, .msg_iov = parts, .msg_iovlen = 4};
  const long long end = now() + PATIENCE;
  while (limit(fd, SO_SNDTIMEO, end)) {
    if (sendmsg(fd, &header, MSG_NOSIGNAL) >= 0) return 0;
    /* A process that was stopped and goes on is interrupted. */
    if (errno != EINTR) return errno;
  }
  return EAGAIN;
}

static void tell_failure(const struct message *message, const char *path, int error) {
  put(&errors, "sdnotify: cannot send ");
  put_bytes(&errors, message->name, message->name_length);
  put(&errors, " to ");
  put(&errors, path);
  put(&errors, ": ");
  const char *words = error_words(error);
  if (words != NULL) {
    put(&errors, words);
  } else {
    char number[24];
    snprintf(number, sizeof number, "error %d", error);
    put(&errors, number);
  }
  put(&errors, "\n");
  flush(&errors);
}

/* The parent of who entered a container from outside is 0: nobody in here can name it. */
static bool is_nameless(const struct message *message) {
  return is_named(message, "MAINPID") && strcmp(message->value, "0") == 0;
}

/* Sends all; without --ignore it ends at the first message that cannot be sent. Returns false where that is so, and tells it. */
static bool send_all(const struct operation *operation, const char *path) {
  struct sockaddr_un address;
  socklen_t size = 0;
  struct message message;
  int broken = unix_address(path, &address, &size);
  const int fd = broken == 0 ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
  if (broken == 0 && fd < 0) broken = errno;
  for (int i = 0; message_at(operation, i, &message); i++) {
    const int error = is_nameless(&message) ? ESRCH : broken != 0 ? broken : send_message(fd, &address, size, &message);
    if (error == 0 || operation->given[OPTION_ignore] != NULL) continue;
    tell_failure(&message, path, error);
    return false;
  }
  return true;
}

static int print(const char *first, const char *second) {
  static struct output output = {.fd = STDOUT_FILENO};
  put(&output, first);
  put(&output, second);
  const int error = flush(&output);
  if (error == 0) return DONE;
  const char *words = error_words(error);
  put(&errors, "sdnotify: cannot write standard output: ");
  put(&errors, words == NULL ? "unknown error" : words);
  put(&errors, "\n");
  flush(&errors);
  return FAILED;
}

int sdnotify_main(int argc, char **argv) {
  struct operation operation = {.words = NULL};
  const char *path = getenv("NOTIFY_SOCKET");
  /* A reader that has gone is an error to tell. */
  signal(SIGPIPE, SIG_IGN);
  if (!read_arguments(&operation, argc, argv)) return mistake_ends();
  if (operation.given[OPTION_help] != NULL) return print(SDNOTIFY_HELP, "");
  if (operation.given[OPTION_version] != NULL) return print("sdnotify ", CHAPERONE_VERSION "\n");
  if (!check_words(&operation) || !check_messages(&operation)) return mistake_ends();
  if (path != NULL && path[0] != '\0' && !send_all(&operation, path)) return FAILED;
  return operation.given[OPTION_booted] == NULL ? DONE : FAILED;
}
