#!/usr/bin/env bash
# Removes exactly what the lab and the tests made; $1 is the folder where that was noted.
set -uo pipefail
state=$1

if docker info >/dev/null 2>&1; then
    for name in {lab,upgrade}-{mail,app,provider} ldap-{mail,server} monitoring-{mail,watch,provider} bench-{mail,app,provider,stock}; do
        docker container inspect "$name" >/dev/null 2>&1 || continue
        docker rm --force --volumes "$name" >/dev/null && echo "removed the container $name"
    done
    for name in ilnmors-mail-{lab,upgrade,ldap,monitoring,bench}; do
        docker network rm "$name" >/dev/null 2>&1 && echo "removed the network $name"
    done
    # Those that were pulled or built here; an image that was there before stays.
    [ -f "$state/images" ] && sort -u "$state/images" | while read -r image; do
        docker image rm "$image" >/dev/null 2>&1 && echo "removed the image $image"
    done
    # What an older Dockerfile made.
    docker image prune --force --filter label=ilnmors-mail-lab >/dev/null
    if [ -f "$state/dockerd.pid" ] && [ -z "$(docker ps --quiet)" ]; then
        kill "$(cat "$state/dockerd.pid")" 2>/dev/null && echo "stopped the Docker engine that was started here"
    fi
fi
rm -rf "$state" .ansible .cache .venv .mypy_cache .pytest_cache .ruff_cache
find . -name __pycache__ -type d -prune -exec rm -rf {} +
echo "removed the environment; Debian's packages (docker.io, mmdebstrap, and those of ensure-clients.sh) stay installed"
