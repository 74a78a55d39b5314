/* Signals: all are blocked, and what arrives is read from a descriptor. */
#include "body.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNAL_COUNT 64
/* The kernel's sizeof(sigset_t); the C library's is larger. */
#define SIGNAL_SET_BYTES (SIGNAL_COUNT / 8)
/* SIGRTMIN+3 of glibc: the stop signal of containers that systemd or podman run. */
#define SIGNAL_OF_CONTAINER_MANAGERS 37

static int descriptor = -1;
/* The last fact about each signal. */
static uint64_t told[SIGNAL_COUNT + 1];

static const int passed_on[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPWR, SIGUSR1, SIGUSR2, SIGNAL_OF_CONTAINER_MANAGERS};
static const int ending[] = {SIGTERM, SIGINT, SIGQUIT, SIGPWR, SIGNAL_OF_CONTAINER_MANAGERS};

static bool is_in(int signal, const int *list, size_t bytes) {
  for (size_t i = 0; i < bytes / sizeof *list; i++)
    if (list[i] == signal) return true;
  return false;
}

bool is_ending_signal(int signal) {
  return is_in(signal, ending, sizeof ending);
}

static void set_default(int signal) {
  /* All zeroes mean SIG_DFL, no flags and no mask, whatever the machine's order of fields. */
  const uint64_t default_action[8] = {0};
  syscall(SYS_rt_sigaction, signal, default_action, NULL, SIGNAL_SET_BYTES);
}

/* Also the signals that sigfillset(3) reserves for the C library. They are blocked since the first instruction. */
bool hear_signals(void) {
  const uint64_t all = ~UINT64_C(0);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, SIGNAL_SET_BYTES);
  /* Where SIGCHLD was ignored by who has started the body, the kernel would take the dead itself. */
  set_default(SIGCHLD);
  descriptor = (int)syscall(SYS_signalfd4, -1, &all, SIGNAL_SET_BYTES, SFD_CLOEXEC | SFD_NONBLOCK);
  return descriptor >= 0;
}

int signals_fd(void) {
  return descriptor;
}

/*
 * Signals coalesce: while the brain cannot have heard of one, a further one of the same number adds nothing. One that was sent
 * may have been dealt with, although it is not acknowledged yet.
 */
static void tell_brain(int signal) {
  if (told[signal] > last_sent()) return;
  const uint32_t number = (uint32_t)signal;
  keep_fact(FACT_SIGNAL, 1, &number, sizeof number, NULL, 0);
  told[signal] = last_fact();
}

void take_signals(void) {
  struct signalfd_siginfo info;
  for (;;) {
    const ssize_t bytes = read(descriptor, &info, sizeof info);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes != (ssize_t)sizeof info) return;
    const int signal = (int)info.ssi_signo;
    if (!is_in(signal, passed_on, sizeof passed_on)) continue;
    tell_brain(signal);
    if (is_ending_signal(signal)) stop_signal(signal, told[signal]);
  }
}

/* An ignored signal stays ignored across execve(2). SIGKILL and SIGSTOP answer EINVAL. */
void unblock_signals(void) {
  const uint64_t empty = 0;
  for (int signal = 1; signal <= SIGNAL_COUNT; signal++) set_default(signal);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty, NULL, SIGNAL_SET_BYTES);
}
