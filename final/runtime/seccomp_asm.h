/* seccomp_asm.h - classic BPF written from its end to its beginning.
 *
 * A BPF program jumps forward only, at most 255 instructions for a comparison. Written backwards,
 * every target is there already when a jump to it is written: no patching, what comes late may be
 * shared by all that comes before, and a target out of reach gets a stepping stone in between.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* A place in the program, counted from its end: of the instruction written as number `label`. */
typedef size_t asm_label;

struct asm_program {
    struct sock_filter *code; /* the last instruction first */
    size_t len, room;
    struct {
        uint32_t action;
        asm_label label;
    } returns[64]; /* the returns written last, to be shared */
    size_t return_count;
};
void asm_free(struct asm_program *p);

/* "return action": one that is near enough, or a new one. */
asm_label asm_return(struct asm_program *p, uint32_t action);
/* Load a word of struct seccomp_data; A &= mask. Both go on with what was written last, which must
 * be `next`. */
asm_label asm_load(struct asm_program *p, size_t offset, asm_label next);
asm_label asm_and(struct asm_program *p, uint32_t mask, asm_label next);
/* Compares A with k (BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET) and goes to one of two places. */
asm_label asm_jump(struct asm_program *p, uint16_t comparison, uint32_t k, asm_label yes,
                   asm_label no);
/* Writes a finished program before all that is there; its end must not be reached. */
asm_label asm_program(struct asm_program *p, const struct sock_filter *code, size_t len);
/* The instructions in order. The first is the one written last. */
void asm_finish(const struct asm_program *p, struct buf *ret);
