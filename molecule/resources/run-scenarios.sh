#!/usr/bin/env bash
# Runs molecule scenarios two at a time, for much of a run is waiting, and prints what each said when it has ended.
# At the end it says how each one went, and what failed, so that the end of a long log is enough to know.
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
    printf '==> %s took %dm%02ds and ended with %d\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)) "$status" |
        tee "$LOGS/molecule-$1.end"
    return "$status"
}
export -f run_scenario

# Prints how a scenario ended, pytest's closing lines, and for one that failed the failures that Ansible and pytest name.
show_end() {
    local plain="$LOGS/molecule-$1.plain"
    sed 's/\x1b\[[0-9;]*m//g' "$LOGS/molecule-$1.log" >"$plain"
    cat "$LOGS/molecule-$1.end"
    grep --extended-regexp '^=+ .*[0-9]+ (passed|failed|errors?)\b.* =+$' "$plain" || true
    if ! grep --quiet 'ended with 0$' "$LOGS/molecule-$1.end"; then
        grep --extended-regexp '^(FAILED|ERROR|E  |fatal:|\[ERROR\]|CRITICAL)' "$plain" | cut --characters=-300 | tail --lines=60 || true
    fi
    rm "$plain"
}

rm -f "$LOGS"/molecule-*.end
status=0
printf '%s\n' "$@" | xargs --max-procs=2 --replace bash -c 'run_scenario {}' || status=$?
echo '==> all scenarios have ended'
for scenario in "$@"; do show_end "$scenario"; done
exit "$status"
