#!/bin/bash
# bed ns CMD…: run a command inside the bed's namespaces, where pod and service IPs are reachable.
. "$(dirname "$0")/lib.sh"
p=$(holder) || die "the bed is not running; run \"bed up\" first"
export PATH=$BIN:$PATH
exec nsenter -t "$p" --net --mount --wd="$PWD" -- "$@"
