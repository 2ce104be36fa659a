#!/bin/bash
# bed smoke: test the bed end to end. Deploys a complete stack, sends one trace, one log and one metric with a nonce,
# finds each in its backend, and deletes everything. Prints one line per check; exits non-zero on any failure.
. "$(dirname "$0")/lib.sh"
need curl
NS=bed-smoke NONCE=$(openssl rand -hex 8) TRACE=$(openssl rand -hex 16) PW=$(openssl rand -hex 12)
[ -n "$(holder)" ] || die "the bed is not running; run \"bed up\" first"
k() { kubectl -n $NS "$@"; }
TMP=$(mktemp -d); pids=""
cleanup() { for p in $pids; do kill "$p" 2>/dev/null || true; done; rm -rf "$TMP"; }
trap cleanup EXIT
fails=0
# check WHAT SECONDS CMD…: retry CMD until it succeeds
check() {
    local what=$1 end=$((SECONDS + $2)) t; t=$(now); shift 2
    until "$@" >"$TMP/out" 2>&1; do
        if [ $SECONDS -ge $end ]; then say "FAIL  $what: $(tail -n 3 "$TMP/out" | cut -c1-300)"; fails=$((fails + 1)); return 0; fi
        sleep 0.3
    done
    say "ok    $what ($(secs "$t") s)"
}
# svc SERVICE PORT PATH: a GET through the API server's service proxy
svc() { kubectl get --raw "/api/v1/namespaces/$NS/services/$1:$2/proxy$3"; }
has() { local want=$1; shift; "$@" >"$TMP/got" 2>&1 && grep -q -- "$want" "$TMP/got" || { cat "$TMP/got"; return 1; }; }
forward() { # SERVICE PORT: prints the local port
    : >"$TMP/pf-$1"
    k port-forward "svc/$1" ":$2" --address 127.0.0.1 >"$TMP/pf-$1" 2>&1 & pids+=" $!"
    for _ in $(seq 50); do grep -q '^Forwarding' "$TMP/pf-$1" && break; sleep 0.1; done
    PORT=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\).*/\1/p' "$TMP/pf-$1")
}
T0=$(now)
kubectl delete ns $NS --ignore-not-found --wait >/dev/null 2>&1
kubectl create ns $NS >/dev/null
sed "s/GRAFANA_PASSWORD/$PW/" "$HERE/smoke/stack.yaml" | k apply -f - >"$TMP/apply" 2>&1 || { cat "$TMP/apply"; die "the API server rejected smoke/stack.yaml"; }
wait_stack() { k wait --for=condition=Ready pod --all --timeout=90s; }
check "all pods are ready" 1 wait_stack
[ $fails = 0 ] || { k get pods,pvc; k get events --sort-by=.lastTimestamp | tail -n 15; die "the stack did not become ready; it is left in namespace $NS for inspection"; }
for w in sts/prometheus sts/alertmanager sts/loki sts/tempo deploy/otel-collector deploy/grafana; do
    check "$w is rolled out" 5 k rollout status "$w" --timeout=2s
done
bound() { k get pvc --no-headers | grep -c 'Bound.*local-path'; }
check "5 claims of class local-path are bound" 30 has '^5$' bound
check "kubectl logs" 10 has "Everything is ready" k logs deploy/otel-collector
check "kubectl exec; Grafana runs as user 472" 10 has '^472$' k exec deploy/grafana -- id -u
check "a pod resolves and reaches a service by its short name" 20 has "^ready" k exec client -- wget -qO- http://loki:3100/ready
check "a pod resolves and reaches a service by its full name" 20 has "Ready" k exec client -- wget -qO- http://prometheus.$NS.svc.cluster.local:9090/-/ready
outside() { k exec client -- nslookup example.invalid || true; }
check "a name outside the cluster returns NXDOMAIN immediately" 5 has NXDOMAIN outside

