#!/bin/sh
# The commands of roles/dovecot_imap/README.md, with nobody there to be asked.
set -e
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2046  # no name there has a blank
sed -i s/bookworm/trixie/ $(find /etc/apt -name '*.list' -o -name '*.sources')
apt-get -q update
apt-get -q -y full-upgrade -o Dpkg::Options::=--force-confold
