#!/bin/bash
# bed kwok N: add N fake nodes (fake-0 …) with KWOK, for scale tests. Pods on them become Running without a process.
# The nodes have the taint kwok.x-k8s.io/node=fake:NoSchedule and the label type: kwok, so pods need the toleration
# and the nodeSelector. N=0 removes all fake nodes.
. "$(dirname "$0")/lib.sh"
N=${1:-}; [[ $N =~ ^[0-9]+$ ]] || die "usage: bed kwok N"
[ -n "$(holder)" ] || die "the bed is not running; run \"bed up\" first"
[ -x "$BIN/kwok" ] && [ -s "$BIN/kwok-stages.yaml" ] || die "kwok or its stages are missing in $BIN; run \"bed build kwok\" first"
T0=$(now)
if ! { [ -f "$RUN/kwok.pid" ] && kill -0 "$(cat "$RUN/kwok.pid")" 2>/dev/null; }; then
    start kwok "$BIN/kwok" --kubeconfig="$RUN/admin.kubeconfig" --config="$BIN/kwok-stages.yaml" --node-lease-duration-seconds=40 --cidr=10.245.0.0/16 --node-ip=$NODE_IP \
        --manage-all-nodes=false --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake --server-address=127.0.0.1:10247
    wait_for 20 kwok "kwok to answer" inside curl -sf http://127.0.0.1:10247/healthz
fi
if [ "$N" = 0 ]; then
    kubectl delete nodes -l type=kwok >/dev/null
    kill "$(cat "$RUN/kwok.pid")"; rm "$RUN/kwok.pid"; say "fake nodes removed"; exit 0
fi
for i in $(seq 0 $((N - 1))); do cat <<Y
---
apiVersion: v1
kind: Node
metadata:
  name: fake-$i
  annotations: {kwok.x-k8s.io/node: fake, node.alpha.kubernetes.io/ttl: "0"}
  labels: {type: kwok, kubernetes.io/hostname: fake-$i, kubernetes.io/os: linux, kubernetes.io/arch: amd64}
spec: {taints: [{key: kwok.x-k8s.io/node, value: fake, effect: NoSchedule}]}
status:
  allocatable: {cpu: "32", memory: 256Gi, pods: "110"}
  capacity: {cpu: "32", memory: 256Gi, pods: "110"}
Y
done | kubectl apply --server-side -f - >"$RUN/log/kwok-nodes.log" 2>&1 || { tail -n 3 "$RUN/log/kwok-nodes.log"; die "the API server rejected the nodes"; }
ready() { [ "$(kubectl get nodes -l type=kwok --no-headers | awk '$2 == "Ready"' | wc -l)" -ge "$N" ]; }
wait_for 120 kwok "$N fake nodes to be Ready" ready
say "$N fake nodes Ready in $(secs "$T0") s"
