#include "runtime/seccomp_asm.h"

#include <stdlib.h>

#define REACH 250 /* of the 255, so that the stepping stone for the other target fits in between   \
                   */

void asm_free(struct asm_program *p)
{
    free(p->code);
}

static asm_label put(struct asm_program *p, struct sock_filter instruction)
{
    if (p->len == p->room) {
        p->room = p->room ? 2 * p->room : 1024;
        p->code = mem_grow(p->code, p->room, sizeof *p->code);
    }
    p->code[p->len] = instruction;
    return p->len++;
}

/* How many instructions lie between the one written next and `label`. */
static size_t distance(const struct asm_program *p, asm_label label)
{
    return p->len - label - 1;
}

/* A place that means `label` and is in reach of a comparison written next. */
static asm_label near(struct asm_program *p, asm_label label)
{
    if (distance(p, label) <= REACH)
        return label;
    return put(p, (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, (uint32_t)distance(p, label)});
}

/* The next instruction is the one written last, so to go elsewhere takes a jump. */
static void before(struct asm_program *p, asm_label next)
{
    if (distance(p, next))
        put(p, (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, (uint32_t)distance(p, next)});
}

asm_label asm_return(struct asm_program *p, uint32_t action)
{
    const struct sock_filter instruction = {BPF_RET | BPF_K, 0, 0, action};
    size_t i = 0;

    while (i < p->return_count && p->returns[i].action != action)
        i++;
    if (i < p->return_count && distance(p, p->returns[i].label) <= REACH)
        return p->returns[i].label;
    if (i == sizeof p->returns / sizeof *p->returns)
        return put(p, instruction); /* so many actions: this one is not shared */
    p->returns[i].action = action;
    p->returns[i].label = put(p, instruction);
    if (i == p->return_count)
        p->return_count++;
    return p->returns[i].label;
}

asm_label asm_load(struct asm_program *p, size_t offset, asm_label next)
{
    before(p, next);
    return put(p, (struct sock_filter){BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset});
}

asm_label asm_and(struct asm_program *p, uint32_t mask, asm_label next)
{
    before(p, next);
    return put(p, (struct sock_filter){BPF_ALU | BPF_AND | BPF_K, 0, 0, mask});
}

asm_label asm_jump(struct asm_program *p, uint16_t comparison, uint32_t k, asm_label yes,
                   asm_label no)
{
    if (yes == no)
        return yes;
    yes = near(p, yes);
    no = near(p, no);
    return put(p, (struct sock_filter){(uint16_t)(BPF_JMP | BPF_K | comparison),
                                       (uint8_t)distance(p, yes), (uint8_t)distance(p, no), k});
}

asm_label asm_program(struct asm_program *p, const struct sock_filter *code, size_t len)
{
    for (size_t i = len; i-- > 0;)
        put(p, code[i]);
    return p->len - 1;
}

void asm_finish(const struct asm_program *p, struct buf *ret)
{
    buf_reserve(ret, p->len * sizeof *p->code);
    for (size_t i = p->len; i-- > 0;)
        buf_add(ret, &p->code[i], sizeof p->code[i]);
}
