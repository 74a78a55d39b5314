/*
 * forbid ERRNO CALL... -- PROGRAM [ARGUMENT...]
 * Executes a program under a seccomp filter that answers these system calls, given by number, with this errno. `CALL:N:VALUE`
 * answers the call only where its argument N, from 0 on, has this value.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CALLS_AT_MOST = 32 };

int main(int argc, char **argv) {
  struct sock_filter filter[CALLS_AT_MOST * 5 + 2];
  unsigned short length = 0;
  int next = 2;
  if (argc < 4) return 2;
  const unsigned error = (unsigned)atoi(argv[1]);
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (; next < argc && next < CALLS_AT_MOST && strcmp(argv[next], "--") != 0; next++) {
    unsigned call = 0;
    unsigned argument = 0;
    unsigned value = 0;
    const bool has_argument = sscanf(argv[next], "%u:%u:%u", &call, &argument, &value) == 3;
    filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, has_argument ? 4 : 1);
    if (has_argument) {
      const size_t offset = offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
      filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset);
      filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
    if (has_argument) {
      const unsigned number = offsetof(struct seccomp_data, nr);
      filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number);
    }
  }
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {length, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("forbid");
    return 2;
  }
  execv(argv[next + 1], argv + next + 1);
  perror(argv[next + 1]);
  return 127;
}
