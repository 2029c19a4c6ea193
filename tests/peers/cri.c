#include "peers/cri.h"

#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "peers/peers.h"

static const char *socket_path;

void cri_connect(const char *socket)
{
    socket_path = socket;
}

/* --- protobuf (protobuf.dev, "Encoding")
 * ----------------------------------------------------------
 */

enum { VARINT = 0, LENGTH = 2 }; /* wire types */

static void add_varint(struct buf *b, uint64_t value)
{
    for (; value > 127; value >>= 7)
        buf_add_char(b, (char)(value | 128));
    buf_add_char(b, (char)value);
}

static void add_number(struct buf *b, unsigned field, uint64_t value)
{
    add_varint(b, field << 3 | VARINT);
    add_varint(b, value);
}

static void add_bytes(struct buf *b, unsigned field, const void *data, size_t len)
{
    add_varint(b, field << 3 | LENGTH);
    add_varint(b, len);
    buf_add(b, data, len);
}

static void add_text(struct buf *b, unsigned field, const char *text)
{
    add_bytes(b, field, text, strlen(text));
}

static void add_texts(struct buf *b, unsigned field, const char *const texts[])
{
    for (; *texts; texts++)
        add_text(b, field, *texts);
}

/* Adds a message as a field of another and empties it. */
static void add_message(struct buf *b, unsigned field, struct buf *message)
{
    add_bytes(b, field, message->data ? message->data : "", message->len);
    buf_free(message);
}

static uint64_t take_varint(const unsigned char **p, const unsigned char *end)
{
    uint64_t value = 0;

    for (int shift = 0; *p < end && shift < 64; shift += 7) {
        unsigned char byte = *(*p)++;

        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            break;
    }
    return value;
}

/* The field of a message: its text (caller frees; "" without one) or *ret_number. */
static char *get(const struct buf *message, unsigned field, uint64_t *ret_number)
{
    const unsigned char *p = (const unsigned char *)message->data, *end = p + message->len;

    while (p < end) {
        uint64_t key = take_varint(&p, end), value = take_varint(&p, end);

        if (key == (field << 3 | VARINT) && ret_number) {
            *ret_number = value;
            return NULL;
        }
        if ((key & 7) != LENGTH)
            continue;
        ck_assert_uint_le(value, (uint64_t)(end - p));
        if (key >> 3 == field && !ret_number)
            return str_copy_n((const char *)p, value);
        p += value;
    }
    return ret_number ? NULL : str_copy("");
}

/* --- gRPC (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md)
 * --------------------------------------------
 */

/* An error comes as two headers behind the (missing) body. */
static void check(const char *method, const char *headers, const struct run_result *r)
{
    cleanup_run struct run_result said = {0};

    RUN(&said, NULL, "cat", headers);
    ck_assert_msg(strstr(said.out.data, "grpc-status: 0") && r->out.len >= 5, "%s: %s %s", method,
                  said.out.data, r->err.data);
}

/* Calls runtime.v1.RuntimeService/`method` and empties the request; the answer is the message. */
static void call(const char *method, struct buf *request, struct buf *ret)
{
    cleanup_free char *url = str_format("http://localhost/runtime.v1.RuntimeService/%s", method);
    cleanup_free char *headers = peers_path("cri-headers");
    cleanup_run struct run_result r = {0};
    cleanup_buf struct buf frame = {0};
    struct run_options options = {.timeout_s = 120};
    char head[5] = {0};

    for (int i = 0; i < 4; i++)
        head[1 + i] = (char)(request->len >> (24 - 8 * i));
    buf_add(&frame, head, sizeof head);
    buf_add(&frame, request->data, request->len);
    buf_free(request);
    options.input = frame.data;
    options.input_len = frame.len;
    RUN(&r, &options, "curl", "-sS", "--http2-prior-knowledge", "--unix-socket", socket_path, "-H",
        "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@-", "-D",
        headers, url);
    check(method, headers, &r);
    buf_free(ret);
    buf_add(ret, r.out.data + sizeof head, r.out.len - sizeof head);
}

static void call_with_id(const char *method, const char *id)
{
    cleanup_buf struct buf request = {0}, answer = {0};

    add_text(&request, 1, id);
    call(method, &request, &answer);
}

/* --- the calls
 * ------------------------------------------------------------------------------------
 */

/* PodSandboxConfig. NODE is 2: the pod shares the host's network. */
static void add_pod(struct buf *b, unsigned field, const char *name, const char *log_directory)
{
    struct buf pod = {0}, part = {0}, inner = {0}, options = {0};

    add_text(&part, 1, name);
    add_text(&part, 2, "0123");
    add_text(&part, 3, "default");
    add_message(&pod, 1, &part);
    add_text(&pod, 3, log_directory);
    add_number(&options, 1, 2);
    add_message(&inner, 1, &options);
    add_text(&part, 1, "/cooper-peers");
    add_message(&part, 2, &inner);
    add_message(&pod, 8, &part);
    add_message(b, field, &pod);
}

char *cri_run_pod(const char *name, const char *log_directory, const char *runtime_handler)
{
    cleanup_buf struct buf request = {0}, answer = {0};

    add_pod(&request, 1, name, log_directory);
    add_text(&request, 2, runtime_handler);
    call("RunPodSandbox", &request, &answer);
    return get(&answer, 1, NULL);
}

char *cri_create_container(const char *pod_id, const char *pod_name, const char *log_directory,
                           const char *name, const char *image, const char *const command[])
{
    cleanup_buf struct buf request = {0}, answer = {0};
    struct buf config = {0}, part = {0};
    cleanup_free char *log = str_format("%s.log", name);

    add_text(&part, 1, name);
    add_message(&config, 1, &part);
    add_text(&part, 1, image);
    add_message(&config, 2, &part);
    add_texts(&config, 3, command);
    add_text(&config, 11, log);
    add_text(&request, 1, pod_id);
    add_message(&request, 2, &config);
    add_pod(&request, 3, pod_name, log_directory);
    call("CreateContainer", &request, &answer);
    return get(&answer, 1, NULL);
}

void cri_start_container(const char *id)
{
    call_with_id("StartContainer", id);
}

void cri_exec(const char *id, const char *const command[], struct cri_output *ret)
{
    cleanup_buf struct buf request = {0}, answer = {0};
    uint64_t code = 0;

    add_text(&request, 1, id);
    add_texts(&request, 2, command);
    add_number(&request, 3, 60);
    call("ExecSync", &request, &answer);
    get(&answer, 3, &code);
    *ret = (struct cri_output){get(&answer, 1, NULL), get(&answer, 2, NULL), (int)code};
}

void cri_output_free(struct cri_output *output)
{
    free(output->out);
    free(output->err);
}

void cri_stop_container(const char *id)
{
    call_with_id("StopContainer", id);
}

void cri_remove_container(const char *id)
{
    call_with_id("RemoveContainer", id);
}

void cri_end_pod(const char *id)
{
    call_with_id("StopPodSandbox", id);
    call_with_id("RemovePodSandbox", id);
}
