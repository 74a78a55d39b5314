#include "options.h"

#include <stdlib.h>
#include <string.h>

/* Longer than any name of ours: nothing can be near. */
enum { LONGEST_WORD = 100, LONGEST_NAME = 32 };

/* The option that begins with these bytes, or -1. */
static int complete(const struct option_kind *options, int count, const char *prefix, size_t length) {
  for (int i = 0; length > 0 && i < count; i++) {
    if (strncmp(options[i].name, prefix, length) == 0) return i;
  }
  return -1;
}

struct word_reading read_word(const struct option_kind *options, int count, const char *word, const char *next) {
  struct word_reading reading = {.kind = WORD, .option = -1, .value = NULL, .used = 1};
  if (word[0] != '-' || word[1] == '\0') return reading;
  reading.kind = UNKNOWN_OPTION;
  if (word[1] != '-') return reading;
  if (word[2] == '\0') return (struct word_reading){.kind = END_OF_OPTIONS, .option = -1, .used = 1};
  const size_t length = strcspn(word + 2, "=");
  reading.option = complete(options, count, word + 2, length);
  if (reading.option < 0) return reading;
  reading.kind = OPTION;
  const bool attached = word[2 + length] == '=';
  if (attached) reading.value = word + 3 + length;
  if (!options[reading.option].takes_value) {
    if (attached) reading.kind = UNWANTED_VALUE;
  } else if (!attached) {
    reading.value = next;
    reading.used = 2;
    if (next == NULL) reading.kind = MISSING_VALUE;
  }
  return reading;
}

size_t unknown_length(const char *word) {
  /* A word such as "--=x" has no option name before the "=", so the message quotes all of it. */
  if (word[1] != '-' || word[2] == '=') return strlen(word);
  return strcspn(word, "=");
}

static char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? (char)(letter + 'a' - 'A') : letter; }

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Levenshtein's distance: how many letters are to be put in, taken out or replaced. The name is not longer than LONGEST_NAME. */
static size_t distance(const char *word, size_t length, const char *name) {
  size_t row[LONGEST_NAME + 1];
  const size_t columns = strlen(name);
  for (size_t i = 0; i <= columns; i++) row[i] = i;
  for (size_t i = 0; i < length; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < columns; j++) {
      const size_t replaced = diagonal + (lower(word[i]) != name[j]);
      diagonal = row[j + 1];
      row[j + 1] = least(replaced, least(diagonal, row[j]) + 1);
    }
  }
  return row[columns];
}

/* Whether both have the same letters, in whatever order. */
static bool same_letters(const char *word, size_t length, const char *name) {
  int counts[256] = {0};
  if (strlen(name) != length) return false;
  for (size_t i = 0; i < length; i++) {
    counts[(unsigned char)lower(word[i])]++;
    counts[(unsigned char)name[i]]--;
  }
  for (int i = 0; i < 256; i++) {
    if (counts[i] != 0) return false;
  }
  return true;
}

int nearest_option(const struct option_kind *options, int count, const char *word) {
  const char *meant = word + strspn(word, "-");
  const size_t length = strcspn(meant, "=");
  if (length > LONGEST_WORD) return -1;
  /* In quarters: one slip in three letters is near, and swapped letters are nearer than replaced ones. */
  int best = 4 * (length < 6 ? 1 : (int)length / 3) + 3;
  int nearest = -1;
  for (int i = 0; i < count; i++) {
    const char *name = options[i].name;
    if (strlen(name) > LONGEST_NAME) continue;
    const int found = 4 * (int)distance(meant, length, name) - (same_letters(meant, length, name) ? 2 : 0);
    if (found >= best) continue;
    nearest = i;
    best = found;
  }
  return nearest;
}
