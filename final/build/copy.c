/* From an instruction to a plan: what its sources are, everything in them, and one digest that
 * stands for it all. */
#include "build/copy.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "build/copy_parts.h"

/* --- the lists -------------------------------------------------------------------------------- */

struct copy_source *copy_add_source(struct copy_plan *plan, const struct tree *tree)
{
    struct copy_source *s;

    if (plan->count == plan->room)
        plan->sources = mem_grow(plan->sources, plan->room = plan->room ? 2 * plan->room : 8,
                                 sizeof *plan->sources);
    s = &plan->sources[plan->count++];
    *s = (struct copy_source){.tree = *tree};
    return s;
}

struct copy_entry *copy_add_entry(struct copy_source *s, const char *path, size_t rel,
                                  const struct stat *st)
{
    struct copy_entry *e;

    if (s->count == s->room)
        s->entries = mem_grow(s->entries, s->room = s->room ? 2 * s->room : 16, sizeof *s->entries);
    e = &s->entries[s->count++];
    *e = (struct copy_entry){.path = str_copy(path), .rel = rel, .st = *st, .same = COPY_NO_LINK};
    return e;
}

static void free_entries(struct copy_source *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->entries[i].path);
        free(s->entries[i].link);
    }
    free(s->entries);
    free(s->links);
    s->entries = NULL;
    s->links = NULL;
    s->count = s->room = s->link_count = s->link_room = 0;
}

static void drop_stage(struct copy_plan *plan, struct copy_source *s)
{
    struct err ignored;

    if (!*s->stage)
        return;
    close_fd(&s->tree.root);
    store_stage_drop(plan->request->store, s->stage, &ignored);
    *s->stage = 0;
}

int copy_stage(struct copy_plan *plan, struct copy_source *s, struct err *err)
{
    char stage[64];
    int fd = store_stage(plan->request->store, stage, err);

    if (fd < 0)
        return fd;
    drop_stage(plan, s);
    free_entries(s);
    strcpy(s->stage, stage);
    s->tree = (struct tree){.root = fd, .disposable = true, .what = "what was fetched"};
    return 0;
}

void copy_source_free(struct copy_plan *plan, struct copy_source *s)
{
    drop_stage(plan, s);
    free_entries(s);
    free(s->path);
    free(s->as);
    free(s->known);
    buf_free(&s->parent_text);
}

bool copy_cancelled(const struct copy_plan *plan)
{
    return plan->request->cancelled && *plan->request->cancelled;
}

/* --- hard links ------------------------------------------------------------------------------- */

static size_t slot_of(const struct copy_source *s, const struct stat *st)
{
    size_t i = (size_t)(st->st_ino * 0x9e3779b97f4a7c15ull) & (s->link_room - 1);

    for (; s->links[i]; i = (i + 1) & (s->link_room - 1)) {
        const struct stat *other = &s->entries[s->links[i] - 1].st;

        if (other->st_ino == st->st_ino && other->st_dev == st->st_dev)
            break;
    }
    return i;
}

static void grow_links(struct copy_source *s)
{
    size_t *old = s->links, room = s->link_room;

    s->link_room = room ? 2 * room : 64;
    s->links = mem_alloc(s->link_room * sizeof *s->links);
    for (size_t i = 0; i < room; i++)
        if (old[i])
            s->links[slot_of(s, &s->entries[old[i] - 1].st)] = old[i];
    free(old);
}

size_t copy_find_same(struct copy_source *s)
{
    const struct stat *st = &s->entries[s->count - 1].st;
    size_t i;

    if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
        return COPY_NO_LINK;
    if (2 * s->link_count >= s->link_room)
        grow_links(s);
    i = slot_of(s, st);
    if (s->links[i])
        return s->links[i] - 1;
    s->links[i] = s->count;
    s->link_count++;
    return COPY_NO_LINK;
}

/* --- the digest ------------------------------------------------------------------------------- */

static void add_text(struct hasher *h, const char *text)
{
    hasher_add(h, text, strlen(text) + 1);
}

