# Shared by all commands: paths, entering the namespaces, starting processes, waiting and failing.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CMD=$HERE/cmd
BED=${BED:-$HOME/.cache/genai-obs-bed}
BED=$(realpath -m "$BED")
BIN=$BED/bin                  # the binaries
RUN=$BED/run                  # all state of the running cluster; deleted by "down"
CTRD=$BED/containerd          # image store; kept between runs, deleted by "down --purge"
NODE=node-1
NODE_IP=10.200.0.2            # the cluster's side of the veth pair
HOST_IP=10.200.0.1            # the host's side
VETH=genaibed0
# Fixed folders that Kubernetes and containerd write to; bind-mounted to $RUN/mnt inside the bed.
# /var/lib/docker: Alloy mounts its log folder, and containerd creates missing mount sources.
BOUND="/var/log/pods /var/log/containers /var/lib/kubelet /var/lib/cni /var/lib/docker /run/containerd /run/netns /opt/local-path-provisioner"
PATH=$PATH:/usr/sbin:/sbin
export KUBECONFIG=$RUN/admin.kubeconfig

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
need() { local c; for c; do command -v "$c" >/dev/null || die "$c is not installed; see README.md, \"Requirements\""; done; }
secs() { printf '%.1f' "$(($(date +%s%N) / 1000000 - $1))e-3"; }   # seconds since $1 (ms)
now() { echo $(($(date +%s%N) / 1000000)); }

# kubectl: prefer the one in $BIN to the system's
kubectl() { if [ -x "$BIN/kubectl" ]; then "$BIN/kubectl" "$@"; else command kubectl "$@"; fi; }

# One sleeping process holds open the network and the mount namespace of the cluster.
holder() { local p; p=$(cat "$RUN/holder.pid" 2>/dev/null) && [ "$(readlink "/proc/$p/ns/mnt" 2>/dev/null)" = "$(cat "$RUN/holder.ns" 2>/dev/null)" ] && echo "$p"; }
inside() { local p; p=$(holder) || die "the bed is not running; run \"bed up\" first"; nsenter -t "$p" --net --mount --wd="$PWD" -- "$@"; }

# traces: "PID BED-FOLDER" of every process of any bed on this machine. Recognizes etcd, containerd and its shims by the
# paths on their command lines, so it also finds beds in other folders and beds whose state folder was deleted.
# Ignores processes in the host's mount namespace, such as ctr or helm with --kubeconfig.
traces() {
    local d self; self=$(readlink /proc/self/ns/mnt)
    for d in /proc/[0-9]*; do
        [ "$(readlink "$d/ns/mnt" 2>/dev/null || echo "$self")" != "$self" ] || continue
        { tr '\0' '\n' <"$d/cmdline"; } 2>/dev/null |
            sed -nE "s#^(--[a-z-]+=)?(/.*)/run/(etcd/data|containerd\.toml|containerd\.sock)\$#${d#/proc/} \2#p" | head -n 1
    done
}

# start NAME CMD…: run CMD in the namespaces, in the background; logs to $RUN/log/NAME.log
start() {
    local n=$1 p; shift; p=$(holder)
    setsid nsenter -t "$p" --net --mount --wd="$RUN" -- "$@" >"$RUN/log/$n.log" 2>&1 </dev/null &
    echo $! >"$RUN/$n.pid"
}
# wait_for SECONDS NAME WHAT CMD…: poll CMD; on timeout, or if process NAME exits, show its log and fail
wait_for() {
    local end=$((SECONDS + $1)) n=$2 what=$3; shift 3
    until "$@" >/dev/null 2>&1; do
        if [ -f "$RUN/$n.pid" ] && ! kill -0 "$(cat "$RUN/$n.pid")" 2>/dev/null; then what="$what ($n has exited)"
        elif [ $SECONDS -lt $end ]; then sleep 0.3; continue; fi
        say "---- last lines of $RUN/log/$n.log" >&2; tail -n 15 "$RUN/log/$n.log" >&2 || true
        die "timed out waiting for $what"
    done
}
