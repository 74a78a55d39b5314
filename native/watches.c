/* Watches: handles of Node's loop that call JavaScript back. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edge.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#define SIGNAL_COUNT 64

struct watch {
  union {
    uv_handle_t any;
    uv_signal_t signal;
    uv_poll_t poll;
  } handle;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  /* Counts the open handle and each function that JavaScript was given; the last of them to go frees the watch. */
  int holders;
};

static void let_go(struct watch *watch) {
  if (--watch->holders == 0) free(watch);
}

/* The callback may close the watch: after the call only the watch's memory may still be used. */
static void call_back(const struct watch *watch) {
  napi_handle_scope scope;
  napi_value callback;
  napi_value global;
  napi_open_handle_scope(watch->env, &scope);
  napi_get_reference_value(watch->env, watch->callback, &callback);
  napi_get_global(watch->env, &global);
  if (napi_make_callback(watch->env, watch->context, global, callback, 0, NULL, NULL) == napi_pending_exception) {
    /* No JavaScript frame below could catch the error, so it becomes an uncaughtException, as with any listener. */
    napi_value error;
    napi_get_and_clear_last_exception(watch->env, &error);
    napi_fatal_exception(watch->env, error);
  }
  napi_close_handle_scope(watch->env, scope);
}

static void signal_arrived(uv_signal_t *handle, int number) {
  (void)number;
  call_back(handle->data);
}

/* The async context is deleted here, because only here the callback is certain not to be running. */
static void watch_closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  napi_handle_scope scope;
  napi_open_handle_scope(watch->env, &scope);
  napi_async_destroy(watch->env, watch->context);
  napi_close_handle_scope(watch->env, scope);
  napi_remove_async_cleanup_hook(watch->cleanup);
  let_go(watch);
}

static void discard_watch(uv_handle_t *handle) {
  free(handle->data);
}

static void close_watch(struct watch *watch) {
  if (uv_is_closing(&watch->handle.any)) return;
  napi_delete_reference(watch->env, watch->callback);
  uv_close(&watch->handle.any, watch_closed);
}

/* While a handle is open, Node cannot close its loop, and a worker aborts. */
static void environment_ends(napi_async_cleanup_hook_handle handle, void *argument) {
  (void)handle;
  close_watch(argument);
}

static void keep_watch(napi_env env, struct watch *watch, napi_value callback, const char *resource) {
  napi_value name;
  watch->env = env;
  watch->holders = 1;
  napi_create_reference(env, callback, 1, &watch->callback);
  napi_create_string_utf8(env, resource, NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &watch->context);
  napi_add_async_cleanup_hook(env, environment_ends, watch, &watch->cleanup);
}

/* Returns the loop and an empty watch for it, or NULL with an exception. */
static struct watch *new_watch(napi_env env, napi_value callback, uv_loop_t **loop) {
  if (!is(env, callback, napi_function)) {
    refuse(env, "callback", "a function");
    return NULL;
  }
  if (napi_get_uv_event_loop(env, loop) != napi_ok) {
    throw_errno(env, "watch", ENOSYS);
    return NULL;
  }
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) {
    throw_errno(env, "watch", ENOMEM);
    return NULL;
  }
  watch->handle.any.data = watch;
  return watch;
}

/* sigaction(2) through the loop: process.on() knows signals only by name, and real-time signals have no names. */
napi_value edge_watch_signal(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  uv_loop_t *loop;
  int signal;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "signal", 1, &signal)) return NULL;
  struct watch *watch = new_watch(env, arguments[1], &loop);
  if (watch == NULL) return NULL;
  int error = uv_signal_init(loop, &watch->handle.signal);
  if (error != 0) {
    free(watch);
    return throw_errno(env, "watch a signal", -error);
  }
  error = uv_signal_start(&watch->handle.signal, signal_arrived, signal);
  if (error != 0) {
    uv_close(&watch->handle.any, discard_watch);
    return throw_errno(env, "watch a signal", -error);
  }
  uv_unref(&watch->handle.any);
  keep_watch(env, watch, arguments[1], "chaperone.signal");
  return NULL;
}

static void start_polling(struct watch *watch);

/* After an error libuv stops watching. This starts the watch again until somebody reads the error, as poll(2) would. */
static void became_readable(uv_poll_t *handle, int status, int events) {
  (void)events;
  if (status < 0) start_polling(handle->data);
  call_back(handle->data);
}

static void start_polling(struct watch *watch) {
  uv_poll_start(&watch->handle.poll, UV_READABLE | UV_DISCONNECT, became_readable);
}

static struct watch *watch_of(napi_env env, napi_callback_info info) {
  void *watch = NULL;
  napi_get_cb_info(env, info, NULL, NULL, NULL, &watch);
  return watch;
}

static napi_value pause_watch(napi_env env, napi_callback_info info) {
  struct watch *watch = watch_of(env, info);
  if (!uv_is_closing(&watch->handle.any)) uv_poll_stop(&watch->handle.poll);
  return NULL;
}

static napi_value resume_watch(napi_env env, napi_callback_info info) {
  struct watch *watch = watch_of(env, info);
  if (!uv_is_closing(&watch->handle.any)) start_polling(watch);
  return NULL;
}

static napi_value end_watch(napi_env env, napi_callback_info info) {
  close_watch(watch_of(env, info));
  return NULL;
}

static void function_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  let_go(data);
}

/* Defines a method that holds the watch by itself, so that it can be passed around without its object. */
static void set_method(napi_env env, napi_value object, const char *name, napi_callback method, struct watch *watch) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, method, watch, &function) != napi_ok) return;
  watch->holders++;
  napi_add_finalizer(env, function, watch, function_collected, NULL, NULL);
  napi_set_named_property(env, object, name, function);
}

/* epoll(7), through the loop */
napi_value edge_watch_readable(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  uv_loop_t *loop;
  int fd;
  arguments_of(env, info, 2, arguments);
  if (!read_int(env, arguments[0], "fd", 0, &fd)) return NULL;
  struct watch *watch = new_watch(env, arguments[1], &loop);
  if (watch == NULL) return NULL;
  const int error = uv_poll_init(loop, &watch->handle.poll, fd);
  if (error != 0) {
    free(watch);
    return throw_errno(env, "watch a descriptor", -error);
  }
  start_polling(watch);
  keep_watch(env, watch, arguments[1], "chaperone.readable");
  napi_value result;
  napi_create_object(env, &result);
  set_method(env, result, "pause", pause_watch, watch);
  set_method(env, result, "resume", resume_watch, watch);
  set_method(env, result, "close", end_watch, watch);
  return result;
}

/* timerfd_create(2): a timer for the last second there is, which every change of the wall clock cancels. */
napi_value edge_wall_clock_changes(napi_env env, napi_callback_info info) {
  (void)info;
  const struct itimerspec never = {.it_value = {.tv_sec = INT64_MAX}};
  const int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (fd < 0) return throw_errno(env, "timerfd_create", errno);
  if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) != 0) {
    const int error = errno;
    close(fd);
    return throw_errno(env, "timerfd_settime", error);
  }
  return number_of(env, fd);
}
