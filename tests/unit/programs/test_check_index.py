"""Which indexes of texts are removed before Dovecot starts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/dovecot_imap/files/check_index.py"


def load() -> Any:
    """Load the program as a module."""
    spec = importlib.util.spec_from_file_location("check_index", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_index = load()


def index(mail: Path, folder: str, **databases: dict[str, str]) -> Path:
    """Make an index of a folder of il: files and their contents, by the names of its databases."""
    made = mail / "home.internal/il/Maildir" / folder / "fts-flatcurve"
    made.mkdir(parents=True)
    for name, files in databases.items():
        database = made / name.replace("_", ".")
        database.mkdir()
        for file, content in files.items():
            (database / file).write_text(content)
    return made


WHOLE = {"iamglass": "x", "postlist.glass": "x", "flintlock": ""}


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    (tmp_path / ".index-version").write_text("2\n")
    return tmp_path


@pytest.mark.parametrize(
    ("databases", "removed"),
    [
        ({}, False),
        ({"current_1": WHOLE}, False),
        ({"current_1": WHOLE, "index_1": WHOLE}, False),
        ({"current_1": {}}, True),
        ({"current_1": WHOLE | {"postlist.glass": ""}}, True),
        ({"current_1": WHOLE, "index_1": {"iamglass": "x"}}, True),
        ({"current_1": WHOLE, "index_1": {"postlist.glass": "x"}}, True),
        # What an optimization that was cut off has left, the next one removes.
        ({"current_1": WHOLE, "optimize": {}}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("folder", ["", ".Sent", ".유럽.2026"])
def test_one_that_lacks_files_is_removed(
    mail: Path, folder: str, databases: dict[str, dict[str, str]], removed: bool
) -> None:
    one = index(mail, folder, **databases)
    other = index(mail, ".Other", current_1=WHOLE)
    assert check_index.check(mail, "2") == ([one] if removed else [])
    assert one.exists() != removed
    assert other.exists()


@pytest.mark.parametrize("version", ["1\n", "", None])
def test_those_of_another_version_are_removed_once(mail: Path, version: str | None) -> None:
    known = mail / ".index-version"
    known.unlink()
    if version is not None:
        known.write_text(version)
    made = {index(mail, folder, current_1=WHOLE) for folder in ("", ".Sent")}
    message = made.copy().pop().parent / "dovecot-uidlist"
    message.write_text("3 V1 N1")
    assert set(check_index.check(mail, "2")) == made
    assert not any(one.exists() for one in made)
    assert message.exists()
    anew = index(mail, ".New", current_1=WHOLE)
    assert check_index.check(mail, "2") == []
    assert anew.exists()


def test_a_directory_without_mail(mail: Path) -> None:
    assert check_index.check(mail, "2") == []
