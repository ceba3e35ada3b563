#!/usr/bin/env bash
# Installs what the behaviour tests see the house with, Debian's Chromium, Thunderbird and zbarimg, where it is missing.
# A test whose client is missing skips and says so: elsewhere than on Debian, or without root, this only tells what to do.
set -euo pipefail

missing=()
want() { [ -n "$(command -v "$1" || ls -d /usr/lib/*/"$1" 2>/dev/null)" ] || missing+=("$2"); }
want chromium chromium
want certutil libnss3-tools
want thunderbird thunderbird
want libnss_wrapper.so libnss-wrapper
# Reads QR codes.
want zbarimg zbar-tools
[ ${#missing[@]} -gt 0 ] || exit 0

if ! [ -f /etc/debian_version ] || [ "$(id -u)" != 0 ]; then
    echo "==> the tests that need ${missing[*]} will be skipped: as root on Debian they would be installed now"
    exit 0
fi
echo "==> installing Debian's ${missing[*]} for the tests"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
