#!/usr/bin/env bash
# What a scenario needs of this machine before its playbooks run, in any clone: the collection under its name, a Docker
# engine, and the archive that stands for SnappyMail's. What is there is left as it is. create.yml makes the images,
# prepare.yml the certificates.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."

"$here/link-collection.sh"
"$here/ensure-engine.sh" .lab
python3 "$here/build-webmail-standin.py" >/dev/null
