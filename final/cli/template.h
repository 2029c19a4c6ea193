/* template.h - Go's text/template for --format, over JSON: the part of the language people use with
 * docker.
 *
 *     {{.State.Status}}  {{json .Mounts}}  {{index .Config.Labels "a.b"}}
 *     {{.Name | upper | printf "%q"}}
 *     {{range $port, $to := .NetworkSettings.Ports}}...{{else}}...{{end}}
 *     {{if and .A (not .B)}}...{{else if .C}}...{{end}}  {{with .X}}...{{end}}
 *     {{- trim -}}, comments
 *
 * Functions: json join split upper lower title pad truncate index len slice print printf println
 * eq ne lt le gt ge and or not. Not there: define, template, block, break, continue.
 * Messages are Go's: "template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"".
 */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

struct template;

int template_parse(const char *text, struct template **ret, struct err *err);
/* Appends to `out`; on an error what came before it stays there, as docker prints it. */
int template_execute(const struct template *t, json_t *data, struct buf *out, struct err *err);
void template_free(struct template *t); /* NULL is fine */

static inline void cleanup_template_p(struct template **t)
{
    template_free(*t);
}
#define cleanup_template __attribute__((cleanup(cleanup_template_p)))
