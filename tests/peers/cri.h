/* cri.h - enough of a Kubernetes node agent: containerd's CRI service spoken to with curl, since no
 * client for it is in the distribution. gRPC is HTTP/2 with a five-byte frame around a protobuf
 * message; the messages are those of k8s.io/cri-api, runtime/v1/api.proto. Each call fails the test
 * on an error. */
#pragma once

void cri_connect(const char *socket);
/* In the host's network. The caller frees the id. */
char *cri_run_pod(const char *name, const char *log_directory, const char *runtime_handler);
char *cri_create_container(const char *pod_id, const char *pod_name, const char *log_directory,
                           const char *name, const char *image, const char *const command[]);
void cri_start_container(const char *id);

struct cri_output {
    char *out, *err;
    int code;
};
void cri_exec(const char *id, const char *const command[], struct cri_output *ret);
void cri_output_free(struct cri_output *output);

void cri_stop_container(const char *id); /* at once */
void cri_remove_container(const char *id);
void cri_end_pod(const char *id); /* stopped and removed */
