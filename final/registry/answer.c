/* Two layers speak in an answer: HTTP's status, and the registry's own code in the JSON body, which
 * knows more: a 404 may mean no such tag (say so) or no such repository (which, to those not logged
 * in, looks the same as a private one, so docker says both). The body counts where it can be read;
 * a proxy's web page leaves only the status. */
#include "registry/answer.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

/* OCI distribution spec 1.1, "Error Codes". */
static const struct {
    const char *code;
    int number;
} codes[] = {
    {"MANIFEST_UNKNOWN", ENOENT}, {"BLOB_UNKNOWN", ENOENT}, {"NAME_UNKNOWN", EACCES},
    {"DENIED", EACCES},           {"UNAUTHORIZED", EPERM},  {"NAME_INVALID", EINVAL},
    {"TOOMANYREQUESTS", EAGAIN},  {"UNSUPPORTED", ENOTSUP},
};

/* Of a status: what is worth another try is what the server says may pass. */
static int number_of_status(long status)
{
    if (status == 404)
        return ENOENT;
    if (status == 401)
        return EPERM;
    if (status == 403)
        return EACCES;
    return status == 429 || status == 408 || status >= 500 ? EAGAIN : EPROTO;
}

static int number_of_code(const char *code, long status)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (!strcmp(codes[i].code, code))
            return codes[i].number;
    return number_of_status(status);
}

/* A server's text goes to a terminal: one line, no control characters, not too long. */
static char *tame(const char *text)
{
    char *copy = str_copy_n(text, strnlen(text, 300));

    for (char *p = copy; *p; p++)
        if (iscntrl((unsigned char)*p) || (unsigned char)*p >= 0x80)
            *p = '?';
    return copy;
}

/* "MANIFEST_UNKNOWN" -> "manifest unknown" */
static char *spell(const char *code)
{
    char *copy = tame(code);

    for (char *p = copy; *p; p++)
        *p = *p == '_' ? ' ' : (char)tolower((unsigned char)*p);
    return copy;
}

int answer_error(const struct http_answer *a, const char *url, struct err *err)
{
    struct err ignored = {0};
    cleanup_json json_t *document =
        a->body.len ? json_parse(a->body.data, a->body.len, "the answer", &ignored) : NULL;
    const json_t *first = json_array_get(json_object_get(document, "errors"), 0);
    const char *code = json_str(first, "code", NULL);

    if (code) {
        cleanup_free char *message = tame(json_str(first, "message", code)), *spelled = spell(code);

        return err_set(err, number_of_code(code, a->status), "%s: %s", spelled, message);
    }
    if (a->status == 401) /* the answer to a HEAD has no body */
        return err_set(err, EPERM, "unauthorized: authentication required");
    return err_set(err, number_of_status(a->status),
                   "Get \"%.*s\": the server answered with status %ld", (int)strcspn(url, "?"),
                   url, a->status);
}
