/* shim.h - cooper-shim, the one process a running container costs.
 *
 * The command that starts a container may be killed, detached or finished long before the container
 * is. So it spawns a shim, which becomes the parent of the container's init and stays until init is
 * gone:
 *
 *     cooper ──spawn──> cooper-shim ──clone──> init (PID 1 of the container)
 *        \─ attach socket ─/   \── pipes or pty ──/
 *
 * The shim creates the container through runtime/, relays its stdio to the log and to any number of
 * attached clients, reaps it, and records how it ended (exit.json) before it tells anybody. It
 * opens no database and links no library but jansson and libcap: its private memory is what a
 * container costs.
 *
 * `cooper-shim exec` is the same for one more process in a running container: no log, no record,
 * one client.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/proc.h"
#include "base/str.h"

struct shim_options {
    bool exec;       /* a further process in a running container */
    bool open_stdin; /* keep a stdin pipe, else /dev/null */
    bool stdin_once; /* close it when the first client goes */
    bool volumes;    /* it has some: their names are in shim.json */
    bool health;     /* it is checked: how is in shim.json */
    bool remove;     /* --rm: if no client is there at the end, have the container removed */
    const char *id;
    const char *dir;     /* containers/<id>, absolute */
    const char *run;     /* run/<id>, absolute */
    const char *root;    /* the state directory */
    const char *runtime; /* another OCI runtime, or NULL */
    const char *cooper;  /* the program that removes (--rm) or starts again */
    const char *exec_id; /* exec: what its events call it */
    unsigned long long restarts, restart_delay; /* by the policy so far; its last delay in ms */
    const char *log;                            /* its driver, "json-file" */
    bool log_plan;                              /* with options: they are in shim.json */
    const char *gzip; /* the program that compresses old log files, or NULL */
    unsigned long long init_pid, init_start; /* exec: the container's init */
    const char *user;                        /* exec: whom to look up, or NULL */
    unsigned long long rows, columns;
    bool attached; /* descriptor SHIM_ATTACH_FD is a client */
    bool leash;    /* and without it there shall be no container (steps of a build) */
    int order_fd;  /* what came with the order */
    const char
        *join; /* "network,ipc": the first of the further descriptors are namespaces to join */
    bool rules_socket;              /* the next one is the socket for the rules */
    unsigned long long shm_size;    /* a /dev/shm that others may share; 0: the container's own */
    unsigned long long descriptors; /* how many come behind the order */
    int *fds;                       /* these */
};

/* Descriptors the spawner gives. On the first one comes the order: one packet of NUL-terminated
 * arguments with a descriptor (run: the locked run/<id>; exec: a file with the OCI process object),
 * and goes the report. */
#define SHIM_REPORT_FD 3
#define SHIM_ATTACH_FD 4
#define SHIM_ORDER_MAX 65536
/* In run/<id>/, by the engine: another container has joined this one's network, and may outlive it.
 */
#define SHIM_NETWORK_SHARED "network.shared"
/* Behind the order, if it says so: packets with at most this many descriptors each. */
#define SHIM_FDS_A_PACKET 200

/* The answer on SHIM_REPORT_FD: the program runs, or why it does not. */
struct shim_report {
    int32_t code;        /* errno, 0: started */
    int32_t exit_status; /* 125, 126, 127 with an error */
    int32_t shim_pid, init_pid;
    uint64_t shim_start, init_start;
    int64_t started_ns;
    char message[ERR_MESSAGE_MAX];
};

/* --- shim/report.c: the answer, once */
void shim_report(const struct shim_report *message);
void shim_report_failure(const struct err *err);

/* --- shim/options.c */

/* Waits for the order, text of at most `size` bytes; ends this process when there will be none. */
size_t shim_receive_order(char *text, size_t size, int *ret_fd);
void shim_parse_options(char *text, size_t len, struct shim_options *ret);
/* Receives what the options promise; ends this process where the engine is gone. */
void shim_receive_descriptors(struct shim_options *options);

/* --- shim/log.c, see shim/log.h and engine/log_format.h */

struct shim_log;
/* NULL for --log-driver none. */
struct shim_log *shim_log_new(const struct shim_options *options);
/* stream 1 or 2. Splits into lines; a line longer than 16 KiB becomes several entries, as docker's.
 * A disk that is full loses log lines, never the container. */
void shim_log_write(struct shim_log *log, int stream, const char *data, size_t len);
/* The last line without a newline, too; all is stored when it returns. */
void shim_log_flush(struct shim_log *log);
/* A process that compresses old files: its pidfd (-1: none), and what to do when that has ended. */
int shim_log_child(const struct shim_log *log);
void shim_log_reap(struct shim_log *log);
void shim_log_end(struct shim_log *log); /* waits for it */
/* As a JSON string, whatever the bytes. */
json_t *shim_log_text(const char *data, size_t len);

/* --- shim/relay.c: stdio between container, log and clients ----------------------------------- */

struct shim_relay;
struct shim_network;
struct shim_health;
struct shim_stdio {
    int in;       /* write end to the container's stdin, or -1 */
    int out, err; /* read ends; with a terminal all of it is `console` and these are -1 */
    int console;
};
/* Takes over the descriptors. listen_fd -1: nobody else may attach. */
struct shim_relay *shim_relay_new(const struct shim_options *options,
                                  const struct shim_stdio *stdio, int listen_fd,
                                  struct shim_network *network, struct shim_health *health,
                                  struct shim_log *log);
