#!/bin/bash
# bed down [--purge]: stop the bed and remove its processes, namespaces (with their mounts, iptables rules and the
# veth pair), cgroups and state. Imported images are kept for the next "bed up" unless --purge is given.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || die "run as root"
T0=$(now)
ns=$(cat "$RUN/holder.ns" 2>/dev/null) || ns=
if [ -z "$ns" ]; then       # the state folder is missing: find the processes by their command lines
    p=$(traces | awk -v b="$BED" '$2 == b {print $1; exit}'); [ -z "$p" ] || ns=$(readlink "/proc/$p/ns/mnt")
fi
others=$(traces | awk -v b="$BED" '$2 != b {print $2}' | sort -u)
# ours: every process in our mount namespace and its descendants (containers have their own namespaces)
ours() {
    [ -n "$ns" ] || return 0
    local d p out="" kids new
    for d in /proc/[0-9]*; do [ "$(readlink "$d/ns/mnt" 2>/dev/null)" = "$ns" ] && out+=" ${d#/proc/}"; done
    kids=$out
    while [ -n "$kids" ]; do
        new=""
        for p in $(ps -o pid= --ppid "$(echo $kids | tr ' ' ,)" || true); do
            case " $out " in *" $p "*) ;; *) out+=" $p"; new+=" $p" ;; esac
        done
        kids=$new
    done
    echo $out
}
stop() { # SECONDS NAME…: SIGTERM, wait, SIGKILL; only processes in our mount namespace
    local s=$1 n p pids="" i; shift
    for n; do
        p=$(cat "$RUN/$n.pid" 2>/dev/null) || continue
        [ -n "$ns" ] && [ "$(readlink "/proc/$p/ns/mnt" 2>/dev/null)" = "$ns" ] && { kill "$p" 2>/dev/null || true; pids+=" $p"; }
    done
    for i in $(seq $((s * 10))); do
        for p in $pids; do kill -0 "$p" 2>/dev/null && { sleep 0.1; continue 2; }; done; break
    done
    for p in $pids; do kill -9 "$p" 2>/dev/null || true; done
}
stop 3 kwok kubelet proxy sched kcm
stop 2 apiserver
if [ -n "$(holder)" ] && [ -S "$RUN/containerd.sock" ]; then       # delete the containers, keep the images
    c="timeout 20 ctr -a $RUN/containerd.sock -n k8s.io"
    $c tasks ls -q 2>/dev/null | xargs -r $c tasks rm -f >/dev/null 2>&1 || true
    $c containers ls -q 2>/dev/null | xargs -r $c containers rm >/dev/null 2>&1 || true
fi
stop 3 etcd containerd
for _ in $(seq 20); do
    left=$(ours); [ -n "$left" ] || break
    kill -9 $left 2>/dev/null || true; sleep 0.2
done
[ -z "$(ours)" ] || die "these processes did not exit after SIGKILL: $(ours)"
# The veth pair is deleted with the network namespace. All beds use the same link name and cgroups, so leave them
# alone if another bed is running.
if [ -z "$others" ] && [ -d "$RUN" -o -n "$ns" ]; then
    ip link del $VETH 2>/dev/null || true       # left by a bed whose namespace no longer exists
    for _ in $(seq 15); do                      # a cgroup can be removed only after its last process was reaped
        find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null || true
        [ -n "$(find /sys/fs/cgroup -maxdepth 2 -name kubepods)" ] || break; sleep 0.2
    done
fi
{ grep -sx "/.*" "$RUN/made" || true; } | sort -r | while read -r d; do rmdir "$d" 2>/dev/null || true; done
rm -rf "$RUN"
[ "${1:-}" != --purge ] || rm -rf "$CTRD"
say "down in $(secs $T0) s"
