/*
 * The entry of the program, in place of the C library's `_start`, to which it goes on (binding.gyp names it for the linker). It
 * blocks all signals before the C library prepares itself, which takes a fifth of a millisecond: a signal for which PID 1 has no
 * handler yet is lost, but one that is blocked waits.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tools.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's sizeof(sigset_t). */
#define SIGNAL_SET_BYTES 8
#define SIG_SETMASK_NUMBER 2

/* The signals that were blocked when the program began. */
uint64_t first_mask;

#if defined(__x86_64__)
/* rdx belongs to _start. The kernel changes rax, rcx and r11. */
__asm__(".text\n"
        ".globl first_instruction\n"
        ".type first_instruction, @function\n"
        "first_instruction:\n"
        "  movq %rdx, %r8\n"
        "  movl $14, %eax\n"
        "  movl $2, %edi\n"
        "  leaq all_signals(%rip), %rsi\n"
        "  leaq first_mask(%rip), %rdx\n"
        "  movl $8, %r10d\n"
        "  syscall\n"
        "  movq %r8, %rdx\n"
        "  jmp _start\n"
        ".section .rodata\n"
        ".balign 8\n"
        "all_signals: .quad -1\n"
        ".text\n");
#elif defined(__aarch64__)
/* x0 belongs to _start. */
__asm__(".text\n"
        ".balign 4\n"
        ".globl first_instruction\n"
        ".type first_instruction, %function\n"
        "first_instruction:\n"
        "  mov x9, x0\n"
        "  mov x8, #135\n"
        "  mov x0, #2\n"
        "  adrp x1, all_signals\n"
        "  add x1, x1, :lo12:all_signals\n"
        "  adrp x2, first_mask\n"
        "  add x2, x2, :lo12:first_mask\n"
        "  mov x3, #8\n"
        "  svc #0\n"
        "  mov x0, x9\n"
        "  b _start\n"
        ".section .rodata\n"
        ".balign 8\n"
        "all_signals: .quad -1\n"
        ".text\n");
#else
#error "first_instruction has to be written for this processor"
#endif

void restore_signals(void) {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK_NUMBER, &first_mask, NULL, SIGNAL_SET_BYTES);
}
