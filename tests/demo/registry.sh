# registry.sh - to be sourced: Debian's docker-registry on loopback, on a port the kernel chooses.
# shellcheck shell=bash
#
#     registry_start DIRECTORY   sets registry_pid and registry_address ("127.0.0.1:PORT"); answers when it returns
#     registry_stop              ends exactly that process and waits for it

registry_pid=

registry_start() {
    local dir=$1 tries
    mkdir -p "$dir/data"
    cat >"$dir/config.yml" <<CONFIG
version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $dir/data}}
http: {addr: "127.0.0.1:0"}
CONFIG
    : >"$dir/log"
    docker-registry serve "$dir/config.yml" </dev/null >>"$dir/log" 2>&1 &
    registry_pid=$!
    # Port 0: the kernel gives a free one and the log tells which. Then the port is asked, not the clock.
    for ((tries = 0; tries < 150; tries++)); do
        registry_address=$(sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$dir/log")
        if [ -n "$registry_address" ] && curl -fsS -o /dev/null "http://$registry_address/v2/" 2>/dev/null; then
            return 0
        fi
        kill -0 "$registry_pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "the registry did not come up; it said:" >&2
    cat "$dir/log" >&2
    return 1
}

registry_stop() {
    [ -n "$registry_pid" ] || return 0
    kill "$registry_pid" 2>/dev/null || true
    wait "$registry_pid" 2>/dev/null || true
    registry_pid=
}
