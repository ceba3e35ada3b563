#!/usr/bin/env bash
# Makes the lab's image of Debian $1 (trixie, bookworm) from the Dockerfile beside this script.
# The base comes from a registry when it can be pulled, otherwise from the Debian mirror.
# What was made is noted in $2, so that `make clean` removes that and nothing else.
set -euo pipefail
suite=$1 state=$2
here=$(dirname "$(readlink -f "$0")")
base=debian:$suite-slim
image=ilnmors-mail-lab:$suite
recipe=$(sha256sum "$here/Dockerfile" | cut -d' ' -f1)
mkdir -p "$state"

[ "$(docker image inspect --format '{{ index .Config.Labels "ilnmors-mail-lab" }}' "$image" 2>/dev/null)" = "$recipe" ] && exit 0

bootstrap() {
    command -v mmdebstrap >/dev/null || { apt-get update -q; apt-get install -q -y --no-install-recommends mmdebstrap; }
    mmdebstrap --quiet --variant=minbase --include=ca-certificates "$suite" - | docker import - "$base" >/dev/null
}

if ! docker image inspect "$base" >/dev/null 2>&1; then
    echo "==> getting the base image $base"
    if ! timeout 60 docker pull --quiet "$base" 2>/dev/null; then
        echo "==> no registry gives it: building it from the Debian mirror (about half a minute)"
        bootstrap || { echo "Building $base failed. Is the Debian mirror reachable? Then run the same command again." >&2; exit 1; }
    fi
    echo "$base" >>"$state/images"
fi

echo "==> building the image $image"
log=$(docker build --tag "$image" --label "ilnmors-mail-lab=$recipe" --build-arg "SUITE=$suite" "$here" 2>&1) || {
    echo "$log" >&2
    echo "Building $image failed (its output is above). Is the Debian mirror reachable from containers?" >&2
    exit 1
}
grep -qxF "$image" "$state/images" 2>/dev/null || echo "$image" >>"$state/images"
