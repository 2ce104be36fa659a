#!/bin/bash
# bed status: show processes, uptime and memory. Exit code: 0 up, 1 degraded, 3 down.
. "$(dirname "$0")/lib.sh"
say "folder      $BED"
have=$(find "$BIN" -maxdepth 1 -type f -not -name '*.new' 2>/dev/null | wc -l)
say "programs    $have in $BIN"
[ ! -d "$CTRD/keys" ] || say "images      $(find "$CTRD/keys" -type f | wc -l) imported"
others=$(traces | awk -v b="$BED" '$2 != b {print $2}' | sort -u)
[ -z "$others" ] || say "another bed $(echo $others)"
if [ -z "$(holder)" ]; then
    left=$(traces | awk -v b="$BED" '$2 == b {print $1}' | tr '\n' ' ')
    [ -z "$left" ] || { say "cluster     degraded: processes $left are still running; stop them with \"bed down\""; exit 1; }
    say "cluster     down"; exit 3
fi
dead=
for n in etcd containerd apiserver kcm sched kubelet proxy; do
    p=$(cat "$RUN/$n.pid" 2>/dev/null) || p=
    if [ -n "$p" ] && kill -0 "$p" 2>/dev/null; then
        say "$(printf '%-11s pid %-7s %4d MB  up %s' "$n" "$p" "$(($(awk '/^VmRSS/ {print $2}' "/proc/$p/status") / 1024))" "$(ps -o etime= -p "$p" | tr -d ' ')")"
    else say "$(printf '%-11s not running; see %s' "$n" "$RUN/log/$n.log")"; dead+=" $n"; fi
done
[ -z "$dead" ] && [ -f "$RUN/ready" ] && kubectl get --raw /readyz >/dev/null 2>&1 ||
    { say "cluster     degraded; start a new one with \"bed up\""; exit 1; }
say "pods        $(kubectl get pods -A --no-headers 2>/dev/null | awk '{s[$4]++} END {for (k in s) printf "%s%d %s", (n++ ? ", " : ""), s[k], k}')"
say "cluster     up: Kubernetes $(kubectl version 2>/dev/null | sed -n 's/^Server Version: //p'), $(kubectl get nodes --no-headers | awk '$2 == "Ready"' | wc -l) nodes ready"
say "kubeconfig  $KUBECONFIG"
