#!/bin/bash
# bed ns CMD…: run a command inside the bed's namespaces, where pod and service addresses are reachable.
. "$(dirname "$0")/lib.sh"
p=$(holder) || die "the bed is not up"
export PATH=$BIN:$PATH
exec nsenter -t "$p" --net --mount --wd="$PWD" -- "$@"
