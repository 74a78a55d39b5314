/*
 * The body: the program `chaperone`, which is PID 1. It hears signals from its first instruction on, starts processes,
 * signals and reaps them, and keeps what has happened until the brain, a child of the body, knows it. The brain is Node
 * with everything that can be configured. The body knows no configuration and never waits for anybody: every descriptor
 * that it reads is polled, every write is done by a child.
 *
 * Each part keeps its own state, and this header names what the parts offer each other.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "protocol.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Monotonic ms. */
int64_t now_ms(void);
/* The earlier of two times; 0 is no time. */
int64_t earlier(int64_t one, int64_t other);

/* ---- main.c ---- */

/* Ends the body with this exit status, after the lines that are being written. */
_Noreturn void leave(int status);
bool is_pid_1(void);

/* ---- signals.c ---- */

/* Opens the descriptor that blocked signals are read from. Returns false where the kernel refuses. */
bool hear_signals(void);
int signals_fd(void);
/* Reads what has arrived. */
void take_signals(void);
/* Removes the block and all handlers, in a child before it executes a program. */
void unblock_signals(void);

/* ---- memory.c ---- */

/* A table or queue that grows by pages. */
struct store {
  char *bytes;
  size_t size;
  size_t capacity;
};
/* Makes room for so many more bytes. False where there is no memory, or more than `most` would be held. */
bool grow(struct store *store, size_t more, size_t most);

/* ---- facts.c ---- */

/* Keeps a fact for the brain. `count` elements are `bytes` long in all. */
void keep_fact(enum fact_type type, uint32_t count, const void *head, size_t head_bytes, const void *rest,
               size_t bytes);
/* Sends the kept facts that the socket has room for. */
void send_facts(int socket);
void acknowledge(uint64_t number);
/* The connection has ended: facts are neither kept nor sent from now on. */
void forget_facts(void);
/* True where a fact has not been sent yet, and waits for room in the socket. */
bool has_unsent_facts(void);
/* The time at which sending is tried again, because the kernel had no memory; 0 for none. */
int64_t sending_deadline(void);
/* True while there is room for a further batch of exits; otherwise the dead stay zombies. */
bool has_room_for_exits(void);
/* The number of the last fact that was made, and the last one that the brain has acknowledged. */
uint64_t last_fact(void);
uint64_t last_sent(void);
uint64_t last_acknowledged(void);

/* ---- requests.c ---- */

/* What is left after a turn: perhaps further requests, none, or the end of the connection. */
enum requests { REQUESTS_LEFT, REQUESTS_DONE, REQUESTS_ENDED };
/* Does the requests that have arrived, but not too many. */
enum requests take_requests(int socket);

/* ---- spawn.c ---- */

struct packet {
  const char *bytes;
  size_t size;
  const int *descriptors;
  int descriptor_count;
  /* True where descriptors were lost on the way, because the body has no room for more. */
  bool lost_descriptors;
};
/* Starts a program. The verdict becomes a fact later; the caller closes the packet's descriptors. */
void spawn(uint64_t request, const struct packet *packet);
/* How many children may be on their way to their program at once, by the limit of descriptors. */
uint32_t spawns_at_once(void);

/* ---- pending.c: children on their way to their program ---- */

/* What a child writes on its pipe before it gives up. */
struct failure {
  int32_t error;
  uint32_t stage;
};
enum { PENDING_AT_MOST = 1024 };
/* Before it `pending_count` has to be smaller than PENDING_AT_MOST. */
void add_pending(uint64_t request, pid_t pid, int error_pipe);
size_t pending_count(void);
bool is_pending(pid_t pid);
/* Sets the ms until a child is given up. */
void set_patience(int ms);
/* Adds the pipes, at most PENDING_AT_MOST. Returns how many. */
size_t poll_pending(struct pollfd *polls);
/* Takes the verdicts of those that poll(2) has found ready since, and of those whose time is over. */
void take_verdicts(void);
/* Gives the verdict on a child that has ended. */
void judge_ended(pid_t pid);
/* Kills the child of this request if it is still on its way: its spawn fails with ECANCELED. */
void cancel_pending(uint64_t request);
/* The time at which a child is given up; 0 for none. */
int64_t pending_deadline(void);

