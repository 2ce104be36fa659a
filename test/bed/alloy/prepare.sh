#!/bin/bash
# prepare.sh, in a copy of the module github.com/grafana/alloy: make it compile from what the proxy serves, without clouds.
# Safe to run twice.
set -euo pipefail
cp -r "$(dirname "$0")/overlay/." .
# uploads of debugging symbols need a fork of the eBPF profiler that is not served; other systems go without, too
rm -f internal/component/pyroscope/write/debuginfo/upload.go
sed -i '/^\/\/go:build/d' internal/component/pyroscope/write/debuginfo/stub.go
# peers by addresses alone: see overlay/internal/service/cluster/discovery
sed -i '/hashicorp\/go-discover"/d; s/\*godiscover\.Discover/any/; s/godiscover\.Option/any/' internal/service/cluster/discovery/peer_discovery.go
# what its stanza 0.152 does not have yet
sed -i '/cfg\.InputConfig\.FileCacheAdvise = /d' internal/component/otelcol/receiver/filelog/filelog.go

contrib=github.com/open-telemetry/opentelemetry-collector-contrib
edits=(-dropreplace=github.com/grafana/alloy/syntax -replace="$contrib/pkg/translator/loki=./bed/loki")
while read -r module version; do
    case "$module $version" in
    *[dD]ata[dD]og*) edits+=("-droprequire=$module") ;;                       # no go.mod of theirs is served, and no component of here needs one
    $contrib/pkg/translator/loki\ *) ;;
    # part of 0.153 is not served, and 0.152 is whole
    $contrib/*\ v0.153.0 | go.opentelemetry.io/collector/scraper*\ v0.153.0) edits+=("-replace=$module=$module@v0.152.0") ;;
    esac
done < <(sed -nE 's/^(require)?[[:space:]]+([^[:space:]]+) (v[^[:space:]]+).*/\2 \3/p' go.mod)
go mod edit "${edits[@]}" -replace=github.com/prometheus/common=github.com/prometheus/common@v0.68.1
