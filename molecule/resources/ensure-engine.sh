#!/usr/bin/env bash
# Makes a Docker engine answer: leaves a running one as it is, otherwise installs Debian's and starts it.
# What was started is noted in $1, so that `make clean` can stop it.
set -euo pipefail
state=$1
mkdir -p "$state"

docker info >/dev/null 2>&1 && exit 0

if ! command -v dockerd >/dev/null; then
    echo "==> no Docker engine answers: installing Debian's docker.io"
    apt-get update -q
    # Debian 13 packs the command line apart from the engine; Debian 12 has both in docker.io.
    client=$(apt-cache show docker-cli >/dev/null 2>&1 && echo docker-cli || true)
    apt-get install -q -y --no-install-recommends docker.io iptables ${client:+"$client"}
fi

if [ -d /run/systemd/system ]; then
    echo "==> starting the Docker engine with systemd"
    systemctl start docker
else
    echo "==> starting the Docker engine (log: $state/dockerd.log)"
    setsid nohup dockerd >"$state/dockerd.log" 2>&1 </dev/null &
    echo $! >"$state/dockerd.pid"
fi

for _ in $(seq 60); do
    docker info >/dev/null 2>&1 && exit 0
    sleep 0.5
done
{
    echo "The Docker engine does not answer after 30 s. Its last words:"
    tail -n 15 "$state/dockerd.log" 2>/dev/null || journalctl --unit docker --lines 15 --no-pager
    echo "Start it by hand so that 'docker info' works, then run the same command again."
} >&2
exit 1
