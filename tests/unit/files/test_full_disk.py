# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A disk that takes nothing ends a module in one sentence, with the host as it was; a run after it has room converges.

The kernel's limit of a file's size stands for the full disk, for real files and for what programs of modules write.
"""

from __future__ import annotations

import errno
import getpass
import grp
import importlib
import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._files import disk, pending
from ansible_collections.ilnmors.mail.plugins.module_utils._files.disk import (
    BusyError,
    alone,
    describe,
    left_beside,
)
from ansible_collections.ilnmors.mail.tests.unit.files import test_postfix_map, test_signed_profile
from ansible_collections.ilnmors.mail.tests.unit.files.test_webmail_release import layout, pack

LIMIT = 2048
"""Bytes of a file."""
LONG = "x" * 3 * LIMIT
MINE = {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}
HASH = (
    "{ARGON2ID}$argon2id$v=19$m=64,t=2,p=1$c3Nzc3Nzc3Nzc3Nzc3Nzcw$V5EkqS+nrwblWEvBX8gpmmcAw0r9QCliyxC6tC0KKAI"
)

postfix = test_postfix_map.postfix
Arguments = Callable[[Path, str], dict[str, Any]]


def config_files(etc: Path, text: str) -> dict[str, Any]:
    files = [{"path": str(etc / name), "content": text, **MINE} for name in ("a", "b")]
    return {"files": files, "pending": {"reload-a.service": []}}


def passwd_file(etc: Path, text: str) -> dict[str, Any]:
    names = [f"{text[:10]}{number}" for number in range(1 + len(text) // 100)]
    return {
        "path": str(etc / "users"),
        "accounts": [{"name": name, "password_hash": HASH} for name in names],
        "pending": ["forget-logins"],
    }


def postfix_map(etc: Path, text: str) -> dict[str, Any]:
    return {"maps": [{"path": str(etc / "map"), "entries": {"key": text}}], "directory": str(etc)}


def signed_profile(etc: Path, text: str) -> dict[str, Any]:
    certificate, key = etc.parent / "host.pem", etc.parent / "host.key"
    if not certificate.exists():
        certificate.write_text(test_signed_profile.make(etc.parent, "host"))
    return {
        "path": str(etc / "home.mobileconfig"),
        "content": text,
        "certificate": str(certificate),
        "key": str(key),
    }


def webmail_release(etc: Path, text: str) -> dict[str, Any]:
    archive = etc.parent / f"{len(text)}.tar.gz"
    files = layout() | {"snappymail/v/2.38.2/app/long": text.encode()}
    return {"src": str(archive), "sha256": pack(archive, files), "root": str(etc)}


MODULES: dict[str, tuple[Arguments, str]] = {
    "config_files": (
        config_files,
        "{etc}/a could not be changed: File too large; every file was left as it was",
    ),
    "dovecot_passwd_file": (
        passwd_file,
        "path: {etc}/users: File too large; mend that, and run this again",
    ),
    "postfix_map": (
        postfix_map,
        "maps: {etc}/map could not be written into {etc}: File too large",
    ),
    "signed_profile": (
        signed_profile,
        "{etc}/home.mobileconfig could not be changed: File too large; every file was left as it was",
    ),
    "webmail_release": (webmail_release, "cannot be put in place below {etc}: [Errno 27] File too large"),
}


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(disk, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(pending, "DIRECTORY", tmp_path / "pending")
    monkeypatch.setattr(AnsibleModule, "log", lambda *_args, **__: None)
    path = tmp_path / "etc"
    path.mkdir()
    return path


@contextmanager
def full() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run(capsys: pytest.CaptureFixture[str], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    module = importlib.import_module(f"ansible_collections.ilnmors.mail.plugins.modules.{name}")
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def found(etc: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(etc)): path.read_bytes()
        for path in sorted(etc.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.usefixtures("postfix")
@pytest.mark.parametrize("name", MODULES)
def test_a_full_disk_ends_a_module_in_one_sentence(
    capsys: pytest.CaptureFixture[str], etc: Path, name: str
) -> None:
    arguments, said = MODULES[name]
    before, after = arguments(etc, "short"), arguments(etc, LONG)
    assert run(capsys, name, before)["changed"]
    lay = found(etc)
    with full():
        result = run(capsys, name, after)
    assert result["failed"]
    assert said.format(etc=etc) in result["msg"]
    assert "\n" not in result["msg"]
    assert found(etc) == lay
    assert run(capsys, name, after)["changed"]
    assert not run(capsys, name, after)["changed"]
    assert found(etc) != lay


def test_a_directory_that_takes_no_link_is_said(
    capsys: pytest.CaptureFixture[str], etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {"links": {str(etc / "a"): "/run/a"}}

    def symlink_to(path: Path, __: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "symlink_to", symlink_to)
        result = run(capsys, "links", arguments)
    assert result["msg"] == (
        f"{etc}/.a.new: No space left on device; make room on this host's disk, and run this again"
    )
    assert run(capsys, "links", arguments)["changed"]
    assert not run(capsys, "links", arguments)["changed"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "/etc/x"),
            "/etc/x: Read-only file system; mount its file system so that it can be written to, and run this again",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/etc/.x", None, "/etc/x"),
            "/etc/x: No space left on device; make room on this host's disk, and run this again",
        ),
        (OSError("odd"), "a file of this host: odd; mend that, and run this again"),
    ],
)
def test_an_error_is_a_sentence(error: OSError, said: str) -> None:
    assert describe(error) == said


# --- who writes at a time


def test_a_second_run_waits_for_the_first_and_says_so(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "PATIENCE", 0.2)
    assert etc.is_dir()
    with alone(), pytest.raises(BusyError, match="another run is at work on this host"), alone():
        pytest.fail("two at a time")
    with alone():
        pass


# --- what runs that were cut off have left


def test_what_is_left_beside_files_is_told_from_all_else(etc: Path) -> None:
    for name in (".a.0123abcd", ".a.0123abcz", ".a.0123abc", "a.0123abcd", ".b.01234567", ".c.conf.01234567"):
        (etc / name).touch()
    (etc / ".d.01234567").mkdir()
    assert left_beside([f"{etc}/a", f"{etc}/*.conf", f"{etc}/d"]) == [
        etc / ".a.0123abcd",
        etc / ".c.conf.01234567",
    ]


@pytest.mark.usefixtures("postfix")
@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("config_files", ".a.01234567"),
        ("dovecot_passwd_file", ".users.01234567"),
        ("postfix_map", ".map.01234567"),
        ("postfix_map", ".postfix_map-x/map"),
    ],
)
def test_what_a_run_that_was_cut_off_has_left_is_removed(
    capsys: pytest.CaptureFixture[str], etc: Path, name: str, left: str
) -> None:
    wanted = MODULES[name][0](etc, "short")
    run(capsys, name, wanted)
    path = etc / left
    path.parent.mkdir(exist_ok=True)
    path.write_text("an old password")
    assert run(capsys, name, {**wanted, "_ansible_check_mode": True})["changed"]
    assert path.exists()
    assert run(capsys, name, wanted)["changed"]
    assert "an old password" not in str(found(etc))
    assert not run(capsys, name, wanted)["changed"]


def test_a_finished_transaction_is_on_the_disk(
    capsys: pytest.CaptureFixture[str], etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[Path, list[str]]] = []
    monkeypatch.setattr(
        disk,
        "sync",
        lambda path: synced.append(
            (path, sorted(file.name for file in path.iterdir()) if path.is_dir() else [])
        ),
    )
    run(capsys, "config_files", config_files(etc, "short"))
    directories = [names for path, names in synced if path == etc]
    assert len(directories) == 1
    assert set(directories[0]) >= {"a", "b"}
