/*
 * forbid ERRNO CALL... -- PROGRAM [ARGUMENT...]
 * Executes a program under a seccomp filter that answers these system calls, given by number, with this errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CALLS_AT_MOST = 32 };

int main(int argc, char **argv) {
  struct sock_filter filter[CALLS_AT_MOST * 2 + 2];
  unsigned short length = 0;
  int next = 2;
  if (argc < 4) return 2;
  const unsigned error = (unsigned)atoi(argv[1]);
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (; next < argc && next < CALLS_AT_MOST && strcmp(argv[next], "--") != 0; next++) {
    filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(argv[next]), 0, 1);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
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
