/* A policy to a program by ourselves.
 *
 * For each ABI the calls are sorted by number, and neighbours with the same verdict become a range:
 * docker's profile has some 90 of them for x86_64, where a list would have 400 comparisons. The
 * program finds the range by binary search; a call with rules about its arguments is a range of its
 * own, whose verdict is code that looks at them. All is written backwards (seccomp_asm.h).
 *
 * Numbers come from libseccomp, and so does what is peculiar to i386: sockets and System V IPC have
 * calls of their own there and a second way in, socketcall(2) and ipc(2), whose first argument says
 * which is meant; a rule is for both ways. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/seccomp_asm.h"
#include "runtime/seccomp_policy.h"

#define X86_SOCKETCALL 102
#define X86_IPC        117
#define X32_BIT        0x40000000u /* in a call's number, of an x32 process; the ABI is x86_64's else */

/* One rule for one number. */
struct entry {
    uint32_t number;
    size_t order;
    const struct seccomp_policy_rule *rule;
    unsigned
        selector; /* socketcall(2), ipc(2): what the first argument must be; 0: not one of these */
};

/* From `first` up to the next range's. */
struct range {
    uint32_t first;
    uint32_t action;             /* without rules about arguments */
    const struct entry *entries; /* or these, in any order */
    size_t count;
};

struct table {
    uint32_t abi;
    struct entry *entries;
    size_t entry_count, entry_room;
    struct range *ranges;
    size_t range_count, range_room;
};

