/* containerd: by its own client, and through the interface that Kubernetes uses. */
#include "peers/peers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "peers/cri.h"

#define SOCKET "/run/containerd-peer.sock"

static const char *const ctr[] = {"ctr", "--address", SOCKET, NULL};
static const char *const ctr_k8s[] = {"ctr", "--address", SOCKET, "--namespace", "k8s.io", NULL};

/* The lines of the README, around what belongs to a containerd in a corner of its own. */
static const char config[] =
    "version = 2\n"
    "root = \"%s\"\n"
    "state = \"/run/containerd-peer\"\n"
    "[grpc]\n"
    "  address = \"" SOCKET "\"\n"
    "[plugins.\"io.containerd.grpc.v1.cri\"]\n"
    "  sandbox_image = \"" IMAGE "\"\n"
    "  restrict_oom_score_adj = true\n"
    "  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n"
    "    conf_dir = \"/run/no-cni\"\n"
    "  [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n"
    "    snapshotter = \"native\"\n"
    "    default_runtime_name = \"cooper\"\n"
    "    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.cooper]\n"
    "      runtime_type = \"io.containerd.runc.v2\"\n"
    "      options = {BinaryName = \"" RUNTIME "\"}\n";

static void up(void)
{
    cleanup_free char *root = NULL, *text = NULL, *path = NULL;

    peers_setup();
    root = peers_path("containerd");
    text = str_format(config, root);
    path = peers_file("containerd.toml", text);
    peers_daemon((const char *const[]){"containerd", "--config", path, NULL},
                 (const char *const[]){"ctr", "--address", SOCKET, "version", NULL});
    EXPECT(ctr, 0, NULL, "", "image", "import", "--snapshotter", "native", peers_archive());
    EXPECT(ctr_k8s, 0, NULL, "", "image", "import", "--snapshotter", "native", peers_archive());
}

#define OURS "--runc-binary", RUNTIME, "--snapshotter", "native"

START_TEST(ctr_runs_a_container)
{
    EXPECT(ctr, 0, "hi\n", "", "run", "--rm", OURS, IMAGE, "one", "/bin/echo", "hi");
    EXPECT(ctr, 1, "", "stat /nosuch: no such file or directory", "run", "--rm", OURS, IMAGE, "two",
           "/nosuch");
}
END_TEST

START_TEST(ctr_leads_a_containers_life)
{
    EXPECT(ctr, 0, "", "", "run", "-d", OURS, IMAGE, "web", "/bin/sleep", "1000");
    AWAIT(ctr, "RUNNING", "task", "ls");
    EXPECT(ctr, 0, "uid=0 gid=0 groups=0\n", "", "task", "exec", "--exec-id", "e1", "web",
           "/bin/id");
    EXPECT(ctr, 1, "", "stat /nosuch: no such file or directory", "task", "exec", "--exec-id", "e2",
           "web", "/nosuch");
    EXPECT(ctr, 0, "", "", "task", "pause", "web");
    AWAIT(ctr, "PAUSED", "task", "ls");
    EXPECT(ctr, 0, "", "", "task", "resume", "web");
    AWAIT(ctr, "RUNNING", "task", "ls");
    EXPECT(ctr, 0, NULL, "", "task", "ps", "web");
    EXPECT(ctr, 0, "", "", "task", "kill", "--signal", "KILL", "web");
    AWAIT(ctr, "STOPPED", "task", "ls");
    EXPECT(ctr, 0, "", "exit with non-zero exit code 137", "task", "rm", "web");
    EXPECT(ctr, 0, "", "", "container", "rm", "web");
}
END_TEST

/* A pod in the host's network (there is no CNI here) with one container, as kubelet makes it. */
START_TEST(kubernetes_interface_leads_a_containers_life)
{
    cleanup_free char *logs = peers_path("logs"), *log = peers_path("logs/web.log"), *said = NULL;
    cleanup_free char *pod = NULL, *container = NULL;
    struct cri_output output = {0};

    cri_connect(SOCKET);
    pod = cri_run_pod("pod", logs, "cooper");
    container = cri_create_container(
        pod, "pod", logs, "web", IMAGE,
        (const char *const[]){"/bin/sh", "-c", "echo up; exec sleep 1000", NULL});
    cri_start_container(container);
    said = run_wait_for_text(log, "stdout F up", 60);
    ck_assert_ptr_ne(said, NULL);
    cri_exec(container,
             (const char *const[]){"/bin/sh", "-c", "echo in; echo bad >&2; exit 6", NULL},
             &output);
    ck_assert_str_eq(output.out, "in\n");
    ck_assert_str_eq(output.err, "bad\n");
    ck_assert_int_eq(output.code, 6);
    cri_output_free(&output);
    cri_stop_container(container);
    cri_remove_container(container);
    cri_end_pod(pod);
}
END_TEST

static const char *no_containerd(void)
{
    return run_has_program("containerd") && run_has_program("ctr") ? NULL
                                                                   : "there is no containerd";
}

TAG("containerd", no_containerd)

SUITE(containerd)
{
    TCase *t = tcase_create("containerd");

    tcase_set_timeout(t, 240);
    tcase_set_tags(t, "containerd");
    tcase_add_unchecked_fixture(t, up, peers_teardown);
    tcase_add_test(t, ctr_runs_a_container);
    tcase_add_test(t, ctr_leads_a_containers_life);
    tcase_add_test(t, kubernetes_interface_leads_a_containers_life);
    suite_add_tcase(suite, t);
}
