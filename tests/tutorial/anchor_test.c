/* What is cut from a source, by the name of a definition. */
#include "tutorial/anchor.h"

#include <stdlib.h>

#include "base/str.h"
#include "support/suite.h"

static const char source[] = "/* The file's own comment. */\n"
                             "#include <stdio.h>\n"
                             "\n"
                             "#define LIMIT 10\n"
                             "#define LONG(x) \\\n"
                             "    ((x) + LIMIT)\n"
                             "\n"
                             "enum { FIRST, SECOND };\n"
                             "\n"
                             "/* What there is\n"
                             " * to know. */\n"
                             "struct keg {\n"
                             "    int pid; /* of keg */\n"
                             "};\n"
                             "\n"
                             "static int drop(struct keg *keg);\n"
                             "\n"
                             "// One line.\n"
                             "// And another.\n"
                             "static const int table[] = {\n"
                             "    1,\n"
                             "};\n"
                             "\n"
                             "static struct row {\n"
                             "    int number;\n"
                             "} rows[] = {\n"
                             "    {1},\n"
                             "};\n"
                             "\n"
                             "int before; /* a comment behind */\n"
                             "/* Calls drop(keg). */\n"
                             "int run(struct keg *keg)\n"
                             "{\n"
                             "    return drop(keg);\n"
                             "}\n"
                             "\n"
                             "static int drop(struct keg *keg)\n"
                             "{\n"
                             "    if (keg) {\n"
                             "        return 1;\n"
                             "    }\n"
                             "    return 0;\n"
                             "}\n";

static const struct {
    const char *name, *text;
} cuts[] = {
    {"run", "/* Calls drop(keg). */\nint run(struct keg *keg)\n{\n    return drop(keg);\n}\n"},
    {"drop", "static int drop(struct keg *keg)\n{\n    if (keg) {\n        return 1;\n    }\n    "
             "return 0;\n}\n"},
    {"keg", "/* What there is\n * to know. */\nstruct keg {\n    int pid; /* of keg */\n};\n"},
    {"table", "// One line.\n// And another.\nstatic const int table[] = {\n    1,\n};\n"},
    {"LIMIT", "#define LIMIT 10\n"},
    {"LONG", "#define LONG(x) \\\n    ((x) + LIMIT)\n"},
    {"SECOND", "enum { FIRST, SECOND };\n"},
    {"row", "static struct row {\n    int number;\n} rows[] = {\n    {1},\n};\n"},
    {"before", "int before; /* a comment behind */\n"},
    {"pid", NULL},
    {"rune", NULL},
    {"stdio", NULL},
};

START_TEST(a_name_gives_its_definition)
{
    char *text = anchor_cut(source, cuts[_i].name);

    if (cuts[_i].text)
        ck_assert_str_eq(text ? text : "(nothing)", cuts[_i].text);
    else
        ck_assert_ptr_null(text);
    free(text);
}
END_TEST

START_TEST(a_declaration_is_found_where_there_is_nothing_else)
{
    char *text = anchor_cut("/* Drops. */\nint drop(int a,\n         int b);\n", "drop");

    ck_assert_str_eq(text, "/* Drops. */\nint drop(int a,\n         int b);\n");
    free(text);
}
END_TEST

SUITE(anchor)
{
    TCase *t = tcase_create("cut");

    tcase_add_loop_test(t, a_name_gives_its_definition, 0, (int)(sizeof cuts / sizeof *cuts));
    tcase_add_test(t, a_declaration_is_found_where_there_is_nothing_else);
    suite_add_tcase(suite, t);
}
