/* From rows to text. There is one way only: a template makes a line of a row. A table is the same
 * template applied to a row of headings first, its tabs lined up afterwards; JSON is the template
 * {{json .}}. */
#include "cli/format.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/table.h"
#include "cli/template.h"

/* A row in which every field holds its own heading: the same template prints the head of the table.
 */
static json_t *heading_row(const struct column *columns)
{
    json_t *row = json_object();

    for (; columns->field; columns++)
        json_put_str(row, columns->field, columns->heading);
    json_put(row, "Label", json_true());
    return row;
}

/* On the command line "\t" and "\n" are typed as two characters. */
static char *unescape(const char *format)
{
    struct buf out = {0};

    for (; *format; format++) {
        if (*format == '\\' && (format[1] == 't' || format[1] == 'n'))
            buf_add_char(&out, *++format == 't' ? '\t' : '\n');
        else
            buf_add_char(&out, *format);
    }
    return buf_steal(&out);
}

static int execute_row(const struct template *t, json_t *row, struct buf *out, struct err *err)
{
    if (template_execute(t, row, out, err) < 0)
        return err_wrap(err, "failed to execute template");
    buf_add_char(out, '\n');
    return 0;
}

static int apply_template(const struct column *columns, const char *text, bool table,
                          const json_t *rows, struct buf *ret, struct err *err)
{
    cleanup_template struct template *t = NULL;
    cleanup_json json_t *headings = heading_row(columns);
    cleanup_buf struct buf out = {0};
    json_t *row;
    size_t i;

    if (template_parse(text, &t, err) < 0)
        return err_wrap(err, "failed to parse template");
    if (table && execute_row(t, headings, &out, err) < 0)
        return -err->code;
    json_array_foreach(rows, i, row) if (execute_row(t, row, &out, err) < 0) return -err->code;
    buf_reserve(&out, 0);
    if (table)
        table_align(out.data, ret);
    else
        buf_add(ret, out.data, out.len);
    return 0;
}

int format_text(const struct column *columns, const char *preset, const char *format,
                const json_t *rows, struct buf *ret, struct err *err)
{
    cleanup_free char *text = NULL;
    bool table = !format || !*format || !strcmp(format, "table") || str_starts(format, "table ");

    if (format && !strcmp(format, "json"))
        format = "{{json .}}";
    if (format && str_starts(format, "table ")) {
        format += 6;
        format += strspn(format, " \t");
    } else if (table) {
        format = preset;
    }
    text = unescape(format);
    return apply_template(columns, text, table, rows, ret, err);
}

int format_rows(const struct column *columns, const char *preset, const char *format,
                const json_t *rows, struct err *err)
{
    cleanup_buf struct buf text = {0};
    int r = format_text(columns, preset, format, rows, &text, err);

    if (!r && text.len)
        fwrite(text.data, 1, text.len, stdout);
    return r;
}

static int parse_document_template(const char *format, struct template **ret, struct err *err)
{
    cleanup_free char *text = unescape(format);

    if (template_parse(strcmp(format, "json") ? text : "{{json .}}", ret, err) < 0) {
        err->exit_status = 64;
        return err_wrap(err, "template parsing error");
    }
    return 0;
}

int format_check(const char *format, struct err *err)
{
    cleanup_template struct template *t = NULL;

    return format ? parse_document_template(format, &t, err) : 0;
}

int format_document(const char *format, json_t *document, struct err *err)
{
    cleanup_template struct template *t = NULL;
    cleanup_buf struct buf out = {0};
    int r;

    if (parse_document_template(format, &t, err) < 0)
        return -err->code;
    r = template_execute(t, document, &out, err);
    buf_add_char(&out, '\n');
    fwrite(out.data, 1, out.len, stdout);
    return r < 0 ? err_wrap(err, "template parsing error") : 0;
}
