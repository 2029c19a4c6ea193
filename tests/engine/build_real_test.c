/* Dockerfiles of the shapes that people write: a Python service, a C program in several stages,
 * packages that are installed, a front end, a web server, a base for others. On a Debian made of
 * this machine's own files: no network. What is built is run. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/build_world.h"

#define MADE   "made:1"
#define DEBIAN "debian:1"

/* --- the base --------------------------------------------------------------------------------- */

static void make_base(const char *packages)
{
    cleanup_run struct run_result r = {0};
    cleanup_free char *script = NULL;

    world_make();
    script = str_format("%s/tests/engine/debian.sh %s | %s/bin/cooper --root %s import - " DEBIAN,
                        SOURCE_DIR, packages, BUILD_DIR, world_root());
    RUN_OK(&r, NULL, "sh", "-c", script);
}

static void make_python(void)
{
    make_base("python3-minimal dpkg tar findutils gzip diffutils libc-bin");
}

static void make_compiler(void)
{
    make_base("gcc libc6-dev");
}

static const char *needs_debian(void)
{
    return system("dpkg -s python3-minimal gcc libc6-dev >/dev/null 2>&1 && apt-cache --version "
                  ">/dev/null 2>&1")
               ? "no Debian with python3-minimal and gcc"
               : NULL;
}
TAG("needs-debian", needs_debian)

static void clear(void)
{
    cleanup_free char *contexts = world_path("");
    cleanup_free char *script = str_format("rm -rf %s/ctx*", contexts);
    cleanup_run struct run_result r = {0};

    world_clear();
    COOPER(&r, "rmi", "-f", MADE, "made:2");
    RUN_OK(&r, NULL, "sh", "-c", script);
}

/* Everything again gives the same image, whether the cache is asked or not; the caller frees its
 * id. */
static char *build_thrice(const char *context)
{
    char *first = BUILD_ID(context, "-t", MADE);
    cleanup_free char *cached = BUILD_ID(context), *anew = BUILD_ID(context, "--no-cache");

    ck_assert_str_eq(first, cached);
    ck_assert_str_eq(first, anew);
    return first;
}

/* --- a Python service ------------------------------------------------------------------------- */

START_TEST(a_python_service)
{
    cleanup_free char *id = NULL, *again = NULL, *output = NULL;

    build_file("ctx", "Dockerfile",
               "# syntax=docker/dockerfile:1\n"
               "ARG BASE=" DEBIAN "\n"
               "FROM ${BASE} AS deps\n"
               "ENV PYTHONDONTWRITEBYTECODE=1 \\\n"
               "    PYTHONUNBUFFERED=1\n"
               "WORKDIR /wheels\n"
               "COPY requirements.txt ./\n"
               "RUN --mount=type=cache,target=/root/.cache/pip \\\n"
               "    --mount=type=bind,source=vendor,target=/vendor \\\n"
               "    mkdir site && while read -r name; do\\\n"
               "      # one after the other\n"
               "      cp -r \"/vendor/$name\" site/ && echo \"$name\" >>/root/.cache/pip/log; \\\n"
               "    done <requirements.txt\n"
               "\n"
               "FROM ${BASE}\n"
               "LABEL org.opencontainers.image.title=\"a service\" \\\n"
               "      org.opencontainers.image.version=1.2\n"
               "RUN groupadd() { echo \"$2:x:$1:\" >>/etc/group; }; groupadd 1000 app && \\\n"
               "    echo 'app:x:1000:1000::/home/app:/bin/sh' >>/etc/passwd && \\\n"
               "    install -d -o 1000 -g 1000 /home/app\n"
               "WORKDIR /home/app\n"
               "COPY --from=deps /wheels/site ./site\n"
               "COPY --chown=app:app --exclude=vendor . .\n"
               "USER app\n"
               "EXPOSE 8000\n"
               "HEALTHCHECK --interval=5s CMD [\"python3\", \"-c\", \"import service\"]\n"
               "ENTRYPOINT [\"python3\", \"-m\", \"service\"]\n"
               "CMD [\"--help\"]\n");
    build_file("ctx", ".dockerignore", "**/__pycache__\n*.md\n!README.md\n.git\nDockerfile*\n");
    build_file("ctx", "requirements.txt", "greet\n");
    build_file("ctx", "vendor/greet/__init__.py", "def hello(who):\n    return 'hello ' + who\n");
    build_file("ctx", "service/__init__.py", "");
    build_file("ctx", "service/__main__.py",
               "import os, sys\nsys.path.insert(0, 'site')\nimport greet\n"
               "print(greet.hello(sys.argv[1]), os.getuid(), sorted(os.listdir('.')))\n");
    build_file("ctx", "service/__pycache__/junk.pyc", "x");
    build_file("ctx", "README.md", "r");
    build_file("ctx", "TODO.md", "t");
    id = build_thrice("ctx");
    output = OUTPUT("run", "--rm", MADE, "world");
    ck_assert_str_eq(output, "hello world 1000 ['.dockerignore', 'README.md', 'requirements.txt', "
                             "'service', 'site']");
    EXPECT(0,
           "hello --help 1000 ['.dockerignore', 'README.md', 'requirements.txt', 'service', "
           "'site']\n",
           "", "run", "--rm", MADE);
    build_file("ctx", "TODO.md", "what is ignored changes nothing");
    again = BUILD_ID("ctx");
    ck_assert_str_eq(id, again);
}
END_TEST

