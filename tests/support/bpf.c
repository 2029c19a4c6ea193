#include "support/bpf.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>

uint32_t bpf_run(const struct sock_filter *code, size_t len, const struct seccomp_data *data)
{
    uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};

    for (size_t pc = 0; pc < len; pc++) {
        const struct sock_filter *i = &code[pc];
        bool taken = false;

        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            ck_assert_uint_le(i->k, sizeof *data - 4);
            memcpy(&a, (const char *)data + i->k, 4);
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            continue;
        case BPF_ST:
            memory[i->k] = a;
            continue;
        case BPF_LD | BPF_MEM:
            a = memory[i->k];
            continue;
        case BPF_MISC | BPF_TAX:
            x = a;
            continue;
        case BPF_MISC | BPF_TXA:
            a = x;
            continue;
        case BPF_RET | BPF_K:
            return i->k;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            taken = a == i->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            taken = a > i->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            taken = a >= i->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            taken = (a & i->k) != 0;
            break;
        default:
            ck_abort_msg("instruction %zu: code 0x%x", pc, i->code);
        }
        pc += taken ? i->jt : i->jf;
    }
    ck_abort_msg("the program ran off its end");
}
