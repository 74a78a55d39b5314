/* Declarations that the files of the edge share: the readers of JavaScript's arguments, and the exported functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAPI_VERSION 8
#include <node_api.h>

/* The raw calls (rusage, rlimit, 32-bit ids) have the layout of the 64-bit system call interface. */
_Static_assert(sizeof(long) == 8, "the edge needs a 64-bit Linux");

/* setresuid(2) and setgroups(2) take the largest id for "unchanged", so it must never arrive there as an account. */
#define LARGEST_ID 4294967294.0
#define LARGEST_INTEGER 9007199254740991.0

/* Programs that load the addon see none of these symbols. */
#pragma GCC visibility push(hidden)

struct error_name {
  char text[24];
};

/* strerrorname_np(3), which musl lacks. */
struct error_name name_of(int error);
napi_value throw_errno(napi_env env, const char *what, int error);

/* The readers return false and throw where a value has another type. The caller frees a string that it gets. */
bool refuse(napi_env env, const char *what, const char *wanted);
bool is(napi_env env, napi_value value, napi_valuetype type);
void arguments_of(napi_env env, napi_callback_info info, size_t count, napi_value *values);
bool read_integer(napi_env env, napi_value value, const char *name, double least, double most, int64_t *out);
bool read_int(napi_env env, napi_value value, const char *name, int least, int *out);
bool read_string(napi_env env, napi_value value, const char *name, char **out);
bool read_length(napi_env env, napi_value value, const char *name, uint32_t *out);
void free_strings(char **strings);
bool read_strings(napi_env env, napi_value value, const char *name, char ***out);
bool has(napi_env env, napi_value object, const char *name, napi_value *out);
bool read_bytes(napi_env env, napi_value value, uint8_t **data, size_t *length);
bool read_words(napi_env env, napi_value value, const char *name, uint32_t **data, size_t *length);
napi_value number_of(napi_env env, double number);
void set_number(napi_env env, napi_value object, const char *name, double number);
void set_boolean(napi_env env, napi_value object, const char *name, bool boolean);
void set_string(napi_env env, napi_value object, const char *name, const char *text);

struct ucred;
/* `{pid, uid, gid}` of a datagram's sender, or of the other end of a connection. */
napi_value credentials_of(napi_env env, const struct ucred *credentials);

/* Makes the state that one environment keeps between calls; returns false and throws without memory for it. */
bool keep_instance(napi_env env);

napi_value edge_kill(napi_env env, napi_callback_info info);
napi_value edge_pipe(napi_env env, napi_callback_info info);
napi_value edge_read_now(napi_env env, napi_callback_info info);
napi_value edge_write_now(napi_env env, napi_callback_info info);
napi_value edge_watch_signal(napi_env env, napi_callback_info info);
napi_value edge_exit_now(napi_env env, napi_callback_info info);
napi_value edge_random_hex(napi_env env, napi_callback_info info);
napi_value edge_descriptor_limit(napi_env env, napi_callback_info info);
napi_value edge_set_blocking(napi_env env, napi_callback_info info);
napi_value edge_waiting_bytes(napi_env env, napi_callback_info info);
napi_value edge_duplicate(napi_env env, napi_callback_info info);
napi_value edge_replace_descriptor(napi_env env, napi_callback_info info);
napi_value edge_lock_file(napi_env env, napi_callback_info info);
napi_value edge_open_pidfd(napi_env env, napi_callback_info info);
napi_value edge_pidfd_exit(napi_env env, napi_callback_info info);
napi_value edge_signal_pidfd(napi_env env, napi_callback_info info);
napi_value edge_watch_readable(napi_env env, napi_callback_info info);
napi_value edge_bind_datagram(napi_env env, napi_callback_info info);
napi_value edge_send_datagram(napi_env env, napi_callback_info info);
napi_value edge_probe_datagram(napi_env env, napi_callback_info info);
napi_value edge_pass_credentials(napi_env env, napi_callback_info info);
napi_value edge_refuse_descriptors(napi_env env, napi_callback_info info);
napi_value edge_discard(napi_env env, napi_callback_info info);
napi_value edge_receive_batch(napi_env env, napi_callback_info info);
napi_value edge_receive_datagrams(napi_env env, napi_callback_info info);
napi_value edge_listen_tcp(napi_env env, napi_callback_info info);
napi_value edge_local_port(napi_env env, napi_callback_info info);
napi_value edge_accept_connection(napi_env env, napi_callback_info info);
napi_value edge_peer_credentials(napi_env env, napi_callback_info info);
napi_value edge_peer_groups(napi_env env, napi_callback_info info);
napi_value edge_make_fifo(napi_env env, napi_callback_info info);
napi_value edge_packet_pair(napi_env env, napi_callback_info info);
napi_value edge_send_packet(napi_env env, napi_callback_info info);
napi_value edge_receive_packet(napi_env env, napi_callback_info info);
napi_value edge_memory_file(napi_env env, napi_callback_info info);
napi_value edge_set_title(napi_env env, napi_callback_info info);
napi_value edge_wall_clock_changes(napi_env env, napi_callback_info info);
napi_value edge_make_node(napi_env env, napi_callback_info info);
napi_value edge_list_attributes(napi_env env, napi_callback_info info);
napi_value edge_get_attribute(napi_env env, napi_callback_info info);
napi_value edge_set_attribute(napi_env env, napi_callback_info info);
napi_value edge_set_times(napi_env env, napi_callback_info info);
napi_value edge_next_data(napi_env env, napi_callback_info info);
napi_value edge_sync_file_system(napi_env env, napi_callback_info info);

#pragma GCC visibility pop
