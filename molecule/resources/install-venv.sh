#!/usr/bin/env bash
# Makes the Python environment in $1 from the requirements in $2, every package by its hash.
set -euo pipefail
venv=$1
requirements=$2

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "==> python3 has no venv module: installing Debian's python3-venv"
    apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv
fi
echo "==> making the Python environment in $venv (about a minute)"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$requirements" || {
    echo "The packages of $requirements could not be installed. Is PyPI reachable? Then run the same command again." >&2
    exit 1
}