/* ---- processes.c ---- */

/* False where there is no memory. Each process needs it before it is added. */
bool make_room_for_process(void);
void add_process(uint64_t spawn, pid_t pid, bool takes_terminal, uint32_t stop_signal);
void forget_process(pid_t pid);
/* The process could not start its program: its end is told to nobody. */
void mark_failed(pid_t pid);
/* Reaps what has ended. Returns the exit status of the brain as wait(2) encodes it, or -1. */
int reap(pid_t brain);
/* True where more have ended than one look takes. */
bool must_look_again(void);
/* Signals one process or group. Returns 0 or the errno. */
int signal_target(const struct target *target, int signal);
/* Signals every process but the body and the brain: as PID 1 all, otherwise all descendants. */
void signal_everyone(int signal, pid_t brain);
/* Asks everybody to end: who was started on request, and its group, by its own signal, all others by SIGTERM. */
void ask_everyone_to_end(void);
/* True where no child is left but the brain. */
bool is_alone(pid_t brain);
/* How many processes of services live. */
size_t process_count(void);
/* Tells the brain once when no process is left but it. */
void watch_alone(pid_t brain);

/* ---- brain.c ---- */

/* Starts the brain, and returns the body's end of the socket; does not return where there is none. */
int start_brain(int argc, char **argv);
/* 0 where the brain is no child of the body, and once it has been reaped. */
pid_t brain_pid(void);
void brain_was_reaped(void);
bool brain_listens(void);
void brain_said_hello(const struct hello *hello, int words);
/* The last lines that came through the pipe of the brain's last words; an empty text where there are none. */
const char *last_words(void);
/* The pipe of the brain's last words, or -1. */
int words_fd(void);
void take_words(void);

/* ---- stop.c ---- */

/* A signal that ends the container has arrived; the brain is told of it by this fact. */
void stop_signal(int signal, uint64_t fact);
/* The brain says how many ms a stop may take from its signal on. */
void set_budget(uint32_t budget);
/* The brain says that it ends next, and with which exit status the container is to end. */
void set_end(uint32_t status);
/* The brain has ended with this status, as wait(2) encodes it; -1 where it has closed the connection. */
void brain_ended(int status);
/* Does what is due, and returns the time of what is due next; 0 for none. */
int64_t do_due(void);
/* Ends the body where its own round is over. */
void end_if_over(void);
bool is_ending_signal(int signal);
/* True in the round of the body. */
bool ends_without_brain(void);

/* ---- words.c ---- */

/* Writes a line to stderr, in the format of the console, without waiting for it. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/* Waits for the lines that are being written, but not for long. */
void finish_saying(void);
const char *signal_name(int signal);

/* ---- pipes.c: second reading ends of the pipes of services ---- */

/* Keeps a copy of a descriptor until the process has ended, where there is room. */
void keep_pipe(pid_t pid, int fd);
void release_pipes(pid_t pid);
/* Lets a helper copy to stderr what services still write, since the brain does not read it any more. */
void copy_pipes(void);

/* ---- helpers.c: children that do for the body what may wait ---- */

bool has_room_for_helper(void);
void add_helper(pid_t pid, bool speaks);
bool is_helper(pid_t pid);
/* True once for a helper that has been reaped. */
bool was_helper(pid_t pid);
/* Waits for a helper and reaps it. False where it lives at this time still. */
bool wait_for_helper(pid_t pid, int64_t end);
/* Waits for those that write lines. */
void wait_for_speakers(int64_t end);

/* ---- closing.c ---- */

/* Closes descriptors that came with a request, without waiting. */
void close_received(const int *descriptors, int count);
/* Hands those whose closing may wait to a helper. */
void close_waiting(void);
/* The time at which it is tried again; 0 for none. */
int64_t closing_deadline(void);