/* Code changed: what was installed before it is not installed again. */
START_TEST(only_what_changed_is_built_again)
{
    cleanup_free char *before = NULL, *after = NULL;
    const char *told;

    build_file("ctx", "Dockerfile",
               "FROM " DEBIAN "\nWORKDIR /app\nCOPY package*.json ./\n"
               "RUN --mount=type=cache,target=/root/.npm mkdir -p node_modules && \\\n"
               "    cp package.json node_modules/installed\n"
               "COPY . .\nRUN cat src/*.js >bundle.js\nCMD [\"cat\", \"bundle.js\"]\n");
    build_file("ctx", ".dockerignore", "node_modules\n**/*.log\n");
    build_file("ctx", "package.json", "{}\n");
    build_file("ctx", "package-lock.json", "{}\n");
    build_file("ctx", "src/a.js", "a\n");
    build_file("ctx", "src/b.js", "b\n");
    build_file("ctx", "node_modules/installed", "from the host\n");
    build_file("ctx", "src/debug.log", "noise\n");
    before = build_thrice("ctx");
    EXPECT(0, "{}\na\nb\n", "", "run", "--rm", MADE, "sh", "-c",
           "cat node_modules/installed bundle.js; ! test -e src/debug.log");
    build_file("ctx", "src/b.js", "b2\n");
    told = BUILD("ctx", "-t", MADE);
    ck_assert_uint_eq(build_count(told, " ---> Using cache\n"), 3);
    EXPECT(0, "a\nb2\n", "", "run", "--rm", MADE);
    build_file("ctx", "src/b.js", "b\n");
    after = BUILD_ID("ctx");
    ck_assert_str_eq(before, after);
}
END_TEST

/* --- packages --------------------------------------------------------------------------------- */

/* A package with a script, a directory of its own, a hard link; dpkg renames, syncs, changes
 * owners. */
