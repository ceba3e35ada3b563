#!/usr/bin/env bash
# Runs gates of the Ansible community on a copy of this checkout: run.sh FOLDER GATE...
# Gates: sanity-2.19, sanity-newest, units, documentation, importer; changelog prints one. FOLDER keeps copy and tools.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && folder=$(cd "$1" && pwd)
shift
collections=$folder/collections
tree=$collections/ansible_collections/ilnmors/mail
# ansible-test and the importer keep what they make at home, and this one is thrown away with the folder.
home=$folder/home
dependencies=$(cd "$here/../.." && echo "$PWD"/.venv/lib/python3*/site-packages)

# environment NAME PYTHON: the tools of NAME.txt, in an environment of their own.
environment() {
    local venv=$folder/$1 lock=$here/$1.txt
    cmp --silent "$lock" "$venv/installed" && return
    echo "==> making the environment $1"
    # uv itself finds of pyenv's Pythons the chosen one alone.
    PATH=$PATH:$(printf '%s:' ~/.pyenv/versions/*/bin) uv venv --quiet --clear --seed --python "$2" "$venv" || {
        echo "$1 needs Python $2, and there is none here, nor could uv fetch one." >&2
        return 1
    }
    uv pip install --quiet --python "$venv/bin/python" --require-hashes --requirement "$lock"
    cp "$lock" "$venv/installed"
}

# What git knows of or would add, where ansible-test wants it: in a folder of the collection's name, with a git of its own.
copy_tree() {
    rm -rf "$tree" && mkdir -p "$tree"
    (cd "$here/../.." && git ls-files -z --cached --others --exclude-standard |
        tar --create --null --files-from - --ignore-failed-read) 2>/dev/null | tar --extract --directory "$tree"
    git -C "$tree" init --quiet
}

# ansible_test NAME COMMAND...: by the ansible-core of an environment. Nothing of this one reaches it.
ansible_test() {
    local venv=$folder/$1 cache=$home/.ansible/test/cache version
    shift
    mkdir -p "$cache" "$home/.config" && ln -sfn ~/.config/pip "$home/.config/pip"
    sed -nE "s/^ +pip='([0-9.]+)',$/\1/p" "$venv"/lib/python3*/site-packages/ansible_test/_internal/python_requirements.py |
        while read -r version; do cp "$here/get_pip.py" "$cache/get_pip_${version//./_}.py"; done
    (cd "$tree" && env -i HOME="$home" PATH="$venv/bin:/usr/bin:/bin" LANG=C.UTF-8 ansible-test "$@" --color no)
}

sanity() {
    environment "core-$1" "$2"
    ansible_test "core-$1" sanity --local
}

units() {
    environment core-2.19 '>=3.11,<3.14'
    ansible_test core-2.19 units --local --requirements --python default
}

# The collections that this one depends on are those of the checkout's environment.
tools() {
    environment tools '>=3.11'
    export ANSIBLE_HOME=$home/.ansible ANSIBLE_COLLECTIONS_PATH=$collections:$dependencies
}

documentation() {
    tools
    "$folder/tools/bin/antsibull-docs" lint-collection-docs --plugin-docs "$tree"
}

# Galaxy refuses for errors alone; here, a warning is one.
importer() {
    local log=$folder/importer.log
    tools
    rm -rf "$folder/build"
    "$folder/tools/bin/ansible-galaxy" collection build --output-path "$folder/build" "$tree" >/dev/null
    (cd "$folder/build" && HOME=$home "$folder/tools/bin/python" -m galaxy_importer.main ./*.tar.gz) >"$log" 2>&1 || {
        cat "$log" && return 1
    }
    ! grep -E '^(WARNING|ERROR)' "$log"
}

changelog() {
    local version
    version=$(sed -nE 's/^version: //p' "$tree/galaxy.yml")
    (cd "$tree" && antsibull-changelog release --version "$version" --update-existing >/dev/null 2>&1)
    cat "$tree/CHANGELOG.md"
}

# Another run would take the copy from under this one.
exec 9>"$folder/lock"
flock 9
copy_tree
for gate in "$@"; do
    echo "==> $gate" >&2
    case $gate in
        # Each with a Python that its ansible-core supports.
        sanity-2.19) sanity 2.19 '>=3.11,<3.14' ;;
        sanity-newest) sanity newest '>=3.12,<3.15' ;;
        units | documentation | importer | changelog) "$gate" ;;
        *) echo "There is no gate $gate." >&2 && exit 2 ;;
    esac
done
