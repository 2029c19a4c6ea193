#include "peers/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

const char *engine_prefix[24];

static void set_prefix(const char *const words[])
{
    size_t i = 0;

    for (; words[i]; i++)
        engine_prefix[i] = words[i];
    engine_prefix[i] = NULL;
}

void engine_docker_up(void)
{
    static char host[256];
    cleanup_free char *root = NULL, *file = NULL;

    peers_setup();
    root = peers_path("docker");
    snprintf(host, sizeof host, "unix:///run/docker-peer.sock");
    file = peers_file("daemon.json", "{\"runtimes\": {\"cooper\": {\"path\": \"" RUNTIME "\"}},"
                                     " \"default-runtime\": \"cooper\"}");
    set_prefix((const char *const[]){"docker", "--host", host, NULL});
    setenv("DOCKER_CONFIG", root, 1);
    peers_daemon((const char *const[]){"dockerd", "--config-file", file, "--data-root", root,
                                       "--exec-root", "/run/docker-peer", "--pidfile",
                                       "/run/docker-peer.pid", "-H", host, "--bridge", "none",
                                       "--iptables=false", "--ip6tables=false", NULL},
                 (const char *const[]){"docker", "--host", host, "version", NULL});
    EXPECT(engine_prefix, 0, NULL, "", "load", "-i", peers_archive());
}

void engine_podman_up(void)
{
    cleanup_free char *file = NULL;
    static char *root;

    peers_setup();
    file = peers_file("containers.conf", "[engine.runtimes]\ncooper = [\"" RUNTIME "\"]\n");
    setenv("CONTAINERS_CONF", file, 1);
    unsetenv("DOCKER_CONFIG");
    root = peers_path("podman");
    set_prefix((const char *const[]){"podman", "--root", root, "--runroot", "/run/podman-peer",
                                     "--tmpdir", "/run/podman-peer-tmp", "--cgroup-manager",
                                     "cgroupfs", "--storage-driver", "vfs", "--events-backend",
                                     "file", "--runtime", "cooper", NULL});
    EXPECT(engine_prefix, 0, NULL, "", "load", "-q", "-i", peers_archive());
}

bool engine_is_docker(void)
{
    return !strcmp(engine_prefix[0], "docker");
}
