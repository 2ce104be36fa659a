#!/bin/sh
# Stops the services and removes only the files that install.sh installed:
#   sudo sh /usr/local/genai-obs/uninstall.sh
# Also deletes metrics that the collector has not sent yet. GENAI_OBS_ROOT: see install.sh.
set -eu

root=${GENAI_OBS_ROOT:-}
home=$root/usr/local/genai-obs
daemons=$root/Library/LaunchDaemons

[ "$(id -u)" = 0 ] || {
  printf 'error: uninstall.sh must run as root\n  next   sudo sh %s\n' "$0" >&2
  exit 1
}

loaded() { launchctl print "system/$1" >/dev/null 2>&1; }

for label in dev.genai-obs.otelcol dev.genai-obs.pressure dev.genai-obs.macmon; do
  if loaded "$label"; then launchctl bootout "system/$label" || true; fi
  # bootout returns before the service has stopped.
  tries=0
  while loaded "$label" && [ "$tries" -lt 30 ]; do
    tries=$((tries + 1))
    sleep 1
  done
  rm -f "$daemons/$label.plist"
done
for file in uninstall.sh bin/otelcol-contrib bin/macmon bin/pressure.sh etc/config.yaml etc/token etc/tls/ca.crt etc/tls/tls.crt etc/tls/tls.key; do
  rm -f "$home/$file"
done
rm -rf "$home/var/queue" "$home/var/log"
for dir in "$home/bin" "$home/etc/tls" "$home/etc" "$home/var" "$home"; do
  [ ! -d "$dir" ] || rmdir "$dir" 2>/dev/null || echo "kept, because it contains other files: $dir" >&2
done
echo 'uninstalled'
