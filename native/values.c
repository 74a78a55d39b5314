/* Errors and arguments on the way between C and JavaScript. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW(name) {name, #name}

static const struct {
  int error;
  const char *name;
} error_names[] = {
    ROW(E2BIG),        ROW(EACCES),       ROW(EADDRINUSE), ROW(EADDRNOTAVAIL), ROW(EAFNOSUPPORT), ROW(EAGAIN),
    ROW(EBADF),        ROW(EBUSY),        ROW(ECHILD),     ROW(ECONNABORTED),  ROW(ECONNREFUSED), ROW(ECONNRESET),
    ROW(EDEADLK),      ROW(EDESTADDRREQ), ROW(EDQUOT),     ROW(EEXIST),        ROW(EFAULT),       ROW(EFBIG),
    ROW(EINTR),        ROW(EINVAL),       ROW(EIO),        ROW(EISDIR),        ROW(ELIBBAD),      ROW(ELOOP),
    ROW(EMFILE),       ROW(EMLINK),       ROW(EMSGSIZE),   ROW(ENAMETOOLONG),  ROW(ENFILE),       ROW(ENOBUFS),
    ROW(ENODEV),       ROW(ENOENT),       ROW(ENOEXEC),    ROW(ENOLCK),        ROW(ENOMEM),       ROW(ENOPROTOOPT),
    ROW(ENOSPC),       ROW(ENOSYS),       ROW(ENOTCONN),   ROW(ENOTDIR),       ROW(ENOTSOCK),     ROW(ENOTSUP),
    ROW(ENOTTY),       ROW(ENXIO),        ROW(EOVERFLOW),  ROW(EPERM),         ROW(EPIPE),        ROW(EPROTOTYPE),
    ROW(ERANGE),       ROW(EROFS),        ROW(ESPIPE),     ROW(ESRCH),         ROW(ESTALE),       ROW(ETIMEDOUT),
    ROW(ETOOMANYREFS), ROW(ETXTBSY),      ROW(EUSERS),     ROW(EXDEV),        ROW(ENODATA),
};

/* strerrorname_np(3), which musl lacks. */
struct error_name name_of(int error) {
  struct error_name name;
  for (size_t i = 0; i < sizeof error_names / sizeof error_names[0]; i++) {
    if (error_names[i].error == error) {
      snprintf(name.text, sizeof name.text, "%s", error_names[i].name);
      return name;
    }
  }
  snprintf(name.text, sizeof name.text, "E%d", error);
  return name;
}

napi_value throw_errno(napi_env env, const char *what, int error) {
  const struct error_name name = name_of(error);
  char message[128];
  snprintf(message, sizeof message, "cannot %s: %s", what, name.text);
  napi_throw_error(env, name.text, message);
  return NULL;
}

bool refuse(napi_env env, const char *what, const char *wanted) {
  char message[128];
  snprintf(message, sizeof message, "cannot use '%s': %s is needed", what, wanted);
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

bool is(napi_env env, napi_value value, napi_valuetype type) {
  napi_valuetype actual;
  return napi_typeof(env, value, &actual) == napi_ok && actual == type;
}

/* Fills `values` with the call's arguments; missing ones are undefined, which every reader below refuses. */
void arguments_of(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

bool read_integer(napi_env env, napi_value value, const char *name, double least, double most, int64_t *out) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) return refuse(env, name, "a number");
  /* The comparison comes first and fails for NaN, because the conversion of a value out of range is undefined. */
  if (!(number >= least && number <= most) || (double)(int64_t)number != number) {
    return refuse(env, name, "an integer in range");
  }
  *out = (int64_t)number;
  return true;
}

bool read_int(napi_env env, napi_value value, const char *name, int least, int *out) {
  int64_t wide;
  if (!read_integer(env, value, name, least, INT_MAX, &wide)) return false;
  *out = (int)wide;
  return true;
}

/* Reads a string, which the caller frees. */
bool read_string(napi_env env, napi_value value, const char *name, char **out) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return refuse(env, name, "a string");
  char *text = malloc(length + 1);
  if (text == NULL) return throw_errno(env, "hold a string", ENOMEM) != NULL;
  napi_get_value_string_utf8(env, value, text, length + 1, &length);
  /* A NUL byte is refused: the kernel would see a shorter path or variable than the one that was checked. */
  if (memchr(text, '\0', length) != NULL) {
    free(text);
    return refuse(env, name, "a string without NUL");
  }
  *out = text;
  return true;
}

bool read_length(napi_env env, napi_value value, const char *name, uint32_t *out) {
  bool array = false;
  napi_is_array(env, value, &array);
  if (!array) return refuse(env, name, "an array");
  return napi_get_array_length(env, value, out) == napi_ok;
}

void free_strings(char **strings) {
  for (char **each = strings; each != NULL && *each != NULL; each++) free(*each);
  free(strings);
}

bool read_strings(napi_env env, napi_value value, const char *name, char ***out) {
  uint32_t length;
  if (!read_length(env, value, name, &length)) return false;
  /* The list belongs to the request at once, so that freeing the request also frees a half-read list. */
  char **strings = *out = calloc((size_t)length + 1, sizeof *strings);
  if (strings == NULL) return throw_errno(env, "hold a list", ENOMEM) != NULL;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    if (napi_get_element(env, value, i, &element) != napi_ok) return false;
    if (!read_string(env, element, name, &strings[i])) return false;
  }
  return true;
}

/* Returns false where the property is absent or undefined. */
bool has(napi_env env, napi_value object, const char *name, napi_value *out) {
  return napi_get_named_property(env, object, name, out) == napi_ok && !is(env, *out, napi_undefined);
}

/* Returns NULL where the value is not an array of that type; sets the length in elements. */
static void *typed_data(napi_env env, napi_value value, napi_typedarray_type wanted, size_t *length) {
  /* An empty array may have no memory at all, so it gets this address. */
  static uint64_t nothing;
  bool typed = false;
  napi_typedarray_type type = napi_int8_array;
  void *data = NULL;
  napi_is_typedarray(env, value, &typed);
  if (!typed || napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok) return NULL;
  if (type != wanted) return NULL;
  return data == NULL ? &nothing : data;
}

bool read_bytes(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  *data = typed_data(env, value, napi_uint8_array, length);
  return *data != NULL || refuse(env, "buffer", "a Uint8Array");
}

bool read_words(napi_env env, napi_value value, const char *name, uint32_t **data, size_t *length) {
  *data = typed_data(env, value, napi_uint32_array, length);
  return *data != NULL || refuse(env, name, "a Uint32Array");
}

napi_value number_of(napi_env env, double number) {
  napi_value value = NULL;
  napi_create_double(env, number, &value);
  return value;
}

void set_number(napi_env env, napi_value object, const char *name, double number) {
  napi_set_named_property(env, object, name, number_of(env, number));
}

void set_boolean(napi_env env, napi_value object, const char *name, bool boolean) {
  napi_value value;
  napi_get_boolean(env, boolean, &value);
  napi_set_named_property(env, object, name, value);
}

void set_string(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, object, name, value);
}