forward otel-collector 4318; OTLP=http://127.0.0.1:$PORT
ts=$(date +%s%N) res='"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"bed-smoke"}}]}'
post() { curl -sSf -m 10 -H 'Content-Type: application/json' --data "$2" "$OTLP/v1/$1"; }
check "port-forward: OTLP trace accepted" 20 post traces '{"resourceSpans":[{'"$res"',"scopeSpans":[{"spans":[{"traceId":"'$TRACE'","spanId":"'${NONCE}'","name":"'"$NONCE"'","kind":1,"startTimeUnixNano":"'$((ts - 1000000))'","endTimeUnixNano":"'$ts'"}]}]}]}'
check "port-forward: OTLP log accepted" 20 post logs '{"resourceLogs":[{'"$res"',"scopeLogs":[{"logRecords":[{"timeUnixNano":"'$ts'","severityText":"INFO","body":{"stringValue":"nonce '"$NONCE"'"}}]}]}]}'
check "port-forward: OTLP metric accepted" 20 post metrics '{"resourceMetrics":[{'"$res"',"scopeMetrics":[{"metrics":[{"name":"bed_smoke","gauge":{"dataPoints":[{"asDouble":42,"timeUnixNano":"'$ts'","attributes":[{"key":"nonce","value":{"stringValue":"'"$NONCE"'"}}]}]}}]}]}]}'
check "trace found in Tempo" 60 has "$NONCE" svc tempo 3200 "/api/traces/$TRACE"
check "log found in Loki" 60 has "nonce $NONCE" svc loki 3100 "/loki/api/v1/query_range?query=%7Bservice_name%3D%22bed-smoke%22%7D"
check "metric found in Prometheus" 60 has '"42"' svc prometheus 9090 "/api/v1/query?query=bed_smoke%7Bnonce%3D%22$NONCE%22%7D"
check "alert reached Alertmanager" 60 has Watchdog svc alertmanager 9093 /api/v2/alerts
forward grafana 3000; GRAF=http://127.0.0.1:$PORT
graf() { curl -sS -m 15 -u "admin:$PW" "$GRAF$1"; }
for d in prometheus loki tempo; do
    check "Grafana: datasource $d is healthy" 60 has '"status":"OK"' graf "/api/datasources/uid/$d/health"
done
check "Grafana: trace found through the datasource proxy" 20 has "$NONCE" graf "/api/datasources/proxy/uid/tempo/api/traces/$TRACE"

# resident memory of the cluster's processes, and of each pod (found by the pod's UID in the cgroup path)
kubectl get pods -A -o json | python3 -c '
import glob, json, sys
run, ns = sys.argv[1:]
def rss(pid):
    try: return next(int(l.split()[1]) for l in open(f"/proc/{pid}/status") if l.startswith("VmRSS")) // 1024
    except (OSError, StopIteration): return 0
own = {f.split("/")[-1][:-4]: rss(open(f).read().strip()) for f in glob.glob(run + "/*.pid")}
pods = {}
groups = {}
for f in glob.glob("/proc/[0-9]*/cgroup"):
    try: groups[f.split("/")[2]] = open(f).read()
    except OSError: pass
for p in json.load(sys.stdin)["items"]:
    n = sum(rss(i) for i, g in groups.items() if "pod" + p["metadata"]["uid"] in g)
    (pods if p["metadata"]["namespace"] == ns else own)[p["metadata"]["name"]] = n
for title, d in (("cluster", own), ("stack", pods)):
    print(f"RSS MiB, {title}:", sum(d.values()), "=", ", ".join(f"{k} {v}" for k, v in sorted(d.items())))' "$RUN" $NS
for p in $pids; do kill "$p" 2>/dev/null || true; done
check "namespace deleted" 5 timeout 90 kubectl delete ns $NS --wait
gone() { ! kubectl get pv --no-headers 2>/dev/null | grep $NS && [ -z "$(ls -A "$RUN/mnt/opt/local-path-provisioner")" ]; }
check "volumes and their folders deleted" 60 gone
[ $fails = 0 ] || die "$fails checks failed"
say "smoke passed in $(secs "$T0") s"
