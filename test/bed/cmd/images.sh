#!/bin/bash
# bed images [NAME…]: make the images of images.json and import them into the bed's containerd under their
# upstream names (default: all images whose programs are built). Unchanged images are skipped.
# The bed cannot pull images: use pullPolicy IfNotPresent, not Always.
. "$(dirname "$0")/lib.sh"
need python3 ctr
[ -S "$RUN/containerd.sock" ] || die "containerd is not running; run \"bed up\" first"
made=0 t0=$(now) without=; mkdir -p "$CTRD/keys" "$RUN/log"
for n in ${*:-$(python3 "$HERE/mkimage.py" "$BED" --names)}; do
    key=$(python3 "$HERE/mkimage.py" "$BED" --key "$n" 2>"$RUN/log/image-$n.log") || {
        [ $# = 0 ] || die "cannot make image $n: $(tail -n 1 "$RUN/log/image-$n.log"); run \"bed build\" first"
        without+=" $n"; continue; }
    [ "$(cat "$CTRD/keys/$n" 2>/dev/null)" = "$key" ] && continue
    python3 "$HERE/mkimage.py" "$BED" "$n" |
        ctr -a "$RUN/containerd.sock" -n k8s.io images import - >"$RUN/log/image-$n.log" 2>&1 ||
        die "importing image $n failed: $(tail -n 3 "$RUN/log/image-$n.log")"
    echo "$key" >"$CTRD/keys/$n"; made=$((made + 1))
done
say "images: $made imported in $(secs "$t0") s${without:+; skipped because their programs are not built:$without}"
