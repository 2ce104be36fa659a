#!/bin/bash
# check-clean.sh [FILE]: verify that no bed has left a process, namespace, mount, link, address, route,
# iptables rule, cgroup or state on this machine. One line per finding; exit code 1 if there is any.
# check-clean.sh --snapshot FILE, run before "bed up", records links, routes, mounts, rules and the fixed folders.
# With FILE, after "bed down", every difference to the snapshot is a finding, whatever caused it.
. "$(dirname "$0")/cmd/lib.sh"
[ "$(id -u)" = 0 ] || die "run as root"
need ip iptables-save
rules() { iptables-save 2>/dev/null; ip6tables-save 2>/dev/null || true; ! command -v nft >/dev/null || nft list ruleset 2>/dev/null || true; }
snapshot() {
    ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
    ip -o addr | awk '{print "address", $2, $4}'
    ip route show table all | sed 's/^/route /'
    awk '{print "mount", $5}' /proc/self/mountinfo
    rules | sed -E '/^[#:]/d; s/^\[[0-9:]*\] //; s/packets [0-9]+ bytes [0-9]+//; s/^/rule /'
    find /sys/fs/cgroup -maxdepth 2 -name 'kubepods*' 2>/dev/null | sed 's/^/cgroup /'
    local d; for d in $BOUND; do [ ! -e "$d" ] || echo "folder $d"; done
}
if [ "${1:-}" = --snapshot ]; then snapshot | sort >"${2:?FILE}"; exit 0; fi

found=0
finding() { local l; while IFS= read -r l; do [ -z "$l" ] || { say "$1: $l"; found=$((found + 1)); }; done; }
t=$(traces)
finding "process of the bed in" < <(awk 'NF {print $2 ", pid " $1}' <<<"$t")
# programs of the bed whose command line does not contain a path of the bed
finding "process" < <(for d in /proc/[0-9]*; do
    e=$(readlink "$d/exe" 2>/dev/null) || continue
    case ${e% (deleted)} in "$BIN/hyper" | "$BIN/kwok") echo "pid ${d#/proc/}, $e" ;; esac
done)
finding "network namespace with addresses of a bed, held by" < <(for n in $(readlink /proc/[0-9]*/ns/net 2>/dev/null | sort -u); do
    [ "$n" != "$(readlink /proc/self/ns/net)" ] || continue
    for d in /proc/[0-9]*; do
        [ "$(readlink "$d/ns/net" 2>/dev/null)" = "$n" ] || continue
        nsenter -t "${d#/proc/}" --net ip -o -4 addr 2>/dev/null | grep -qE " (${NODE_IP//./\\.}/|10\.244\.)" && echo "pid ${d#/proc/}, $n"
        break
    done
done)
finding "mount" < <(awk -v run="$RUN" -v b="$BOUND" 'BEGIN {n = split(b, a, " ")}
    index($5, run "/") == 1 {print $5; next}
    {for (i = 1; i <= n; i++) if ($5 == a[i] && $4 ~ /\/run\/mnt\//) print $5}' /proc/self/mountinfo)
finding "link" < <(ip -o link | awk -F': ' '{sub(/@.*/, "", $2); print $2}' | grep -xE "$VETH|cni0|kube-ipvs0|nodelocaldns" || true)
finding "address" < <(ip -o addr | grep -F " ${HOST_IP%.*}." || true)
finding "route" < <(ip route show table all | grep -E "(^| )(10\.200\.0\.|10\.244\.|10\.96\.)" || true)
finding "rule" < <(rules | grep -E 'KUBE-|CNI-|10\.244\.' || true)
finding "cgroup" < <(find /sys/fs/cgroup -type d -name 'kubepods*' -prune 2>/dev/null || true)
finding "state" < <([ ! -e "$RUN" ] || echo "$RUN")
if [ -n "${1:-}" ]; then
    finding "since the snapshot" < <(diff "$1" <(snapshot | sort) | sed -n 's/^</removed:/p; s/^>/new:/p')
fi
[ $found = 0 ] || die "$found findings"
say "clean"
