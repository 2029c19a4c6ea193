/* Which devices a container may open and make.
 *
 * A device node is only a name for a driver: whoever may mknod(2) (docker's containers may) can
 * name the host's disk. The device controller stands at open(2) and mknod(2) and decides by type,
 * number and kind of access. Version 1 keeps a list in the kernel (devices.allow, devices.deny);
 * version 2 asks an eBPF program attached to the group (BPF_PROG_TYPE_CGROUP_DEVICE, Linux 4.15),
 * written here by hand:
 *
 *     r2 = access and type asked for, r4 = major, r5 = minor
 *     for each rule, the last one first (later rules override earlier ones):
 *         skip it unless type, access, major and minor fit; else return its verdict
 *     return 1
 */
#include "runtime/cgroup_parts.h"

#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

static const struct device_rule defaults[] = {
    {true, 'c', -1, -1, "m"}, /* any node may be made: opening it is another matter */
    {true, 'b', -1, -1, "m"},    {true, 'c', 1, 3, "rwm"}, /* null */
    {true, 'c', 1, 5, "rwm"},                              /* zero */
    {true, 'c', 1, 7, "rwm"},                              /* full */
    {true, 'c', 1, 8, "rwm"},                              /* random */
    {true, 'c', 1, 9, "rwm"},                              /* urandom */
    {true, 'c', 5, 0, "rwm"},                              /* tty: the process's own terminal */
    {true, 'c', 5, 2, "rwm"},                              /* ptmx */
    {true, 'c', 136, -1, "rwm"}, /* pts/N; which ones exist is the devpts mount's matter */
};

static void add_rule(struct device_rules *rules, const struct device_rule *rule)
{
    if (rules->len == rules->room) {
        rules->room = rules->room ? 2 * rules->room : 32;
        rules->items = mem_grow(rules->items, rules->room, sizeof *rules->items);
    }
    rules->items[rules->len++] = *rule;
}

void device_rules_free(struct device_rules *rules)
{
    free(rules->items);
}

static int read_rule(const json_t *item, struct device_rule *ret, struct err *err)
{
    const char *type = json_str(item, "type", "a"), *access = json_str(item, "access", "rwm");

    if (strlen(type) != 1 || !strchr("abcu", *type))
        return err_set(err, EINVAL, "linux.resources.devices: there is no type '%s'", type);
    if (!*access || strlen(access) > 3 || strspn(access, "rwm") != strlen(access))
        return err_set(err, EINVAL, "linux.resources.devices: access '%s' is not of \"rwm\"",
                       access);
    ret->allow = json_flag(item, "allow", false);
    ret->type = *type == 'u' ? 'c' : *type;
    ret->major = json_int(item, "major", -1);
    ret->minor = json_int(item, "minor", -1);
    strcpy(ret->access, access);
    return 0;
}

static bool covers_all(const struct device_rule *rule)
{
    return rule->type == 'a' && rule->major < 0 && rule->minor < 0 && strlen(rule->access) == 3;
}

int device_rules_read(const json_t *resources, struct device_rules *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_at(resources, "devices"), i, item)
    {
        struct device_rule rule = {0};

        if (read_rule(item, &rule, err) < 0)
            return -err->code;
        add_rule(ret, &rule);
        if (covers_all(&rule) && !rule.allow)
            for (size_t k = 0; k < sizeof defaults / sizeof *defaults; k++)
                add_rule(ret, &defaults[k]);
    }
    return 0;
}

/* --- the program --------------------------------------------------------------------------------
 */

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

static int access_bits(const char *access)
{
    return (strchr(access, 'r') ? BPF_DEVCG_ACC_READ : 0) |
           (strchr(access, 'w') ? BPF_DEVCG_ACC_WRITE : 0) |
           (strchr(access, 'm') ? BPF_DEVCG_ACC_MKNOD : 0);
}

/* Tests of one rule, each jumping behind it (the distance is filled in at the end), then the
 * verdict. */
static size_t add_rule_code(struct bpf_insn *code, const struct device_rule *rule)
{
    int bits = access_bits(rule->access);
    size_t n = 0;

    if (rule->type != 'a')
        code[n++] = IF_NOT(BPF_REG_2, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    if (bits != 7) {
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
        if (covers_all(&rules->items[i]))
            return n; /* nothing behind it can be reached, and the verifier refuses dead code */
    }
    code[n++] = SET(BPF_REG_0, 1);
    code[n++] = RETURN;
    return n;
}

int device_rules_attach(const struct device_rules *rules, int cgroup_dir, struct err *err)
{
    cleanup_free struct bpf_insn *code = mem_alloc((rules->len * RULE_INSNS + 8) * sizeof *code);
    union bpf_attr load = {0}, attach = {0};
    cleanup_close int program = -1;

    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insn_cnt = (unsigned)write_program(rules, code);
    load.insns = (uint64_t)(uintptr_t)code;
    load.license = (uint64_t)(uintptr_t) "MIT";
    strcpy(load.prog_name, "cooper_devices");
    program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    if (program < 0)
        return err_errno(err, "cannot load the eBPF program that limits the devices");
    attach.target_fd = (unsigned)cgroup_dir;
    attach.attach_bpf_fd = (unsigned)program;
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0)
        return err_errno(err, "cannot attach the eBPF program that limits the devices");
    return 0;
}
