/* grade.h - the judge: checks on a keg that somebody wrote, in whatever language.
 *
 * Theory of operation. The judge makes a small root with a program of its own in it, the probe, and
 * lets the keg under test run that. The probe's standard input is a socket. Each packet that comes
 * back carries the process ID of its sender, put there by the kernel and translated into the
 * judge's view; and /proc/PID/exe shows that it is the probe. So the judge has the real process
 * inside, and reads in /proc what the kernel knows of it: its namespaces, capabilities, mounts,
 * cgroups. What the keg prints is never looked at, except to quote it when a check fails. */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

extern struct grade {
    int step;        /* checks of this step and all before it apply */
    int exercise;    /* of that step's chapter; 0: none */
    const char *bin; /* the keg under test */
    bool is_root;
    char *directory; /* of this run, removed at the end */
    char *root;      /* the root file system: directory/root */
    char *store;     /* KEG_STORE: where images are unpacked */
    char *secret;    /* a file of the host that nobody inside may see: directory/secret */
} grade;

/* One check: a title that states what must be so, and a function that fails with explain(). */
struct check {
    const char *title;
    void (*run)(void);
    bool needs_root;
};
/* What an exercise of a chapter asks for, on top of the step's own checks; number 0 ends the list.
 */
struct exercise {
    int number;
    struct check check;
};
extern const struct exercise exercises_1[], exercises_2[], exercises_3[], exercises_4[],
    exercises_5[], exercises_6[];

extern const struct check checks_1[], checks_2[], checks_3[], checks_4[], checks_5[], checks_6[];

/* Ends the check as failed. `look` says where to read on. */
[[gnu::noreturn]] void explain(const char *expected, const char *look, const char *seen, ...)
    __attribute__((format(printf, 3, 4)));
/* For what goes wrong with the judge itself. */
[[gnu::noreturn]] void broken(const char *what, ...) __attribute__((format(printf, 1, 2)));

/* --- a running keg ---------------------------------------------------------------------------- */

struct keg {
    pid_t pid;    /* of the keg under test */
    pid_t inside; /* of the probe in it */
    int socket;   /* the other end of the probe's stdin */
    char *output; /* the file with what the keg printed */
};

/* Runs `bin OPTIONS ROOT COMMAND`; the lists end with NULL. Does not wait for the command. */
void keg_run(struct keg *ret, const char *const options[], const char *root,
             const char *const command[]);
/* Runs the probe in grade.root and waits until it has spoken. The arguments are options. */
void keg_probe(struct keg *ret, const char *const options[]);
#define PROBE(ret, ...) keg_probe(ret, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
/* Waits for the first packet. */
void keg_await(struct keg *k);
/* One request to the probe and its answer (in a static buffer). NULL: it ended instead. */
const char *keg_ask(struct keg *k, const char *request);
/* Waits for the keg's end; the code as a shell shows it. -1 after some seconds. */
int keg_wait(struct keg *k);
/* Tells the probe to end, and waits. */
int keg_end(struct keg *k);
/* Ends those that this check has not waited for. */
void keg_end_all(void);
/* Runs a command without probe to its end. */
int keg_code(const char *root, const char *command);
/* What the keg printed, for an explanation (static buffer). */
const char *keg_words(const struct keg *k);

/* --- facts ------------------------------------------------------------------------------------ */

/* A line of /proc/PID/status, without its name (static buffer, "" if there is none). */
const char *fact_status(pid_t pid, const char *name);
unsigned long long fact_capabilities(pid_t pid, const char *set);
/* The number of a namespace: "mnt", "pid", ...; pid 0: the judge's own. */
unsigned long long fact_namespace(pid_t pid, const char *kind);
/* Last number of NSpid: the process ID inside. */
int fact_inner_pid(pid_t pid);
/* A path as the process sees it: /proc/PID/root + path. */
char *fact_path(pid_t pid, const char *path);
bool fact_sees(pid_t pid, const char *path);
/* A whole file; empty if there is none (the caller frees). */
char *fact_file(const char *path);
bool fact_same_content(const char *a, const char *b);
/* Waits until the process is gone or a zombie; false after some seconds. */
bool fact_gone(int pidfd);
int fact_pidfd(pid_t pid);
/* How long the judge waits for one thing. */
int fact_patience_ms(void);
/* Tries `holds` again and again for some seconds; for what no descriptor announces. */
bool fact_becomes(bool (*holds)(void *), void *context);

/* --- control groups --------------------------------------------------------------------------- */

bool group_is_v2(void);
/* The path in the line of /proc/PID/cgroup that names the controller; of version 2 there is one
 * line. These strings are the caller's. */
char *group_path(pid_t pid, const char *controller);
char *group_directory(pid_t pid, const char *controller);
/* What stands in the file of this name, which differs between the versions. */
char *group_file(pid_t pid, const char *controller, const char *v2, const char *v1);
