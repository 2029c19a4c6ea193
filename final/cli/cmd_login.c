/* login and logout, in the program cooper-image. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/commands.h"
#include "registry/registry.h"

#define SECRET_MAX (1u << 20)
#define HUB        "https://index.docker.io/v1/"

/* What is known so far of who logs in where. */
struct login {
    char *domain;
    char *username, *password; /* NULL: not known */
    bool known;                /* what is kept already is tried */
};

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void login_free(struct login *l)
{
    free(l->domain);
    free(l->username);
    wipe(l->password);
}

/* --- asking ----------------------------------------------------------------------------------- */

static char *read_line(void)
{
    char *line = NULL;
    size_t room = 0;

    if (getline(&line, &room, stdin) < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

static struct termios audible; /* the terminal's settings, while it shows nothing */

/* A handler: a shell must not be left with a terminal that is mute. */
static void show_and_die(int sig)
{
    tcsetattr(STDIN_FILENO, TCSADRAIN, &audible);
    raise(sig); /* SA_RESETHAND: comes now, and ends us */
}

static void set_handlers(struct sigaction old[], const struct sigaction *new)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], new ? new : &old[i], new ? &old[i] : NULL);
}

/* The terminal shows nothing of what is typed. */
static char *read_secret(void)
{
    const struct sigaction show = {.sa_handler = show_and_die, .sa_flags = (int)SA_RESETHAND};
    struct sigaction old[4];
    struct termios silent;
    char *line;

    if (tcgetattr(STDIN_FILENO, &audible) < 0)
        return read_line();
    set_handlers(old, &show);
    silent = audible;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &silent);
    line = read_line();
    tcsetattr(STDIN_FILENO, TCSADRAIN, &audible);
    set_handlers(old, NULL);
    putchar('\n');
    return line;
}

static int ask(struct login *l, const char *suggestion, struct err *err)
{
    if (!isatty(STDIN_FILENO))
        return err_set(err, EINVAL,
                       "Error: Cannot perform an interactive login from a non TTY device");
    if (!l->username) {
        printf("Username%s%s%s: ", suggestion ? " (" : "", suggestion ? suggestion : "",
               suggestion ? ")" : "");
        fflush(stdout);
        l->username = read_line();
        if (l->username && !*l->username && suggestion) {
            free(l->username);
            l->username = str_copy(suggestion);
        }
    }
    if (!l->username || !*l->username)
        return err_set(err, EINVAL, "Error: Non-null Username Required");
    printf("Password: ");
    fflush(stdout);
    l->password = read_secret();
    if (!l->password || !*l->password)
        return err_set(err, EINVAL, "Error: Password Required");
    return 0;
}

/* All of stdin but the end of its last line. */
static int read_password(struct login *l, struct err *err)
{
    struct buf text = {0};
    size_t n;

    if (file_load_fd(STDIN_FILENO, SECRET_MAX, &text, err) < 0)
        return -err->code;
    n = text.len;
    while (n && strchr("\r\n", text.data[n - 1]))
        n--;
    l->password = str_copy_n(text.data ? text.data : "", n);
    if (text.data)
        explicit_bzero(text.data, text.len);
    buf_free(&text);
    return 0;
}

static int check_flags(const struct options *o, struct err *err)
{
    if (!options_flag(o, "password-stdin")) {
        if (options_given(o, "password"))
            fputs("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n",
                  stderr);
        return 0;
    }
    if (options_given(o, "password"))
        return err_set(err, EINVAL,
                       "conflicting options: cannot specify both --password and --password-stdin");
    if (!options_given(o, "username") || !*options_one(o, "username"))
        return err_set(err, EINVAL, "the --password-stdin option requires --username to be set");
    return 0;
}

/* From the flags; from what is kept; from whoever sits there. */
static int find_out(struct login *l, const struct options *o, struct err *err)
{
    cleanup_free char *known = NULL;
    int r = check_flags(o, err);

    if (r < 0)
        return r;
    l->username = str_copy(options_one(o, "username"));
    l->password = str_copy(options_one(o, "password"));
    if (options_flag(o, "password-stdin"))
        r = read_password(l, err);
    if (r < 0 || (l->username && l->password && *l->password))
        return r;
    wipe(steal_ptr(&l->password));
    r = registry_known_user(l->domain, &known, err);
    if (r < 0)
        return r;
    l->known = known && !l->username;
    if (!l->known)
        return ask(l, known, err);
    fprintf(stderr,
            "Authenticating with existing credentials... [Username: %s]\n\n"
            " Info -> To login with a different account, run '" PROGRAM
            " logout' followed by '" PROGRAM " login'\n\n\n",
            known);
    return 0;
}

/* --- login ------------------------------------------------------------------------------------ */

/* Whoever has been told where passwords go is not told again. */
static int remember(const struct login *l, const char *token, struct err *err)
{
    cleanup_free char *file = NULL, *before = NULL;

    if (l->known)
        return 0;
    if (registry_known_user(l->domain, &before, err) < 0 ||
        registry_remember(l->domain, l->username, l->password, token, &file, err) < 0)
        return -err->code;
    if (file && !before)
        fprintf(stderr,
                "\nWARNING! Your credentials are stored unencrypted in '%s'.\n"
                "Configure a credential helper to remove this warning. See\n"
                "https://docs.docker.com/go/credential-store/\n\n",
                file);
    return 0;
}

static int log_in(const struct login *l, struct err *err)
{
    const struct registry_options options = {0};
    char *token = NULL;
    int r = registry_login(l->domain, l->username, l->password, &options, &token, err);

    if (!r && remember(l, token, err) < 0) {
        r = -err->code;
        err_wrap(err, "the registry took the credentials");
    }
    wipe(token);
    return r;
}

int cmd_login(struct cli *cli)
{
    cleanup_with(login_free) struct login l = {0};
    struct err err = {0};

    l.domain = registry_domain(cli->options.args[0] ? cli->options.args[0] : HUB);
    if (find_out(&l, &cli->options, &err) < 0)
        return cli_fail(cli, &err);
    if (log_in(&l, &err) < 0)
        return cli_engine_fail(cli, &err);
    puts("Login Succeeded");
    return 0;
}

/* --- logout ----------------------------------------------------------------------------------- */

int cmd_logout(struct cli *cli)
{
    cleanup_free char *domain = registry_domain(cli->options.args[0] ? cli->options.args[0] : HUB);
    struct err err = {0};
    bool found;

    printf("Removing login credentials for %s\n", str_equal(domain, "docker.io") ? HUB : domain);
    if (registry_forget(domain, &found, &err) < 0)
        return cli_fail(cli, &err);
    return 0;
}
