/* The table of commands against itself: what help, parser and dispatcher rely on. */
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/progress.h"

START_TEST(every_command_says_what_it_is)
{
    for (int i = 0; cli_commands[i]; i++) {
        const struct command *c = cli_commands[i];

        ck_assert_ptr_nonnull(c->paths[0]);
        ck_assert_msg(c->summary && *c->summary, "%s has no summary", c->paths[0]);
        ck_assert_msg(c->arguments, "%s has no usage", c->paths[0]);
        ck_assert_msg(c->run, "%s has no function", c->paths[0]);
        ck_assert_msg(c->flags, "%s has no table of flags", c->paths[0]);
        ck_assert_msg(!c->flags->name || str_starts(c->arguments, "[OPTIONS]"),
                      "%s has flags and does not say so", c->paths[0]);
        ck_assert_int_le(c->min_args, c->max_args < 0 ? c->min_args : c->max_args);
    }
}
END_TEST

START_TEST(no_command_is_there_twice_and_every_group_is_known)
{
    for (int i = 0; cli_commands[i]; i++)
        for (int k = 0; cli_commands[i]->paths[k]; k++) {
            char words[2][32] = {"", ""};
            char *argv[] = {words[0], words[1], NULL};
            const struct command *found = NULL;
            const char *path = NULL;
            int n = sscanf(cli_commands[i]->paths[k], "%31s %31s", words[0], words[1]);

            argv[n] = NULL;
            ck_assert_int_eq(cli_find_command(argv, &found, &path), n);
            ck_assert_ptr_eq(found, cli_commands[i]);
            if (n == 2)
                ck_assert_ptr_nonnull(cli_find_group(words[0]));
        }
}
END_TEST

START_TEST(an_alias_goes_by_the_first_name_of_its_group)
{
    char group[] = "container", alias[] = "list", *words[] = {group, alias, NULL};
    const struct command *found;
    const char *path;

    ck_assert_int_eq(cli_find_command(words, &found, &path), 2);
    ck_assert_str_eq(path, "container ls");
}
END_TEST

/* One program of ours says it to another; people never do. */
static bool said_by_programs(const struct flag *flag)
{
    return !strcmp(flag->name, "part-of") || !strcmp(flag->name, "again");
}

START_TEST(flags_of_a_command_do_not_collide)
{
    for (int i = 0; cli_commands[i]; i++)
        for (const struct flag *a = cli_commands[i]->flags; a->name; a++) {
            ck_assert_msg(a->kind == FLAG_BOOL || a->word, "--%s has no word for its value",
                          a->name);
            ck_assert_msg(a->help || a->alias_of || said_by_programs(a), "--%s has no help",
                          a->name);
            for (const struct flag *b = a + 1; b->name; b++) {
                ck_assert_msg(strcmp(a->name, b->name), "%s: --%s twice", cli_commands[i]->paths[0],
                              a->name);
                ck_assert_msg(!a->letter || a->letter != b->letter, "%s: -%c twice",
                              cli_commands[i]->paths[0], a->letter);
            }
        }
}
END_TEST

/* What help_command() prints for a command; the caller frees. */
static char *help_of(const struct command *command)
{
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);
    struct buf text = {0};
    struct err err = {0};

    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    help_command(command, command->paths[0]);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    lseek(fileno(file), 0, SEEK_SET);
    ck_assert_int_eq(file_load_fd(fileno(file), 1 << 20, &text, &err), 0);
    fclose(file);
    return buf_steal(&text);
}

START_TEST(help_shows_every_flag)
{
    for (int i = 0; cli_commands[i]; i++) {
        cleanup_free char *help = help_of(cli_commands[i]);

        for (const struct flag *f = cli_commands[i]->flags; f->name; f++) {
            cleanup_free char *label = str_format("--%s ", f->name);

            ck_assert_msg(!f->help || strstr(help, label), "%s --help does not show %s",
                          cli_commands[i]->paths[0], label);
        }
        ck_assert_ptr_nonnull(strstr(help, cli_commands[i]->summary));
    }
}
END_TEST

START_TEST(help_has_dockers_layout)
{
    cleanup_free char *help = help_of(&command_rm);

    ck_assert_str_eq(help,
                     "Usage:  cooper container rm [OPTIONS] CONTAINER [CONTAINER...]\n"
                     "\n"
                     "Remove one or more containers\n"
                     "\n"
                     "Aliases:\n"
                     "  cooper container rm, cooper container remove, cooper rm\n"
                     "\n"
                     "Options:\n"
                     "  -f, --force     Force the removal of a running container (uses SIGKILL)\n"
                     "  -v, --volumes   Remove anonymous volumes associated with the container\n");
}
END_TEST

START_TEST(a_bar_shows_how_far_a_layer_is)
{
    cleanup_buf struct buf wide = {0}, narrow = {0};

    progress_bar(21490000, 71030000, 120, &wide);
    ck_assert_str_eq(wide.data,
                     "[===============>                                  ]  21.49MB/71.03MB");
    progress_bar(71030000, 71030000, 80, &narrow);
    ck_assert_str_eq(narrow.data, "71.03MB/71.03MB");
}
END_TEST

SUITE(cli_commands)
{
    TCase *t = tcase_create("table");

    tcase_add_test(t, every_command_says_what_it_is);
    tcase_add_test(t, no_command_is_there_twice_and_every_group_is_known);
    tcase_add_test(t, an_alias_goes_by_the_first_name_of_its_group);
    tcase_add_test(t, flags_of_a_command_do_not_collide);
    tcase_add_test(t, help_shows_every_flag);
    tcase_add_test(t, help_has_dockers_layout);
    tcase_add_test(t, a_bar_shows_how_far_a_layer_is);
    suite_add_tcase(suite, t);
}