START_TEST(packages_are_installed)
{
    cleanup_run struct run_result r = {0};
    cleanup_free char *script = NULL, *id = NULL;

    build_file("ctx", "pkg/DEBIAN/control",
               "Package: hello\nVersion: 1\nArchitecture: all\nMaintainer: me <m@x>\n"
               "Description: says it\n");
    build_file("ctx", "pkg/DEBIAN/postinst", "#!/bin/sh\nset -e\necho installed >/var/log/hello\n");
    build_file("ctx", "pkg/usr/bin/hello", "#!/bin/sh\ncat /etc/hello/text\n");
    build_file("ctx", "pkg/etc/hello/text", "hello from a package\n");
    build_file("ctx", "Dockerfile",
               "FROM " DEBIAN "\n"
               "RUN --mount=type=bind,source=debs,target=/debs \\\n"
               "    --mount=type=tmpfs,target=/var/cache/apt \\\n"
               "    dpkg -i /debs/*.deb && \\\n"
               "    rm -rf /var/log/dpkg.log /var/log/alternatives.log /var/lib/dpkg/*-old \\\n"
               "           /var/cache/ldconfig/aux-cache && \\\n"
               "    dpkg -s hello | grep Status\n"
               "CMD hello && cat /var/log/hello\n");
    script = str_format("cd %s && chmod 755 pkg/DEBIAN/postinst pkg/usr/bin/hello && mkdir debs && "
                        "dpkg-deb --root-owner-group -b pkg debs/hello.deb",
                        build_path("ctx"));
    RUN_OK(&r, NULL, "sh", "-c", script);
    id = build_thrice("ctx");
    EXPECT(0, "hello from a package\ninstalled\n", "", "run", "--rm", MADE);
    EXPECT(0, NULL, "", "run", "--rm", MADE, "sh", "-c", "! test -e /debs");
}
END_TEST

/* --- a web server ----------------------------------------------------------------------------- */

START_TEST(a_web_server_with_an_entry_point)
{
    cleanup_free char *id = NULL, *volumes = NULL;

    build_file("ctx", "Dockerfile",
               "FROM " BOX "\n"
               "ARG SITE=/srv/www\n"
               "ENV SITE=${SITE} PORT=8080\n"
               "COPY --chmod=0755 docker-entrypoint.sh /usr/local/bin/\n"
               "COPY --link html/ ${SITE}/\n"
               "ADD conf.tar.gz /etc/server/\n"
               "RUN ln -s ${SITE} /www && test -x /usr/local/bin/docker-entrypoint.sh\n"
               "COPY <<-EOF /www/version.txt\n"
               "\tport ${PORT}\n"
               "\tEOF\n"
               "VOLUME /var/data\n"
               "EXPOSE ${PORT}/tcp\n"
               "STOPSIGNAL SIGQUIT\n"
               "ENTRYPOINT [\"docker-entrypoint.sh\"]\n"
               "CMD [\"serve\"]\n");
    build_file("ctx", "docker-entrypoint.sh",
               "#!/bin/sh\nset -e\nif [ \"$1\" = serve ]; then\n  cd \"$SITE\"\n"
               "  cat index.html version.txt /etc/server/site.conf\nelse\n  exec \"$@\"\nfi\n");
    build_file("ctx", "html/index.html", "<p>\n");
    build_file("ctx", "conf/site.conf", "root\n");
    {
        cleanup_run struct run_result r = {0};
        cleanup_free char *script =
            str_format("cd %s && tar -C conf --mtime=@0 -czf conf.tar.gz .", build_path("ctx"));

        RUN_OK(&r, NULL, "sh", "-c", script);
    }
    id = build_thrice("ctx");
    EXPECT(0, "<p>\nport 8080\nroot\n", "", "run", "--rm", MADE);
    EXPECT(0, "other\n", "", "run", "--rm", MADE, "echo", "other");
    volumes = world_inspect(MADE, "{{json .Config.Volumes}} {{.Config.StopSignal}}");
    ck_assert_str_eq(volumes, "{\"/var/data\":{}} SIGQUIT");
}
END_TEST

/* --- a base for others ------------------------------------------------------------------------ */

