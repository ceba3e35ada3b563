#!/usr/bin/env bash
# Builds the documentation site into $1/site: the pages of the repository, at their places, so that their links lead to
# each other, and a reference made of what the roles' specs, the plugins and the playbooks say of themselves.
set -euo pipefail
out=$1
pages=$out/pages

rm -rf "$pages" "$out/site"
mkdir -p "$pages/reference"
find ./*.md LICENSE docs roles molecule/README.md \( -name '*.md' -o -name '*.png' -o -name '*.svg' -o -name LICENSE \
    -o -path '*/files/rules.yml' -o -path '*/files/dashboard.json' \) -exec cp --parents {} "$pages" \;
cp website/conf.py website/index.rst "$pages"
# A folder is no page.
sed -i 's#](changelogs/fragments)#](https://github.com/ilnmors/ilnmors.mail/tree/main/changelogs/fragments)#' "$pages/CHANGELOG.md"
# Its own folder: antsibull-docs refuses one that others may write to.
chmod 0755 "$pages/reference"
"$out/venv/bin/antsibull-docs" collection --use-current --squash-hierarchy --fail-on-error \
    --dest-dir "$pages/reference" ilnmors.mail
# The theme has a table of contents beside each page, and an error in place of another one.
sed -i '/^\.\. contents::/,/^$/d' "$pages"/reference/*.rst
python3 website/playbooks.py playbooks/*.yml >"$pages/reference/playbooks.md"

# A link that leads nowhere is an error.
"$out/venv/bin/sphinx-build" --quiet --fail-on-warning --keep-going --jobs auto "$pages" "$out/site"
echo "The documentation site: file://$(realpath "$out")/site/index.html"
