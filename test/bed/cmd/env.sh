#!/bin/bash
# bed env: eval "$(bed env)" makes kubectl and helm use the bed.
. "$(dirname "$0")/lib.sh"
printf 'export KUBECONFIG=%q\n' "$KUBECONFIG"
printf 'export PATH=%q:"$PATH"\n' "$BIN"
