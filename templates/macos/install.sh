#!/bin/sh
# Installs the bundle in this folder on this Mac: sudo sh install.sh
# Run it again after an update of otelcol-contrib or macmon, and for a new bundle.
# To uninstall: sudo sh /usr/local/genai-obs/uninstall.sh
#
# GENAI_OBS_ROOT=DIR installs below DIR instead of /, for tests, which also replace launchctl and others in PATH.
set -eu

root=${GENAI_OBS_ROOT:-}
home=$root/usr/local/genai-obs
daemons=$root/Library/LaunchDaemons
labels='dev.genai-obs.macmon dev.genai-obs.pressure dev.genai-obs.otelcol'
# sudo may remove these.
PATH=$PATH:/usr/sbin:/opt/homebrew/bin:/usr/local/bin:/opt/local/bin
cd "$(dirname "$0")"

fail() {
  printf 'error: %s\n  next   %s\n' "$1" "$2" >&2
  exit 1
}

# Prints the first version a.b.c in a text as a number.
number() {
  printf '%s\n' "$1" | awk 'match($0, /[0-9]+\.[0-9]+\.[0-9]+/) {
    split(substr($0, RSTART, RLENGTH), part, "."); print part[1] * 1000000 + part[2] * 1000 + part[3]; exit }'
}

# Prints the path of a program, or fails if it is missing or too old.
find_program() { # name, minimum version, how to get it
  path=$(command -v "$1") || fail "$1 is not installed" "$3"
  found=$("$path" --version 2>/dev/null) || fail "$path --version fails" "$3"
  have=$(number "$found")
  [ "${have:-0}" -ge "$(number "$2")" ] || fail "$path is too old: ${found:-no version}; needs $2 or newer" "$3"
  echo "$path"
}

loaded() { launchctl print "system/$1" >/dev/null 2>&1; }

stop() {
  loaded "$1" || return 0
  launchctl bootout "system/$1" || true
  # bootout returns before the service has stopped; a bootstrap would then fail.
  tries=0
  while loaded "$1"; do
    tries=$((tries + 1))
    [ "$tries" -le 30 ] || fail "$1 did not stop within 30 s" "launchctl print system/$1"
    sleep 1
  done
}

[ "$(uname -s)" = Darwin ] || fail 'this is not a Mac' 'copy the folder to the Mac with the name of the folder'
[ "$(uname -m)" = arm64 ] || fail 'macmon requires Apple silicon' 'if this Mac has Apple silicon, use a shell without Rosetta'
[ "$(id -u)" = 0 ] || fail 'install.sh must run as root' 'sudo sh install.sh'
otelcol=$(find_program otelcol-contrib 0.152.0 'put the darwin_arm64 build of github.com/open-telemetry/opentelemetry-collector-releases into /usr/local/bin')
macmon=$(find_program macmon 0.8.2 'brew install macmon, or brew upgrade macmon')

for label in $labels; do stop "$label"; done

# Copies the programs: other users can replace those in Homebrew's folders, and root must not run them.
install -d -m 0755 "$home" "$home/bin" "$home/var" "$home/var/log" "$daemons"
install -d -m 0700 "$home/var/queue"
rm -rf "$home/etc"
install -d -m 0700 "$home/etc"
install -m 0755 "$otelcol" "$home/bin/otelcol-contrib"
install -m 0755 "$macmon" "$home/bin/macmon"
install -m 0755 pressure.sh "$home/bin/pressure.sh"
install -m 0755 uninstall.sh "$home/uninstall.sh"
install -m 0600 config.yaml "$home/etc/config.yaml"
if [ -f token ]; then install -m 0600 token "$home/etc/token"; fi
for file in ca.crt tls.crt tls.key; do
  if [ -f "tls/$file" ]; then
    install -d -m 0700 "$home/etc/tls"
    install -m 0600 "tls/$file" "$home/etc/tls/$file"
  fi
done
for label in $labels; do install -m 0644 "$label.plist" "$daemons/$label.plist"; done
# launchd rejects files of other owners.
chown -R 0:0 "$home"
for label in $labels; do chown 0:0 "$daemons/$label.plist"; done

"$home/bin/otelcol-contrib" validate --config="$home/etc/config.yaml" ||
  fail 'otelcol-contrib rejects the configuration' 'create the bundle again with the current genai-obs'
for label in $labels; do
  launchctl enable "system/$label"
  launchctl bootstrap system "$daemons/$label.plist" || fail "launchd could not load $label" "plutil -lint $daemons/$label.plist; then sudo sh install.sh"
done
echo "installed and started: $labels"
echo "check: sudo launchctl print system/dev.genai-obs.otelcol | grep state; curl -s http://127.0.0.1:9450/metrics; sudo tail $home/var/log/otelcol.log"
