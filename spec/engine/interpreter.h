/* interpreter.h -- what a seccomp program answers, without asking the kernel.
**
** Knows the instructions that filters are made of: loads of a word of struct
** seccomp_data, and, comparisons with a constant, returns.
*/
#ifndef CELL_INTERPRETER_H
#define CELL_INTERPRETER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INTERPRETER_LOST 1u /* no filter answers this */

static int compares(unsigned code, uint32_t left, uint32_t right)
{
  switch (BPF_OP(code)) {
  case BPF_JEQ:
    return left == right;
  case BPF_JGE:
    return left >= right;
  case BPF_JGT:
    return left > right;
  case BPF_JSET:
    return (left & right) != 0;
  default:
    return 1; /* BPF_JA */
  }
}

/* *steps, if given, gets the number of instructions that were run. */
static uint32_t interpret(const struct sock_filter *program, size_t length,
                          const struct seccomp_data *data, int *steps)
{
  uint32_t accumulator = 0;
  size_t at;
  int count = 0;

  for (at = 0; at < length; at++) {
    const struct sock_filter *now = &program[at];

    count++;
    if (steps != NULL)
      *steps = count;
    switch (BPF_CLASS(now->code)) {
    case BPF_LD:
      if (now->code != (BPF_LD | BPF_W | BPF_ABS) || now->k % 4 != 0 ||
          now->k >= sizeof *data)
        return INTERPRETER_LOST;
      memcpy(&accumulator, (const char *)data + now->k, 4);
      break;
    case BPF_ALU:
      if (now->code != (BPF_ALU | BPF_AND | BPF_K))
        return INTERPRETER_LOST;
      accumulator &= now->k;
      break;
    case BPF_JMP:
      if (BPF_OP(now->code) == BPF_JA)
        at += now->k;
      else
        at += compares(now->code, accumulator, now->k) ? now->jt : now->jf;
      break;
    case BPF_RET:
      return now->k;
    default:
      return INTERPRETER_LOST;
    }
  }
  return INTERPRETER_LOST;
}

#endif