static void add_line(struct hasher *h, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_line(struct hasher *h, const char *format, ...)
{
    char line[256];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hasher_add(h, line, (size_t)n + 1);
}

static void add_entry(struct hasher *h, const struct copy_source *s, const struct copy_entry *e)
{
    const struct stat *st = &e->st;
    bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

    add_text(h, e->path + e->rel);
    add_line(h, "%o %u %u %llu", st->st_mode, st->st_uid, st->st_gid,
             device ? (unsigned long long)st->st_rdev : 0);
    add_text(h, e->link ? e->link : e->digest);
    if (e->same != COPY_NO_LINK)
        add_text(h, s->entries[e->same].path + s->entries[e->same].rel);
}

static void add_source(struct hasher *h, const struct copy_source *s)
{
    add_line(h, "source %d", s->kind == COPY_TEXT);
    if (s->known) {
        add_text(h, s->known);
        return;
    }
    add_line(h, "%d %zu %zu", s->directory, s->parents, s->count);
    add_text(h, s->as);
    add_text(h, s->parent_text.data ? s->parent_text.data : "");
    if (s->kind == COPY_TEXT)
        add_text(h, s->text);
    /* What the destination is like a directory does not say, but with --parents. */
    for (size_t i = s->directory && !s->named; i < s->count; i++)
        add_entry(h, s, &s->entries[i]);
}

/* A file that may be a tar is known by what it is, whatever it becomes when it is unpacked. */
void copy_note_known(struct copy_source *s)
{
    const struct copy_entry *e = s->entries;

    if (!s->unpack || s->directory || !s->count || (s->url && s->known))
        return;
    free(s->known);
    s->known = str_format("%s %s %o %s", s->as, s->parent_text.data ? s->parent_text.data : "",
                          e->st.st_mode, e->link ? e->link : e->digest);
}

static void digest_sources(const struct copy_plan *plan, char ret[DIGEST_LEN + 1])
{
    struct hasher *h = hasher_new();

    for (size_t i = 0; i < plan->count; i++)
        add_source(h, &plan->sources[i]);
    hasher_finish(h, ret);
}

void copy_plan_digest(const struct copy_plan *plan, char ret[DIGEST_LEN + 1])
{
    const struct copy_request *request = plan->request;
    char sources[DIGEST_LEN + 1];
    struct hasher *h = hasher_new();

    digest_sources(plan, sources);
    add_line(h, "copy 1 %d %d %d", request->add, request->link, plan->into);
    add_text(h, plan->destination);
    add_text(h, request->chown ? request->chown : "");
    add_text(h, request->chmod ? request->chmod : "");
    add_text(h, sources);
    hasher_finish(h, ret);
}

static void summarise(struct copy_plan *plan)
{
    char digest[DIGEST_LEN + 1];
    const char *kind = plan->count != 1 ? "multi" : plan->sources[0].directory ? "dir" : "file";

    digest_sources(plan, digest);
    snprintf(plan->summary, sizeof plan->summary, "%s:%s", kind, digest_hex(digest));
}

const char *copy_plan_summary(const struct copy_plan *plan)
{
    return plan->summary;
}

/* --- sources ---------------------------------------------------------------------------------- */

int copy_stat_parent(const struct copy_source *s, size_t up, struct stat *ret, struct err *err)
{
    cleanup_free char *path = str_copy(s->path);
    cleanup_close int fd = -1;

    while (up--)
        *strrchr(path, '/') = 0;
    fd = follow_open(s->tree.root, path, O_PATH | O_DIRECTORY);
    if (fd < 0 || fstat(fd, ret) < 0)
        return err_set(err, EAGAIN, "'%s' changed while it was copied: build again", path);
    if (!s->tree.keep_owner)
        ret->st_uid = ret->st_gid = 0;
    return 0;
}

static int note_parents(struct copy_source *s, struct err *err)
{
    for (size_t up = s->parents; up; up--) {
        struct stat st;

        if (copy_stat_parent(s, up, &st, err) < 0)
            return -err->code;
        buf_printf(&s->parent_text, "%o %u %u,", st.st_mode, st.st_uid, st.st_gid);
    }
    return 0;
}

static int add_word(struct copy_plan *plan, const char *word, struct err *err)
{
    bool git = copy_is_git(word), address = !git && copy_is_address(word);

    if ((git || address) && !plan->request->add)
        return err_set(err, EINVAL, "source can't be a %s for COPY", git ? "git ref" : "URL");
    if (git)
        return copy_add_git(plan, word, err);
    return address ? copy_add_address(plan, word, err) : copy_find(plan, word, err);
}

static void add_texts(struct copy_plan *plan)
{
    const struct copy_request *request = plan->request;
    const struct tree nowhere = {.root = -1};

    for (size_t i = 0; i < request->text_count; i++) {
        struct copy_source *s = copy_add_source(plan, &nowhere);

        s->kind = COPY_TEXT;
        s->as = str_copy(path_base(request->texts[i].name));
        s->text = request->texts[i].text;
    }
}

static int add_sources(struct copy_plan *plan, struct err *err)
{
    const struct strv *words = plan->request->sources;
    int r = 0;

    for (size_t i = 0; !r && words && i < words->len; i++)
        r = add_word(plan, words->items[i], err);
    if (!r)
        add_texts(plan);
    for (size_t i = 0; !r && i < plan->count; i++) {
        struct copy_source *s = &plan->sources[i];

        if (s->kind == COPY_FILES && !s->count)
            r = copy_walk(plan, s, err);
        if (!r)
            r = note_parents(s, err);
        copy_note_known(s);
    }
    return r;
}

/* --- the plan --------------------------------------------------------------------------------- */

/* "x/", "x/." and ".." can only be directories. */
static bool means_directory(const char *destination)
{
    const char *base = path_base(destination);

    return !*base || !strcmp(base, ".") || !strcmp(base, "..");
}

static void set_destination(struct copy_plan *plan)
{
    const struct copy_request *request = plan->request;
    bool relative = *request->destination != '/';
    const char *workdir = relative && request->workdir ? request->workdir : "";
    cleanup_free char *whole = str_format("/%s/%s", workdir, request->destination);

    plan->destination = path_clean(whole);
    if (!strcmp(plan->destination, "."))
        *plan->destination = 0;
    plan->into = means_directory(request->destination) || request->parents;
}

static int check(const struct copy_plan *plan, struct err *err)
{
    const struct copy_request *request = plan->request;
    size_t words = (request->sources ? request->sources->len : 0) + request->text_count;

    if (words > 1 && !plan->into)
        return err_set(err, EINVAL, COPY_MANY, request->add ? "ADD" : "COPY");
    if (request->chmod && copy_check_mode(request->chmod, err) < 0)
        return -err->code;
    if (!request->checksum)
        return 0;
    if (!request->add)
        return err_set(err, EINVAL, "checksum can't be specified for COPY");
    if (words != 1)
        return err_set(err, EINVAL, "checksum can't be specified for multiple sources");
    if (request->text_count ||
        (!copy_is_address(request->sources->items[0]) && !copy_is_git(request->sources->items[0])))
        return err_set(err, EINVAL, "checksum requires HTTP(S) or Git sources");
    return copy_check_checksum(request->checksum, err);
}

static int fill(struct copy_plan *plan, struct err *err)
{
    const struct strv *excludes = plan->request->excludes;
    int r = check(plan, err);

    for (size_t i = 0; !r && excludes && i < excludes->len; i++)
        r = ignore_add(&plan->excludes, excludes->items[i], err);
    return r < 0 ? r : add_sources(plan, err);
}

int copy_plan(const struct copy_request *request, struct copy_plan **ret, struct err *err)
{
    struct copy_plan *plan = mem_alloc(sizeof *plan);
    int r;

    plan->request = request;
    set_destination(plan);
    r = fill(plan, err);
    if (r < 0) {
        copy_plan_free(plan);
        return r;
    }
    summarise(plan);
    *ret = plan;
    return 0;
}

void copy_plan_free(struct copy_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->count; i++)
        copy_source_free(plan, &plan->sources[i]);
    free(plan->sources);
    ignore_free(plan->excludes);
    free(plan->destination);
    free(plan);
}

/* --- for RUN --mount=type=bind ---------------------------------------------------------------- */

static struct strv one_word(const char *path)
{
    struct strv words = {0};

    strv_add(&words, path);
    return words;
}

int tree_digest(const struct tree *tree, const char *path, char ret[DIGEST_LEN + 1],
                struct err *err)
{
    cleanup_strv struct strv words = one_word(path);
    const struct copy_request request = {
        .from = tree, .sources = &words, .destination = "/", .epoch = COPY_NO_EPOCH};
    struct copy_plan *plan;
    int r = copy_plan(&request, &plan, err);

    if (r < 0)
        return r;
    digest_sources(plan, ret);
    copy_plan_free(plan);
    return 0;
}

int tree_copy(const struct tree *tree, const char *path, int to, struct err *err)
{
    cleanup_strv struct strv words = one_word(path);
    const struct copy_request request = {
        .from = tree, .sources = &words, .destination = "/", .epoch = COPY_NO_EPOCH};
    const struct copy_target target = {.stage = to, .below = -1};
    struct copy_plan *plan;
    int r = copy_plan(&request, &plan, err);

    if (r < 0)
        return r;
    r = copy_apply(plan, &target, err);
    copy_plan_free(plan);
    return r;
}
