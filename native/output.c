#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "words.h"

/* write(2) of all of it, also to a descriptor that does not block. Returns 0 or an errno. */
static int write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    const ssize_t written = write(fd, bytes, length);
    if (written >= 0) {
      bytes += written;
      length -= (size_t)written;
    } else if (errno == EAGAIN) {
      struct pollfd room = {.fd = fd, .events = POLLOUT};
      poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int flush(struct output *output) {
  if (output->error == 0) output->error = write_all(output->fd, output->bytes, output->used);
  output->used = 0;
  return output->error;
}

void put_bytes(struct output *output, const char *bytes, size_t length) {
  while (length > 0) {
    if (output->used == sizeof output->bytes) flush(output);
    const size_t room = sizeof output->bytes - output->used;
    const size_t part = length < room ? length : room;
    memcpy(output->bytes + output->used, bytes, part);
    output->used += part;
    bytes += part;
    length -= part;
  }
}

void put(struct output *output, const char *text) { put_bytes(output, text, strlen(text)); }

static bool in_range(uint8_t byte, uint8_t least, uint8_t most) { return byte >= least && byte <= most; }

size_t utf8_length(const char *text) {
  const uint8_t *bytes = (const uint8_t *)text;
  const uint8_t lead = bytes[0];
  if (lead < 0x80) return 1;
  if (!in_range(lead, 0xc2, 0xf4)) return 0;
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  /* Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte. */
  const uint8_t least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const uint8_t most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (!in_range(bytes[1], least, most)) return 0;
  for (size_t i = 2; i < length; i++) {
    if (!in_range(bytes[i], 0x80, 0xbf)) return 0;
  }
  return length;
}

/* Control characters but for the tab, also those of two bytes (U+0080 to U+009F), which can control a terminal. */
static bool is_control(const char *character) {
  const uint8_t *bytes = (const uint8_t *)character;
  if (bytes[0] < 0x80) return (bytes[0] < ' ' && bytes[0] != '\t') || bytes[0] == 0x7f;
  return bytes[0] == 0xc2 && bytes[1] < 0xa0;
}

void put_quoted(struct output *output, const char *text, size_t length) {
  const char *end = text + length;
  put(output, "\"");
  while (text < end) {
    const size_t character = utf8_length(text);
    if (character != 0 && !is_control(text)) {
      put_bytes(output, text, character);
      text += character;
      continue;
    }
    char escape[8];
    const size_t last = character == 0 ? 0 : character - 1;
    snprintf(escape, sizeof escape, "\\x%02x", (uint8_t)text[last]);
    put(output, escape);
    text += last + 1;
  }
  put(output, "\"");
}

static const struct {
  int number;
  const char *name;
  const char *words;
} errors[] = {
#define ROW(name, words) {name, #name, words},
    SYSTEM_ERRORS(ROW)
#undef ROW
};
enum { ERRORS = sizeof errors / sizeof errors[0] };

const char *error_words(int error) {
  for (int i = 0; i < ERRORS; i++) {
    if (errors[i].number == error) return errors[i].words;
  }
  return NULL;
}

const char *error_name(int error) {
  for (int i = 0; i < ERRORS; i++) {
    if (errors[i].number == error) return errors[i].name;
  }
  return NULL;
}
