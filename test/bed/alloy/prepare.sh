#!/bin/bash
# prepare.sh: in a copy of the module github.com/grafana/alloy, make it compile from modules that the proxy serves,
# without cloud SDKs. Idempotent.
set -euo pipefail
cp -r "$(dirname "$0")/overlay/." .
# uploading debug symbols needs a fork of the eBPF profiler that is not served; use the stub of other platforms
rm -f internal/component/pyroscope/write/debuginfo/upload.go
sed -i '/^\/\/go:build/d' internal/component/pyroscope/write/debuginfo/stub.go
# discover peers by address only; see overlay/internal/service/cluster/discovery
sed -i '/hashicorp\/go-discover"/d; s/\*godiscover\.Discover/any/; s/godiscover\.Option/any/' internal/service/cluster/discovery/peer_discovery.go
# stanza 0.152 does not have this field yet
sed -i '/cfg\.InputConfig\.FileCacheAdvise = /d' internal/component/otelcol/receiver/filelog/filelog.go

contrib=github.com/open-telemetry/opentelemetry-collector-contrib
edits=(-dropreplace=github.com/grafana/alloy/syntax -replace="$contrib/pkg/translator/loki=./bed/loki")
while read -r module version; do
    case "$module $version" in
    *[dD]ata[dD]og*) edits+=("-droprequire=$module") ;;                       # their go.mod files are not served, and no component here needs them
    $contrib/pkg/translator/loki\ *) ;;
    # 0.153 is served only in part, 0.152 completely
    $contrib/*\ v0.153.0 | go.opentelemetry.io/collector/scraper*\ v0.153.0) edits+=("-replace=$module=$module@v0.152.0") ;;
    esac
done < <(sed -nE 's/^(require)?[[:space:]]+([^[:space:]]+) (v[^[:space:]]+).*/\2 \3/p' go.mod)
go mod edit "${edits[@]}" -replace=github.com/prometheus/common=github.com/prometheus/common@v0.68.1