static void table_free(struct table *t)
{
    free(t->entries);
    free(t->ranges);
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* i386's calls that came after socketcall(2) and ipc(2). libseccomp gives these, and those that
 * have no call of their own to this day, a number below zero: -100 or -200, less the selector. */
static const struct {
    const char *call;
    int number;
} direct[] = {
    {"recvmmsg", 337},   {"sendmmsg", 345},   {"socket", 359},      {"socketpair", 360},
    {"bind", 361},       {"connect", 362},    {"listen", 363},      {"accept4", 364},
    {"getsockopt", 365}, {"setsockopt", 366}, {"getsockname", 367}, {"getpeername", 368},
    {"sendto", 369},     {"sendmsg", 370},    {"recvfrom", 371},    {"recvmsg", 372},
    {"shutdown", 373},   {"semget", 393},     {"semctl", 394},      {"shmget", 395},
    {"shmctl", 396},     {"shmat", 397},      {"shmdt", 398},       {"msgget", 399},
    {"msgsnd", 400},     {"msgrcv", 401},     {"msgctl", 402},
};

static bool is_multiplexed(int number)
{
    return number <= -100 && number > -300;
}

static int direct_number(const char *call)
{
    for (size_t i = 0; i < sizeof direct / sizeof *direct; i++)
        if (!strcmp(direct[i].call, call))
            return direct[i].number;
    return -1;
}

static void add_entry(struct table *t, int number, const struct seccomp_policy_rule *rule,
                      unsigned selector)
{
    if (number < 0)
        return;
    if (t->entry_count == t->entry_room) {
        t->entry_room = t->entry_room ? 2 * t->entry_room : 1024;
        t->entries = mem_grow(t->entries, t->entry_room, sizeof *t->entries);
    }
    t->entries[t->entry_count] = (struct entry){(uint32_t)number, t->entry_count, rule, selector};
    t->entry_count++;
}

static void add_call(struct table *t, int number, const struct seccomp_policy_rule *rule)
{
    if (t->abi != SCMP_ARCH_X86 || !is_multiplexed(number)) {
        add_entry(t, number, rule, 0);
        return;
    }
    add_entry(t, direct_number(rule->call), rule, 0);
    add_entry(t, number > -200 ? X86_SOCKETCALL : X86_IPC, rule, (unsigned)-number % 100);
}

static int by_number(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* --- ranges ----------------------------------------------------------------------------------- */

static void add_range(struct table *t, struct range range)
{
    struct range *last = t->range_count ? &t->ranges[t->range_count - 1] : NULL;

    if (last && last->first == range.first) /* empty so far: a gap of no calls */
        t->range_count--;
    last = t->range_count ? &t->ranges[t->range_count - 1] : NULL;
    if (last && !last->count && !range.count && last->action == range.action)
        return;
    if (t->range_count == t->range_room) {
        t->range_room = t->range_room ? 2 * t->range_room : 256;
        t->ranges = mem_grow(t->ranges, t->range_room, sizeof *t->ranges);
    }
    t->ranges[t->range_count++] = range;
}

static bool has_tests(const struct entry *e)
{
    return e->rule->count || e->rule->otherwise || e->selector;
}

/* The verdict of one number: a rule without tests, the first such; else all. -ENOTSUP: actions
 * differ, and which one counts when several fit is for libseccomp to say. */
static int verdict(const struct entry *e, size_t count, struct range *ret)
{
    uint32_t action = 0;
    size_t seen = 0;

    for (size_t i = 0; i < count; i++)
        if (!has_tests(&e[i])) {
            *ret = (struct range){e->number, e[i].rule->action, NULL, 0};
            return 0;
        }
    for (size_t i = 0; i < count; i++) {
        if (e[i].rule->otherwise)
            continue;
        if (seen++ && e[i].rule->action != action)
            return -ENOTSUP;
        action = e[i].rule->action;
    }
    *ret = (struct range){e->number, 0, e, count};
    return 0;
}

/* Where the numbers begin that are newer than the policy; 0: nowhere. */
static uint32_t first_newer(const struct seccomp_policy *policy, uint32_t abi)
{
    uint32_t first = 0;

    for (size_t i = 0; policy->newer_is_enosys && i < policy->count; i++) {
        int number = seccomp_call_number(policy->rules[i].call, abi);

        if (number >= 0 && (uint32_t)number >= first)
            first = (uint32_t)number + 1;
    }
    return first;
}

/* The numbers of x32 begin at X32_BIT, and the search for them begins there. */
static uint32_t lowest(uint32_t abi)
{
    return abi == SCMP_ARCH_X32 ? X32_BIT : 0;
}

static int make_ranges(const struct seccomp_policy *policy, struct table *t)
{
    uint32_t newer = first_newer(policy, t->abi);

    add_range(t, (struct range){lowest(t->abi), policy->otherwise, NULL, 0});
    for (size_t i = 0, n; i < t->entry_count; i += n) {
        struct range range;

        for (n = 1; i + n < t->entry_count && t->entries[i + n].number == t->entries[i].number; n++)
            ;
        if (verdict(&t->entries[i], n, &range) < 0)
            return -ENOTSUP;
        add_range(t, range);
        add_range(t, (struct range){range.first + 1, policy->otherwise, NULL, 0});
    }
    if (newer)
        add_range(t, (struct range){newer, SCMP_ACT_ERRNO(ENOSYS), NULL, 0});
    return 0;
}

/* A rule that says what happens anyway is none. */
static int make_table(const struct seccomp_policy *policy, uint32_t abi, struct table *t)
{
    *t = (struct table){.abi = abi};
    for (size_t i = 0; i < policy->count; i++)
        if (policy->rules[i].action != policy->otherwise)
            add_call(t, seccomp_call_number(policy->rules[i].call, abi), &policy->rules[i]);
    if (t->entry_count)
        qsort(t->entries, t->entry_count, sizeof *t->entries, by_number);
    return make_ranges(policy, t);
}

/* --- tests of arguments ----------------------------------------------------------------------- */

static size_t low_word(unsigned argument)
{
    return offsetof(struct seccomp_data, args) + 8 * argument +
           (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0);
}

static size_t high_word(unsigned argument)
{
    return low_word(argument) ^ 4;
}

/* x32's arguments count as 32 bits, as those of real 32-bit ABIs. */
static bool is_wide(uint32_t abi)
{
    return abi & __AUDIT_ARCH_64BIT;
}

/* Equal under a mask, word by word. */
static asm_label test_equal(struct asm_program *p, bool wide, unsigned argument, uint64_t mask,
                            uint64_t value, asm_label yes, asm_label no)
{
    const struct {
        size_t offset;
        uint32_t mask, value;
    } words[] = {
        {low_word(argument), (uint32_t)mask, (uint32_t)value},
        {high_word(argument), (uint32_t)(mask >> 32), (uint32_t)(value >> 32)},
    };

    for (int i = 0; i < (wide ? 2 : 1); i++) {
        if (!words[i].mask)
            continue;
        yes = asm_jump(p, BPF_JEQ, words[i].value & words[i].mask, yes, no);
        if (words[i].mask != UINT32_MAX)
            yes = asm_and(p, words[i].mask, yes);
        yes = asm_load(p, words[i].offset, yes);
    }
    return yes;
}

/* Above (BPF_JGT) or not below (BPF_JGE): the high word decides unless it is equal. */
static asm_label test_order(struct asm_program *p, bool wide, uint16_t comparison,
                            unsigned argument, uint64_t value, asm_label yes, asm_label no)
{
    asm_label low = asm_jump(p, comparison, (uint32_t)value, yes, no);

    low = asm_load(p, low_word(argument), low);
    if (!wide)
        return low;
    low = asm_jump(p, BPF_JEQ, (uint32_t)(value >> 32), low, no);
    low = asm_jump(p, BPF_JGT, (uint32_t)(value >> 32), yes, low);
    return asm_load(p, high_word(argument), low);
}

static asm_label test(struct asm_program *p, bool wide, const struct scmp_arg_cmp *t, asm_label yes,
                      asm_label no)
{
    switch (t->op) {
    case SCMP_CMP_NE:
        return test_equal(p, wide, t->arg, UINT64_MAX, t->datum_a, no, yes);
    case SCMP_CMP_EQ:
        return test_equal(p, wide, t->arg, UINT64_MAX, t->datum_a, yes, no);
    case SCMP_CMP_MASKED_EQ:
        return test_equal(p, wide, t->arg, t->datum_a, t->datum_b, yes, no);
    case SCMP_CMP_LT:
        return test_order(p, wide, BPF_JGE, t->arg, t->datum_a, no, yes);
    case SCMP_CMP_LE:
        return test_order(p, wide, BPF_JGT, t->arg, t->datum_a, no, yes);
    case SCMP_CMP_GT:
        return test_order(p, wide, BPF_JGT, t->arg, t->datum_a, yes, no);
    default:
        return test_order(p, wide, BPF_JGE, t->arg, t->datum_a, yes, no);
    }
}

/* The selector of a multiplexed call takes the place of a test of its first argument. */
static asm_label entry_code(struct asm_program *p, bool wide, const struct entry *e, asm_label yes,
                            asm_label no)
{
    for (unsigned i = e->rule->count; i-- > 0;)
        if (!e->selector || e->rule->tests[i].arg)
            yes = test(p, wide, &e->rule->tests[i], yes, no);
    return e->selector ? test_equal(p, wide, 0, UINT64_MAX, e->selector, yes, no) : yes;
}

/* --- many values of one argument -----------------------------------------------------------------
 *
 * The families of socket(2) are forty tests of one argument, which together are ten ranges of
 * values: searched for like the calls. */

static bool holds(const struct scmp_arg_cmp *t, uint64_t value, uint64_t mask)
{
    uint64_t datum = t->datum_a & mask;

    switch (t->op) {
    case SCMP_CMP_NE:
        return value != datum;
    case SCMP_CMP_LT:
        return value < datum;
    case SCMP_CMP_LE:
        return value <= datum;
    case SCMP_CMP_EQ:
        return value == datum;
    case SCMP_CMP_GE:
        return value >= datum;
    default:
        return value > datum;
    }
}

static uint32_t verdict_on_value(const struct range *calls, uint64_t value, uint64_t mask,
                                 uint32_t otherwise)
{
    for (size_t i = 0; i < calls->count; i++) {
        const struct seccomp_policy_rule *rule = calls->entries[i].rule;

        if (!rule->otherwise && holds(rule->tests, value, mask))
            return rule->action;
    }
    return otherwise;
}

/* One test each, all of one argument, none with a mask, of values that the low word holds? */
static bool is_about_one_value(const struct range *calls, bool wide)
{
    const struct scmp_arg_cmp *first = NULL;

    for (size_t i = 0; i < calls->count; i++) {
        const struct entry *e = &calls->entries[i];

        if (e->rule->otherwise)
            continue;
        if (e->rule->count != 1 || e->selector || e->rule->tests->op == SCMP_CMP_MASKED_EQ ||
            (wide && e->rule->tests->datum_a > UINT32_MAX))
            return false;
        if (first && first->arg != e->rule->tests->arg)
            return false;
        first = e->rule->tests;
    }
    return first;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The verdict can change only at a value that a test names, and right after it. */
static void add_value_ranges(struct table *t, const struct range *calls, uint64_t mask,
                             uint32_t otherwise)
{
    uint32_t *edges = mem_alloc((2 * calls->count + 1) * sizeof *edges);
    size_t n = 1;

    for (size_t i = 0; i < calls->count; i++) {
        uint32_t value = (uint32_t)calls->entries[i].rule->tests->datum_a;

        if (calls->entries[i].rule->otherwise)
            continue;
        edges[n++] = value;
        if (value != UINT32_MAX)
            edges[n++] = value + 1;
    }
    qsort(edges, n, sizeof *edges, by_value);
    for (size_t i = 0; i < n; i++)
        if (!i || edges[i] != edges[i - 1])
            add_range(t,
                      (struct range){edges[i], verdict_on_value(calls, edges[i], mask, otherwise),
                                     NULL, 0});
    free(edges);
}

static asm_label search(struct asm_program *p, const struct table *t, size_t from, size_t to,
                        uint32_t otherwise);

static asm_label value_code(struct asm_program *p, const struct table *t, const struct range *calls,
                            uint32_t otherwise)
{
    cleanup_with(table_free) struct table values = {.abi = t->abi};
    uint64_t mask = is_wide(t->abi) ? UINT64_MAX : UINT32_MAX;
    unsigned argument = 0;
    asm_label next;

    for (size_t i = 0; i < calls->count; i++)
        if (!calls->entries[i].rule->otherwise)
            argument = calls->entries[i].rule->tests->arg;
    add_value_ranges(&values, calls, mask, otherwise);
    next = search(p, &values, 0, values.range_count - 1, otherwise);
    next = asm_load(p, low_word(argument), next);
    if (!is_wide(t->abi))
        return next;
    next = asm_jump(p, BPF_JEQ, 0, next,
                    asm_return(p, verdict_on_value(calls, UINT64_MAX, mask, otherwise)));
    return asm_load(p, high_word(argument), next);
}

/* --- the program ------------------------------------------------------------------------------ */

static asm_label range_code(struct asm_program *p, const struct table *t, const struct range *range,
                            uint32_t otherwise)
{
    asm_label next;

    if (!range->count)
        return asm_return(p, range->action);
    for (size_t i = 0; i < range->count; i++)
        if (range->entries[i].rule->otherwise)
            otherwise = range->entries[i].rule->action;
    if (is_about_one_value(range, is_wide(t->abi)))
        return value_code(p, t, range, otherwise);
    next = asm_return(p, otherwise);
    for (size_t i = range->count; i-- > 0;)
        if (!range->entries[i].rule->otherwise)
            next = entry_code(p, is_wide(t->abi), &range->entries[i],
                              asm_return(p, range->entries[i].rule->action), next);
    return next;
}

/* A binary search over ranges from..to, the number in A. */
static asm_label search(struct asm_program *p, const struct table *t, size_t from, size_t to,
                        uint32_t otherwise)
{
    size_t middle = (from + to + 1) / 2;
    asm_label below, above;

    if (from == to)
        return range_code(p, t, &t->ranges[from], otherwise);
    above = search(p, t, middle, to, otherwise);
    below = search(p, t, from, middle - 1, otherwise);
    return asm_jump(p, BPF_JGE, t->ranges[middle].first, above, below);
}

/* What the numbers of one ABI lead to. */
static int abi_code(struct asm_program *p, const struct seccomp_policy *policy, uint32_t abi,
                    asm_label *ret)
{
    cleanup_with(table_free) struct table t = {0};

    if (make_table(policy, abi, &t) < 0)
        return -ENOTSUP;
    *ret = search(p, &t, 0, t.range_count - 1, policy->otherwise);
    return 0;
}

static bool has_abi(const struct seccomp_policy *policy, uint32_t abi)
{
    for (size_t i = 0; i < policy->abi_count; i++)
        if (policy->abis[i] == abi)
            return true;
    return false;
}

/* x86_64 and x32 are told apart by a bit of the number; -1 is not x32's but means that a tracer
 * skips the call. */
static int x86_64_code(struct asm_program *p, const struct seccomp_policy *policy, asm_label killed,
                       asm_label *ret)
{
    asm_label own, x32 = killed;

    if (has_abi(policy, SCMP_ARCH_X32) && abi_code(p, policy, SCMP_ARCH_X32, &x32) < 0)
        return -ENOTSUP;
    if (abi_code(p, policy, SCMP_ARCH_X86_64, &own) < 0)
        return -ENOTSUP;
    if (x32 == killed)
        x32 = asm_jump(p, BPF_JEQ, UINT32_MAX, own, killed);
    *ret = asm_jump(p, BPF_JGE, X32_BIT, x32, own);
    return 0;
}

/* The ABIs whose peculiarities are known here. */
static bool is_known(uint32_t abi)
{
    return abi == SCMP_ARCH_X86_64 || abi == SCMP_ARCH_X86 || abi == SCMP_ARCH_X32 ||
           abi == SCMP_ARCH_AARCH64 || abi == SCMP_ARCH_ARM || abi == SCMP_ARCH_RISCV64;
}

static int compile(struct asm_program *p, const struct seccomp_policy *policy)
{
    asm_label killed = asm_return(p, SCMP_ACT_KILL_THREAD), next = killed, code;

    for (size_t i = policy->abi_count; i-- > 0;) {
        uint32_t abi = policy->abis[i];
        int r;

        if (!is_known(abi))
            return -ENOTSUP;
        if (abi == SCMP_ARCH_X32)
            continue;
        r = abi == SCMP_ARCH_X86_64 ? x86_64_code(p, policy, killed, &code)
                                    : abi_code(p, policy, abi, &code);
        if (r < 0)
            return r;
        code = asm_load(p, offsetof(struct seccomp_data, nr), code);
        next = asm_jump(p, BPF_JEQ, abi, code, next);
    }
    asm_load(p, offsetof(struct seccomp_data, arch), next);
    return 0;
}

/* --- libseccomp's program --------------------------------------------------------------------- */

/* ENOSYS for newer calls, else on to the program. */
static asm_label newer_code(struct asm_program *p, const struct seccomp_policy *policy,
                            uint32_t abi, asm_label program)
{
    uint32_t newer = first_newer(policy, abi);

    if (!newer)
        return program;
    return asm_jump(p, BPF_JGE, newer, asm_return(p, SCMP_ACT_ERRNO(ENOSYS)), program);
}

/* libseccomp does not know of newer calls, so they are sorted out before its program. */
static int compile_with_lib(struct asm_program *p, const struct seccomp_policy *policy,
                            struct err *err)
{
    cleanup_buf struct buf lib = {0};
    asm_label program, next;

    if (seccomp_policy_lib(policy, &lib, err) < 0)
        return -err->code;
    program =
        asm_program(p, (const struct sock_filter *)lib.data, lib.len / sizeof(struct sock_filter));
    if (!policy->newer_is_enosys)
        return 0;
    next = program;
    for (size_t i = policy->abi_count; i-- > 0;) {
        uint32_t abi = policy->abis[i];
        asm_label code;

        if (abi == SCMP_ARCH_X32)
            continue;
        code = newer_code(p, policy, abi, program);
        if (abi == SCMP_ARCH_X86_64)
            code =
                asm_jump(p, BPF_JGE, X32_BIT, newer_code(p, policy, SCMP_ARCH_X32, program), code);
        if (code == program)
            continue;
        code = asm_load(p, offsetof(struct seccomp_data, nr), code);
        next = asm_jump(p, BPF_JEQ, abi, code, next);
    }
    asm_load(p, offsetof(struct seccomp_data, arch), next);
    return 0;
}

int seccomp_policy_compile(const struct seccomp_policy *policy, struct buf *ret, struct err *err)
{
    cleanup_with(asm_free) struct asm_program p = {0}, with_lib = {0};
    struct asm_program *made = &p;

    if (compile(&p, policy) < 0) {
        made = &with_lib;
        if (compile_with_lib(made, policy, err) < 0)
            return -err->code;
    }
    if (made->len > BPF_MAXINSNS)
        return err_set(err, E2BIG,
                       "the syscall filter has %zu instructions, and the kernel takes %d",
                       made->len, BPF_MAXINSNS);
    asm_finish(made, ret);
    return 0;
}