START_TEST(a_base_that_builds_what_is_beside_the_child)
{
    cleanup_free char *id = NULL;

    build_file("ctx-base", "Dockerfile",
               "FROM " BOX "\nWORKDIR /usr/src/app\nONBUILD ARG MODE=release\n"
               "ONBUILD COPY . .\nONBUILD RUN cat *.src >app && echo $MODE >>app\n"
               "CMD [\"cat\", \"app\"]\n");
    BUILD("ctx-base", "-t", "made:2");
    build_file("ctx", "Dockerfile", "FROM made:2\n");
    build_file("ctx", "a.src", "a\n");
    build_file("ctx", "b.src", "b\n");
    id = build_thrice("ctx");
    EXPECT(0, "a\nb\nrelease\n", "", "run", "--rm", MADE);
    BUILD("ctx", "-t", MADE, "--build-arg", "MODE=debug");
    EXPECT(0, "a\nb\ndebug\n", "", "run", "--rm", MADE);
}
END_TEST

/* --- a compiled program ----------------------------------------------------------------------- */

START_TEST(a_program_from_a_compiler_in_an_image_of_its_own)
{
    cleanup_free char *id = NULL, *layers = NULL;

    build_file(
        "ctx", "Dockerfile",
        "FROM " DEBIAN " AS toolchain\n"
        "RUN ln -sf gcc /usr/bin/cc\n"
        "FROM toolchain AS build\n"
        "ARG VERSION=dev\n"
        "WORKDIR /src\n"
        "COPY --parents ./lib/./*.h ./lib/./*.c include/\n"
        "COPY main.c .\n"
        "RUN --mount=type=cache,target=/cache \\\n"
        "    cc -O1 -static -DVERSION=\\\"${VERSION}\\\" -Iinclude main.c include/greet.c \\\n"
        "       -o /out/app 2>/dev/null || { mkdir -p /out && cc -O1 -static \\\n"
        "       -DVERSION=\\\"${VERSION}\\\" -Iinclude main.c include/greet.c -o /out/app; }\n"
        "FROM build AS test\n"
        "RUN test \"$(/out/app)\" = wrong\n"
        "FROM scratch\n"
        "COPY --from=build /out/app /app\n"
        "ENTRYPOINT [\"/app\"]\n");
    build_file("ctx", "lib/greet.h", "const char *greet(void);\n");
    build_file("ctx", "lib/greet.c",
               "#include <greet.h>\nconst char *greet(void) { return \"hi\"; }\n");
    build_file("ctx", "main.c",
               "#include <greet.h>\n#include <stdio.h>\n"
               "int main(void) { printf(\"%s %s\\n\", greet(), VERSION); return 0; }\n");
    id = BUILD_ID("ctx", "-t", MADE, "--build-arg", "VERSION=1.2.3");
    EXPECT(0, "hi 1.2.3\n", "", "run", "--rm", MADE);
    layers = world_inspect(MADE, "{{len .RootFS.Layers}}");
    ck_assert_str_eq(layers, "1");
    EXPECT(1, NULL, "returned a non-zero code: 1", "build", "--target", "test", build_path("ctx"));
    BUILD("ctx", "-t", MADE); /* another version: the tools are not made again */
    EXPECT(0, "hi dev\n", "", "run", "--rm", MADE);
}
END_TEST

SUITE(build_real)
{
    TCase *t = tcase_create("real"), *compiled = tcase_create("compiled");

    tcase_set_tags(t, "needs-root needs-debian");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, make_python, world_remove);
    tcase_add_checked_fixture(t, clear, NULL);
    tcase_add_test(t, a_python_service);
    tcase_add_test(t, only_what_changed_is_built_again);
    tcase_add_test(t, packages_are_installed);
    tcase_add_test(t, a_web_server_with_an_entry_point);
    tcase_add_test(t, a_base_that_builds_what_is_beside_the_child);
    suite_add_tcase(suite, t);

    tcase_set_tags(compiled, "needs-root needs-debian");
    tcase_set_timeout(compiled, 120);
    tcase_add_unchecked_fixture(compiled, make_compiler, world_remove);
    tcase_add_checked_fixture(compiled, clear, NULL);
    tcase_add_test(compiled, a_program_from_a_compiler_in_an_image_of_its_own);
    suite_add_tcase(suite, compiled);
}
