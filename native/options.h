/* Reads options as every program here does (src/model/words/option-parser.ts). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct option_kind {
  const char *name;
  bool takes_value;
  /* What the value has to be, for the message "--NAME needs …". */
  const char *expects;
};

enum word_kind { WORD, OPTION, END_OF_OPTIONS, UNKNOWN_OPTION, UNWANTED_VALUE, MISSING_VALUE };

/* What a word of a command line is. */
struct word_reading {
  enum word_kind kind;
  /* The option; an index. */
  int option;
  const char *value;
  /* How many words that takes: 2 where the value is the next word. */
  int used;
};

/* A prefix of a name is that option: no two names of one program begin with the same letter. */
struct word_reading read_word(const struct option_kind *options, int count, const char *word, const char *next);

/* The length of an unknown option as messages quote it, which is without its value. */
size_t unknown_length(const char *word);

/* The option that was most likely meant by an unknown one, or -1. */
int nearest_option(const struct option_kind *options, int count, const char *word);
