/* What the programs without Node print, and the words for a system error. */
#pragma once

#include <stddef.h>

/* Text on its way to a descriptor: however long it is, one buffer does. */
struct output {
  int fd;
  /* The first errno of write(2); what comes after an error is dropped. */
  int error;
  size_t used;
  char bytes[4096];
};

void put(struct output *output, const char *text);
void put_bytes(struct output *output, const char *bytes, size_t length);
/* A part of what the user has given, between quotes: it cannot control a terminal, or break the line. */
void put_quoted(struct output *output, const char *text, size_t length);
/* Returns 0 or the first errno. */
int flush(struct output *output);

/* The length of the well-formed UTF-8 sequence at the start of the text, 0 where there is none (RFC 3629, section 4). */
size_t utf8_length(const char *text);

/* Such as "connection refused" and "ECONNREFUSED"; both are Node's, and NULL for an error that Node has no words for. */
const char *error_words(int error);
const char *error_name(int error);