void shim_relay_add_client(struct shim_relay *relay, int fd);
/* Relays until the process behind pidfd is gone and everything it wrote has reached the log. */
int shim_relay_run(struct shim_relay *relay, int pidfd, struct err *err);
/* Tells every client the exit status, behind the output it has not taken yet; does not wait. */
void shim_relay_announce(struct shim_relay *relay, int exit_code, bool oom_killed);
/* Hands every client what is left, waiting for slow ones, and closes. */
void shim_relay_finish(struct shim_relay *relay);
/* True while a client that was attached from the start is still connected. */
bool shim_relay_owner_present(const struct shim_relay *relay);

/* --- shim/process.c: the shim's children */

/* The ends that are ours and the descriptors that become the process's; -1: none. */
int shim_prepare_stdio(const struct shim_options *options, bool terminal, struct shim_stdio *ret,
                       int ret_theirs[3], struct err *err);
void shim_close_theirs(int theirs[3]);
/* 0-255 as a shell would say it: the exit status, or 128 + signal. */
int shim_reap(pid_t pid);

/* --- shim/exec.c: one more process in a running container */

struct shim_spawn {
    struct proc_id init;            /* of the container */
    const json_t *config, *process; /* its config.json; what to run, an OCI process object */
    const char *user;               /* whom to look up, or NULL */
    int stdio[3];                   /* the caller's to close; -1: /dev/null */
};
#define SHIM_SPEC_MAX (4u << 20)
/* In containers/<id>/: linux.seccomp for another runtime. */
#define SHIM_SECCOMP_FILE "seccomp.json"
json_t *shim_load_config(const struct shim_options *options, struct err *err);
int shim_spawn(const struct shim_options *options, const struct shim_spawn *what, pid_t *ret_pid,
               int *ret_console, struct err *err);
int shim_open_child(pid_t pid, struct err *err); /* a pidfd of a child of ours */
/* All of `cooper-shim exec` after its order. */
int shim_exec(const struct shim_options *options, struct err *err);

/* --- shim/network.c: networks, see network/network.h ------------------------------------------ */

struct pollfd;
/* Reads the plan and takes the sockets over; *ret is NULL where there is no plan (none, host,
 * another container's). */
int shim_network_new(const struct shim_options *options, const int *fds, size_t count,
                     struct shim_network **ret, struct err *err);
/* Plugs the container in, once its namespace is there; NULL is fine for this and all others. */
int shim_network_plug(struct shim_network *network, pid_t init, struct err *err);
void shim_network_reload(struct shim_network *network); /* the plan has changed */
size_t shim_network_room(const struct shim_network *network);
size_t shim_network_poll(struct shim_network *network, struct pollfd *p, size_t room,
                         int *timeout_ms);
void shim_network_serve(struct shim_network *network, const struct pollfd *p, size_t count);
void shim_network_down(struct shim_network *network);
void shim_network_forget(struct shim_network *network);
void shim_network_tell_end(const struct shim_network *network); /* "network disconnect" */

/* --- shim/health.c: see shim/health.h */

struct shim_container;
/* NULL where nothing is to be checked, which is fine for all others. */
struct shim_health *shim_health_new(const struct shim_options *options,
                                    const struct shim_container *c);
void shim_health_poll(const struct shim_health *health, struct pollfd *p, int *timeout_ms);
void shim_health_serve(struct shim_health *health, const struct pollfd *p);
void shim_health_end(struct shim_health *health);

/* --- shim/volumes.c */

/* Before the container is made; a volume that is a mount stays mounted from here on. */
int shim_hold_volumes(const struct shim_options *options, struct err *err);
void shim_release_volumes(void);
void shim_tell_volumes(const struct shim_options *options);

/* --- shim/record.c: what outlives the shim
 * -------------------------------------------------------- */

/* run/<id>/pids: this shim and its init, with start times. Written while init is at its mounts, but
 * put in its place only when it is done with them: whoever finds it joins what init has, and until
 * then that is the host's root. */
#define SHIM_PIDS_NEW "pids.new"
int shim_prepare_pids(const struct shim_options *options, pid_t init,
                      struct shim_report *ret_report, struct err *err);
int shim_record_pids(const struct shim_options *options, struct err *err);
/* containers/<id>/exit.json. restart_delay_ms not 0: this process is going to start it again. */
struct shim_end {
    int exit_code;
    bool oom_killed;
    int restart_delay_ms;
    int64_t finished_ns;
};
/* Before the start, so that there is room for it whatever happens. */
int shim_reserve_exit(const struct shim_options *options, struct err *err);
int shim_record_exit(const struct shim_options *options, const struct shim_end *end,
                     struct err *err);

/* --- shim/shm.c: with --shm-size */
int shim_make_shm(const struct shim_options *options, struct err *err);
void shim_remove_shm(const struct shim_options *options);

/* --- shim/restart.c
 * ----------------------------------------------------------------------------
 */

long long shim_clock_ms(void); /* CLOCK_MONOTONIC */
/* How long to wait before the container that ended is started again; 0: it is not. */
int shim_restart_delay(const struct shim_options *options, int exit_code, long long ran_ms);
/* Waits and becomes the starting command. Returns when the container is not to be started after
 * all: somebody stopped it or changed the policy. */
void shim_restart(const struct shim_options *options, int exit_code, int delay_ms);

/* --- shim/events.c: what the container's events are made of is in containers/<id>/shim.json --- */

/* The whole document; NULL when the container was removed under us. */
json_t *shim_load_file(const struct shim_options *options);
/* With one more attribute (NULL: none). */
void shim_event(const struct shim_options *options, const char *action, const char *name,
                const char *value);
/* An event of a network, about this container. */
void shim_network_event(const struct shim_options *options, const char *action,
                        const char *network_id, const char *name);
void shim_volume_event(const struct shim_options *options, const char *action, const char *name);
/* The same for the process of `exec`: "exec_die". */
void shim_exec_event(const struct shim_options *options, const char *action, int exit_code);
