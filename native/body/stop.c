/*
 * Stops. The brain ends the services in order; the body sees to it that a stop is obeyed, and ends the services itself
 * where the brain cannot: a round of SIGTERM to all, and SIGKILL to who is left.
 */
#include "body.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

/* ms that a stop may take, until the brain tells another number. */
#define FIRST_BUDGET 8000
/* ms beyond the budget, in which the brain writes its last lines. */
#define BUDGET_MARGIN 2000
/* ms in which the brain has to have heard of the first signal, once a second one comes. */
#define ANSWER_PATIENCE 2000
/* ms from SIGTERM to SIGKILL in a round that begins after the budget has been used up. */
#define SHORT_ROUND 1000
/* ms from SIGKILL to the end of the body. */
#define KILL_GRACE 1000
/* The exit status where the body had to end the services. */
#define ROUND_STATUS 1
#define INTERRUPTED 130
/* What the brain is called for people. */
#define BRAIN "Node, the brain of chaperone,"

static enum { AT_WORK, TERMINATING, KILLING } phase = AT_WORK;
static uint32_t budget = FIRST_BUDGET;
static int end_status = -1;
/* The time and the fact of the first ending signal, and by when what follows from it has to have happened; 0 is no time. */
static int64_t first_signal;
static uint64_t first_fact;
static int64_t end_deadline;
static int64_t answer_deadline;
static int64_t round_deadline;

void set_budget(uint32_t told) {
  budget = told;
  if (first_signal != 0) end_deadline = first_signal + budget + BUDGET_MARGIN;
}

void set_end(uint32_t status) {
  end_status = (int)(status & 0xff);
}

static void begin_round(int64_t time) {
  if (phase != AT_WORK) return;
  phase = TERMINATING;
  if (brain_pid() > 0) kill(brain_pid(), SIGKILL);
  round_deadline = now_ms() + time;
  copy_pipes();
  ask_everyone_to_end();
  /* A stopped process handles no signal but SIGKILL before SIGCONT. */
  signal_everyone(SIGCONT, 0);
}

void stop_signal(int signal, uint64_t fact) {
  /* A program that has started this body ends when it likes. */
  if (brain_pid() <= 0) return;
  if (!brain_listens() && process_count() == 0) {
    /* Nothing has been started. */
    kill(brain_pid(), SIGKILL);
    leave(signal == SIGINT ? INTERRUPTED : 0);
  }
  const int64_t now = now_ms();
  if (first_signal == 0) {
    first_signal = now;
    first_fact = fact;
    end_deadline = now + budget + BUDGET_MARGIN;
  } else if (last_acknowledged() < first_fact && answer_deadline == 0) {
    answer_deadline = now + ANSWER_PATIENCE;
  }
}

static void say_end_of_brain(int status) {
  const char *consequence = is_alone(0) ? "no service runs" : "ending the services";
  if (WIFSIGNALED(status))
    say(BRAIN " was killed by %s%s; %s", signal_name(WTERMSIG(status)),
        WTERMSIG(status) == SIGKILL ? ", perhaps because memory ran out" : "", consequence);
  else say(BRAIN " ended by itself with exit status %d; %s", WEXITSTATUS(status), consequence);
  if (*last_words() != '\0') say("the last words of Node: %s", last_words());
}

void brain_ended(int status) {
  const bool is_killed = status >= 0 && WIFSIGNALED(status);
  if (phase != AT_WORK) return;
  if (end_status >= 0) leave(end_status);
  if (!brain_listens() && !is_killed && process_count() == 0) leave(status < 0 ? ROUND_STATUS : WEXITSTATUS(status));
  /* A program that has started this body, and has closed the connection, knows why. */
  if (status >= 0) say_end_of_brain(status);
  const bool has_time = end_deadline == 0 && budget > SHORT_ROUND + KILL_GRACE;
  begin_round(has_time ? (int64_t)budget - KILL_GRACE : SHORT_ROUND);
}

bool ends_without_brain(void) {
  return phase != AT_WORK;
}

static void pass_over_brain(const char *failure) {
  say(BRAIN " %s; ending the services without it", failure);
  begin_round(SHORT_ROUND);
}

int64_t do_due(void) {
  const int64_t now = now_ms();
  if (phase == AT_WORK) {
    if (answer_deadline != 0 && last_acknowledged() >= first_fact) answer_deadline = 0;
    if (answer_deadline != 0 && answer_deadline <= now) pass_over_brain("does not answer after a second signal");
    else if (end_deadline != 0 && end_deadline <= now) pass_over_brain("has not ended the system in time");
    else return earlier(answer_deadline, end_deadline);
  }
  if (round_deadline > now) return round_deadline;
  if (phase == KILLING) leave(ROUND_STATUS);
  phase = KILLING;
  signal_everyone(SIGKILL, 0);
  round_deadline = now + KILL_GRACE;
  return round_deadline;
}

void end_if_over(void) {
  if (phase != AT_WORK && brain_pid() <= 0 && is_alone(0)) leave(ROUND_STATUS);
}
