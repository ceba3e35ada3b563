# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `ansible-galaxy collection build` packs: what a user needs, and no inventory but the example."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
IGNORED = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]


def is_packed(path: str) -> bool:
    """Whether the build takes a path: it leaves out what a pattern matches, and all below such a folder."""
    parts = path.split("/")
    return not any(
        fnmatch("/".join(parts[: n + 1]), pattern) for n in range(len(parts)) for pattern in IGNORED
    )


@pytest.mark.parametrize(
    "path",
    [
        "inventories/my/group_vars/all/vault.yml",
        "inventories/home/hosts.yml",
        "inventories/example.old/group_vars/all/vault.yml",
        "inventories/examples/hosts.yml",
        "inventories/e/hosts.yml",
        "inventories/lab/hosts.yml",
        "tests/unit/conftest.py",
        "molecule/default/molecule.yml",
        ".lab/provider.key",
        "plugins/modules/__pycache__/x.pyc",
        ".github/workflows/ci.yml",
        ".forgejo/workflows/ci.yml",
        ".gitignore",
        "requirements.txt",
    ],
)
def test_it_is_left_out(path: str) -> None:
    assert not is_packed(path)


def test_a_build_holds_what_a_user_needs_and_nothing_else() -> None:
    """Look at all that git knows of or would add: whatever is new has to be left out, or to be listed here."""
    command = ("git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard")
    files = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert sorted({path.split("/")[0] for path in files if is_packed(path)}) == [
        "CHANGELOG.md",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "LICENSES",
        "MAINTAINERS.md",
        "README.md",
        "REUSE.toml",
        "changelogs",
        "docs",
        "galaxy.yml",  # becomes MANIFEST.json
        "inventories",
        "meta",
        "playbooks",
        "plugins",
        "roles",
    ]


@pytest.mark.parametrize("folder", ["docs", "meta", "playbooks", "plugins", "roles", "inventories/example"])
def test_it_is_packed(folder: str) -> None:
    files = [
        path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert files
    assert [path for path in files if not is_packed(str(path.relative_to(ROOT)))] == []
