/* The stages of a Dockerfile, and which of them the target needs: those it builds on, and those it
 * or they copy from or mount. The others are read, so that their mistakes are told, but not done.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/stage.h"

struct stage *plan_find(struct build *b, const char *name, size_t before)
{
    unsigned long long number;

    for (size_t i = before; i-- > 0;)
        if (b->stages[i].name && !strcasecmp(b->stages[i].name, name))
            return &b->stages[i];
    if (str_to_u64(name, &number) == 0 && number < before)
        return &b->stages[number];
    return NULL;
}

/* --- reading FROM lines ----------------------------------------------------------------------- */

static int expand(struct build *b, const char *text, struct strv *unset, char **ret,
                  struct err *err)
{
    const struct word_rules rules = {
        .env = b->globals.args, .escape = b->file.escape, .unset = unset};

    return word_expand(&rules, text, ret, err);
}

static int read_platform(struct build *b, struct stage *s, struct err *err)
{
    const char *flag = instruction_flag(s->from, "platform");
    int r = flag ? expand(b, flag, NULL, &s->platform, err) : 0;

    if (r < 0)
        return r;
    if (!flag && b->request->platform)
        s->platform = str_copy(b->request->platform);
    if (flag && !*s->platform)
        return err_set(err, EINVAL, "empty platform value from expression %s", flag);
    return 0;
}

/* FROM name [AS name] */
static int read_from(struct build *b, struct stage *s, struct err *err)
{
    cleanup_strv struct strv words = {0}, unset = {0};
    int r;

    instruction_words(s->from, &words);
    r = expand(b, words.items[0], &unset, &s->base_name, err);
    if (r < 0)
        return r;
    if (!*s->base_name)
        return err_set(err, EINVAL, "base name (%s) should not be blank%s%s", words.items[0],
                       unset.len ? ": nothing gives a value to " : "",
                       unset.len ? unset.items[0] : "");
    if (words.len == 3)
        s->name = str_copy(words.items[2]);
    s->base = plan_find(b, s->base_name, s->index);
    if (s->base && strcasecmp(s->base->name ? s->base->name : "", s->base_name))
        s->base = NULL; /* a number is no name here */
    s->scratch = !s->base && !strcmp(s->base_name, "scratch");
    return read_platform(b, s, err);
}

/* Grown before pointers into it are taken. */
static void cut_stages(struct build *b, size_t first)
{
    size_t count = 0;

    for (size_t i = first; i < b->file.count; i++)
        count += b->file.items[i].keyword == KW_FROM;
    b->stages = mem_alloc((count + 1) * sizeof *b->stages);
    for (size_t i = first; i < b->file.count; i++) {
        const struct instruction *in = &b->file.items[i];
        struct stage *s = &b->stages[b->stage_count - (in->keyword != KW_FROM)];

        if (in->keyword == KW_FROM)
            *s = (struct stage){.build = b,
                                .index = b->stage_count++,
                                .from = in,
                                .first = in + 1,
                                .file = &b->file,
                                .epoch = BUILD_NO_EPOCH};
        else
            s->count++;
    }
}

static int read_globals(struct build *b, size_t *ret_first, const struct instruction **ret_at,
                        struct err *err)
{
    size_t i = 0;
    int r = scope_predefine(b, err);

    for (; i < b->file.count && b->file.items[i].keyword == KW_ARG && r >= 0; i++) {
        *ret_at = &b->file.items[i];
        r = scope_declare(b, NULL, *ret_at, err);
    }
    *ret_first = i;
    return r;
}

/* --- who needs whom --------------------------------------------------------------------------- */

static void need(struct stage *s);

static void need_named(struct stage *s, const char *name)
{
    struct stage *other = name ? plan_find(s->build, name, s->index) : NULL;

    if (other)
        need(other);
}

/* --mount=type=bind,from=name,...; a variable cannot name a stage. */
static void need_mounts(struct stage *s, const struct instruction *in)
{
    for (size_t i = 0; i < in->flags.len; i++) {
        struct word_rules rules = {.escape = s->build->file.escape};
        struct run_mount mount;
        struct err ignored = {0};

        if (!str_starts(in->flags.items[i], "mount=") ||
            mount_flag_parse(in->flags.items[i] + strlen("mount="), &rules, &mount, &ignored) < 0)
            continue;
        need_named(s, mount.from);
        run_mount_free(&mount);
    }
}

static void need(struct stage *s)
{
    if (s->needed)
        return;
    s->needed = true;
    if (s->base)
        need(s->base);
    for (size_t i = 0; i < s->count; i++)
        if (s->first[i].keyword == KW_COPY || s->first[i].keyword == KW_ADD)
            need_named(s, instruction_flag(&s->first[i], "from"));
        else if (s->first[i].keyword == KW_RUN)
            need_mounts(s, &s->first[i]);
}

static int choose_target(struct build *b, struct err *err)
{
    const char *name = b->request->target;

    b->target = name && *name ? plan_find(b, name, b->stage_count) : &b->stages[b->stage_count - 1];
    if (!b->target)
        return err_set(err, EINVAL, "target stage \"%s\" could not be found", name);
    return 0;
}

static void number(struct stage *s)
{
    struct build *b = s->build;

    s->lane = b->lanes++;
    s->first_step = b->steps + 1;
    b->steps += 1 + (unsigned)s->count;
}

/* Steps are counted as they stand in the file. */
static void number_needed(struct build *b)
{
    for (size_t i = 0; i < b->stage_count; i++)
        if (b->stages[i].needed)
            number(&b->stages[i]);
}

int plan_make(struct build *b, const struct instruction **ret_at, struct err *err)
{
    size_t first = 0;
    int r = read_globals(b, &first, ret_at, err);

    if (r < 0)
        return r;
    cut_stages(b, first);
    for (size_t i = 0; i < b->stage_count && r >= 0; i++) {
        *ret_at = b->stages[i].from;
        r = read_from(b, &b->stages[i], err);
    }
    if (r < 0)
        return r;
    *ret_at = NULL;
    r = choose_target(b, err);
    if (r < 0)
        return r;
    need(b->target);
    number_needed(b);
    return 0;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* No line of the Dockerfile asks for it, but a trigger (ONBUILD) of a base image does, and those
 * are known only when the image is there. Who asks first does it, in its own thread: a stage waits
 * only for earlier ones, so nobody waits in a circle. Called and returns with the lock held. */
static void do_late(struct stage *s)
{
    struct build *b = s->build;

    s->needed = true;
    number(s);
    pthread_mutex_unlock(&b->lock);
    stage_run(s);
    pthread_mutex_lock(&b->lock);
}

int plan_await(struct stage *s, struct err *err)
{
    struct build *b = s->build;
    int r = 0;

    pthread_mutex_lock(&b->lock);
    if (!s->needed && !b->failed)
        do_late(s);
    while (s->state == STAGE_WAITING && !b->failed)
        pthread_cond_wait(&b->changed, &b->lock);
    if (s->state != STAGE_DONE)
        r = err_set(err, ECANCELED, "the build was cancelled");
    pthread_mutex_unlock(&b->lock);
    return r;
}
