# Shared by all commands: where things lie, how to enter the namespaces, how to fail.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CMD=$HERE/cmd
BED=${BED:-$HOME/.cache/genai-obs-bed}
BED=$(realpath -m "$BED")
BIN=$BED/bin                  # the binaries
RUN=$BED/run                  # all state of the running cluster; "down" deletes it
CTRD=$BED/containerd          # image store; kept between runs ("down --purge" deletes it)
NODE=node-1
NODE_IP=10.200.0.2            # the cluster's side of the veth pair
HOST_IP=10.200.0.1            # the host's side
VETH=genaibed0
# folders with fixed paths that Kubernetes and containerd write to; bound to $RUN/mnt inside of the bed
# (docker: Alloy mounts its log folder, and containerd makes what is mounted and missing)
BOUND="/var/log/pods /var/log/containers /var/lib/kubelet /var/lib/cni /var/lib/docker /run/containerd /run/netns /opt/local-path-provisioner"
PATH=$PATH:/usr/sbin:/sbin
export KUBECONFIG=$RUN/admin.kubeconfig

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
need() { local c; for c; do command -v "$c" >/dev/null || die "$c is missing; see README.md, \"Needs\""; done; }
secs() { printf '%.1f' "$(($(date +%s%N) / 1000000 - $1))e-3"; }   # seconds since $1 (ms)
now() { echo $(($(date +%s%N) / 1000000)); }

# kubectl: the one built here if there is one, else the system's.
kubectl() { if [ -x "$BIN/kubectl" ]; then "$BIN/kubectl" "$@"; else command kubectl "$@"; fi; }

# The cluster lives in a network and a mount namespace held open by one sleeping process.
holder() { local p; p=$(cat "$RUN/holder.pid" 2>/dev/null) && [ "$(readlink "/proc/$p/ns/mnt" 2>/dev/null)" = "$(cat "$RUN/holder.ns" 2>/dev/null)" ] && echo "$p"; }
inside() { local p; p=$(holder) || die "the bed is not up"; nsenter -t "$p" --net --mount --wd="$PWD" -- "$@"; }

# traces: "PID BED-FOLDER" of every process that belongs to some bed on this machine, told by the paths on its
# command line (etcd, containerd, its shims): finds beds of other folders, and beds whose state folder is gone.
# Clients of a bed (ctr, helm with --kubeconfig) live in the machine's own mount namespace and do not count.
traces() {
    local d self; self=$(readlink /proc/self/ns/mnt)
    for d in /proc/[0-9]*; do
        [ "$(readlink "$d/ns/mnt" 2>/dev/null || echo "$self")" != "$self" ] || continue
        { tr '\0' '\n' <"$d/cmdline"; } 2>/dev/null |
            sed -nE "s#^(--[a-z-]+=)?(/.*)/run/(etcd/data|containerd\.toml|containerd\.sock)\$#${d#/proc/} \2#p" | head -n 1
    done
}

# start NAME CMD…: run in the namespaces, in the background, log to $RUN/log/NAME.log
start() {
    local n=$1 p; shift; p=$(holder)
    setsid nsenter -t "$p" --net --mount --wd="$RUN" -- "$@" >"$RUN/log/$n.log" 2>&1 </dev/null &
    echo $! >"$RUN/$n.pid"
}
# wait_for SECONDS NAME WHAT CMD…: poll CMD; when time is up, or process NAME is gone, show its log
wait_for() {
    local end=$((SECONDS + $1)) n=$2 what=$3; shift 3
    until "$@" >/dev/null 2>&1; do
        if [ -f "$RUN/$n.pid" ] && ! kill -0 "$(cat "$RUN/$n.pid")" 2>/dev/null; then what="$what ($n has exited)"
        elif [ $SECONDS -lt $end ]; then sleep 0.3; continue; fi
        say "---- last lines of $RUN/log/$n.log" >&2; tail -n 15 "$RUN/log/$n.log" >&2 || true
        die "gave up waiting for: $what"
    done
}
