#!/usr/bin/env bash
# Lets Ansible, pytest and mypy find this clone as the collection ilnmors.mail, in the clone's own ANSIBLE_HOME.
set -euo pipefail
root=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
link=$root/.ansible/collections/ansible_collections/ilnmors/mail
[ "$(readlink "$link")" = "$root" ] && exit 0
mkdir -p "$(dirname "$link")"
ln -sfn "$root" "$link"
