#!/usr/bin/env bash
# Runs molecule scenarios two at a time, for much of a run is waiting, and prints what each said when it has ended.
# Usage: run-scenarios.sh DIRECTORY_OF_LOGS SCENARIO... The longest come first. Fails if one failed.
set -euo pipefail
export LOGS=$1
shift
mkdir -p "$LOGS"

run_scenario() {
    local status=0 log="$LOGS/molecule-$1.log"
    echo "==> molecule test --scenario-name $1 (log: $log)"
    SECONDS=0
    molecule test --scenario-name "$1" >"$log" 2>&1 </dev/null || status=$?
    # One after the other, so that no two mix.
    flock "$LOGS" cat "$log"
    printf '==> %s took %dm%02ds and ended with %d\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)) "$status"
    return "$status"
}
export -f run_scenario

printf '%s\n' "$@" | xargs --max-procs=2 --replace bash -c 'run_scenario {}'
