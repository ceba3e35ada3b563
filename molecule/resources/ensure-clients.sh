#!/usr/bin/env bash
# Installs the real clients that the behaviour tests drive, Debian's Chromium and Thunderbird, where they are missing.
# A test whose client is missing skips and says so: elsewhere than on Debian, or without root, this only tells what to do.
set -euo pipefail

missing=()
want() { [ -n "$(command -v "$1" || ls -d /usr/lib/*/"$1" 2>/dev/null)" ] || missing+=("$2"); }
want chromium chromium
want certutil libnss3-tools
want thunderbird thunderbird
want libnss_wrapper.so libnss-wrapper
[ ${#missing[@]} -gt 0 ] || exit 0

if ! [ -f /etc/debian_version ] || [ "$(id -u)" != 0 ]; then
    echo "==> the tests that need ${missing[*]} will be skipped: as root on Debian they would be installed now"
    exit 0
fi
echo "==> installing Debian's ${missing[*]} for the tests in real clients"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
