/* Which devices, version 2: an eBPF program on the group's directory (BPF_PROG_TYPE_CGROUP_DEVICE,
 * Linux 4.15), written here by hand:
 *
 *     r2 = type, r3 = access asked for, r4 = major, r5 = minor
 *     for each rule, the last one first (later rules override earlier ones):
 *         skip it unless type, access, major and minor fit; else return its verdict
 */
#include "runtime/cgroup_device.h"

#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/cgroup_plan.h"

#define RULE_INSNS 10 /* at most, see add_rule_code() */

#define INSN(c, d, s, o, i)                                                                        \
    ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD32(dst, from, offset) INSN(BPF_LDX | BPF_MEM | BPF_W, dst, from, offset, 0)
#define MOVE(dst, src)            INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, value)           INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value)
#define AND(dst, value)           INSN(BPF_ALU64 | BPF_AND | BPF_K, dst, 0, 0, value)
#define SHIFT_RIGHT(dst, bits)    INSN(BPF_ALU64 | BPF_RSH | BPF_K, dst, 0, 0, bits)
#define IF_NOT(reg, value)        INSN(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, value)
#define IF_EQUAL(reg, value)      INSN(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, 0, value)
#define RETURN                    INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Tests of one rule, each jumping behind it (the distance is filled in at the end), then the
 * verdict. */
static size_t add_rule_code(struct bpf_insn *code, const struct device_rule *rule)
{
    int bits = device_access_bits(rule->access);
    size_t n = 0;

    if (rule->type != 'a')
        code[n++] = IF_NOT(BPF_REG_2, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    if (bits != DEVICE_ALL) {
        /* Allowed is what asks for nothing else; denied is what asks for any of it. */
        code[n++] = MOVE(BPF_REG_1, BPF_REG_3);
        code[n++] = AND(BPF_REG_1, rule->allow ? ~bits : bits);
        code[n++] = rule->allow ? IF_NOT(BPF_REG_1, 0) : IF_EQUAL(BPF_REG_1, 0);
    }
    if (rule->major >= 0)
        code[n++] = IF_NOT(BPF_REG_4, (int)rule->major);
    if (rule->minor >= 0)
        code[n++] = IF_NOT(BPF_REG_5, (int)rule->minor);
    code[n++] = SET(BPF_REG_0, rule->allow);
    code[n++] = RETURN;
    for (size_t i = 0; i < n; i++)
        if (BPF_CLASS(code[i].code) == BPF_JMP && BPF_OP(code[i].code) != BPF_EXIT)
            code[i].off = (short)(n - i - 1);
    return n;
}

static size_t write_program(const struct device_rules *rules, struct bpf_insn *code)
{
    size_t n = 0;

    code[n++] = LOAD32(BPF_REG_2, BPF_REG_1, 0);
    code[n++] = LOAD32(BPF_REG_4, BPF_REG_1, 4);
    code[n++] = LOAD32(BPF_REG_5, BPF_REG_1, 8);
    code[n++] = MOVE(BPF_REG_3, BPF_REG_2);
    code[n++] = SHIFT_RIGHT(BPF_REG_3, 16);
    code[n++] = AND(BPF_REG_2, 0xffff);
    for (size_t i = rules->len; i-- > 0;) {
        n += add_rule_code(code + n, &rules->items[i]);
        if (device_rule_covers_all(&rules->items[i]))
            return n; /* nothing behind it can be reached, and the verifier refuses dead code */
    }
    code[n++] = SET(BPF_REG_0, 1);
    code[n++] = RETURN;
    return n;
}

/* --- loading and attaching -------------------------------------------------------------------- */

#define PROGRAM_NAME "cooper_devices" /* at most 15 characters; bpftool(8) shows it */

static int bpf_call(int command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

/* Since 4.20 the verifier gives up with EAGAIN when a signal is pending. The next call begins after
 * the signal was handled; libbpf(3) tries five times, too. */
#define LOAD_TRIES 5

static int load_patiently(union bpf_attr *load)
{
    int program = -1;

    for (int i = 0; i < LOAD_TRIES && program < 0; i++) {
        program = bpf_call(BPF_PROG_LOAD, load);
        if (program < 0 && errno != EAGAIN)
            break;
    }
    return program;
}

static int load_program(const struct device_rules *rules)
{
    cleanup_free struct bpf_insn *code = mem_alloc((rules->len * RULE_INSNS + 8) * sizeof *code);
    union bpf_attr load = {0};

    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insn_cnt = (unsigned)write_program(rules, code);
    load.insns = (uint64_t)(uintptr_t)code;
    load.license = (uint64_t)(uintptr_t) "MIT";
    strcpy(load.prog_name, PROGRAM_NAME);
    return load_patiently(&load);
}

static bool is_ours(int program)
{
    struct bpf_prog_info info = {0};
    union bpf_attr attr = {0};

    attr.info.bpf_fd = (unsigned)program;
    attr.info.info_len = sizeof info;
    attr.info.info = (uint64_t)(uintptr_t)&info;
    return !bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr) && !strcmp(info.name, PROGRAM_NAME);
}

/* The program an earlier call attached, opened, or -1. Others (systemd attaches its own) stay: all
 * of them must agree to an access. */
static int attached_program(int cgroup_dir)
{
    unsigned ids[64];
    union bpf_attr query = {0};

    query.query.target_fd = (unsigned)cgroup_dir;
    query.query.attach_type = BPF_CGROUP_DEVICE;
    query.query.prog_ids = (uint64_t)(uintptr_t)ids;
    query.query.prog_cnt = sizeof ids / sizeof *ids;
    if (bpf_call(BPF_PROG_QUERY, &query) < 0)
        return -1;
    for (unsigned i = 0; i < query.query.prog_cnt; i++) {
        union bpf_attr open_it = {.prog_id = ids[i]};
        int program = bpf_call(BPF_PROG_GET_FD_BY_ID, &open_it);

        if (program >= 0 && is_ours(program))
            return program;
        close_fd(&program);
    }
    return -1;
}

/* Replaced in one step (Linux 5.6): at no moment is there none. */
static int attach_program(int program, int old, int cgroup_dir)
{
    union bpf_attr attach = {0};

    attach.target_fd = (unsigned)cgroup_dir;
    attach.attach_bpf_fd = (unsigned)program;
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    if (old >= 0) {
        attach.attach_flags |= BPF_F_REPLACE;
        attach.replace_bpf_fd = (unsigned)old;
    }
    return bpf_call(BPF_PROG_ATTACH, &attach);
}

/* An ordinary user may not load such a program, and has no need of it: his containers are in a user
 * namespace, where nobody can make a device node, and what can be opened is what the host put
 * there, with the host's permissions. */
static bool is_needless(int code)
{
    return code == EPERM && cgroup_is_ordinary_user();
}

int device_rules_write_v2(const struct cgroup *cg, const json_t *resources, bool update,
                          struct err *err)
{
    cleanup_with(device_rules_free) struct device_rules rules = {0};
    cleanup_close int program = -1, old = -1;

    if (update && !cgroup_wanted(resources, "devices"))
        return 0;
    if (device_rules_read(resources, &rules, err) < 0)
        return -err->code;
    program = load_program(&rules);
    if (program < 0)
        return is_needless(errno) ? 0
                                  : err_errno(err, "linux.resources.devices: cannot load the eBPF "
                                                   "program that limits them");
    if (update)
        old = attached_program(cg->dir);
    if (attach_program(program, old, cg->dir) < 0)
        return err_errno(err, "linux.resources.devices: cannot attach the eBPF program that limits "
                              "them");
    return 0;
}
