# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that fetches accounts, as it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.filter.mbsync_fetch_program import mbsync_fetch_program

TARGET = "/usr/local/lib/mbsync-fetch/mbsync_fetch"
SOURCE = Path(__file__).parents[3] / "roles/mbsync_fetch/files/mbsync_fetch"


def test_every_module_is_installed_in_its_package() -> None:
    found = mbsync_fetch_program(str(SOURCE), TARGET)
    modules = {path.relative_to(SOURCE) for path in SOURCE.rglob("*.py")}
    assert {Path(file["path"]).relative_to(TARGET) for file in found["files"]} == modules
    assert Path("imap/stream.py") in modules
    folders = {str(Path(file["path"]).parent) for file in found["files"]}
    assert {directory["path"] for directory in found["directories"]} == folders
    stream = next(file["content"] for file in found["files"] if file["path"] == f"{TARGET}/imap/stream.py")
    assert stream == (SOURCE / "imap/stream.py").read_text("utf-8")


def test_only_modules_are_installed(tmp_path: Path) -> None:
    for path in ("a/one.py", "a/__pycache__/one.cpython-311.pyc", "a/notes.txt", "b/readme.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    found = mbsync_fetch_program(str(tmp_path), "/p")
    assert found["files"] == [{"path": "/p/a/one.py", "content": ""}]
    assert found["directories"] == [{"path": "/p"}, {"path": "/p/a"}]


@pytest.mark.parametrize("stale", ["house.py", "record/house.py"])
def test_a_module_of_an_older_program_goes(stale: str) -> None:
    patterns = mbsync_fetch_program(str(SOURCE), TARGET)["absent"]
    assert any(Path(f"{TARGET}/{stale}").match(pattern) for pattern in patterns)


def test_no_module_lies_deeper_than_what_goes_when_it_is_stale() -> None:
    found = mbsync_fetch_program(str(SOURCE), TARGET)
    paths = [Path(file["path"]) for file in found["files"]]
    assert [path for path in paths if not any(path.match(pattern) for pattern in found["absent"])] == []
