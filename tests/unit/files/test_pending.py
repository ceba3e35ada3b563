# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Notes of what has been written and not yet applied: when they are made, and which of them go."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._files import pending
from ansible_collections.ilnmors.mail.plugins.module_utils._files.pending import (
    PendingError,
    choose,
    forget,
    note,
    noted,
    read_names,
)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pending, "DIRECTORY", tmp_path / "state" / "pending")
    return tmp_path / "state" / "pending"


def test_a_note_stays_until_it_is_forgotten(directory: Path) -> None:
    assert noted() == {}
    note(["reload-nginx.service", "forget-logins"])
    assert set(noted()) == {"reload-nginx.service", "forget-logins"}
    forget(["forget-logins", "never-made"], noted())
    assert set(noted()) == {"reload-nginx.service"}
    assert directory.stat().st_mode & 0o777 == directory.parent.stat().st_mode & 0o777 == 0o755


def test_nothing_is_made_for_no_notes(directory: Path) -> None:
    note([])
    assert not directory.parent.exists()


def test_a_note_that_was_made_anew_meanwhile_stays(directory: Path) -> None:
    note(["forget-logins"])
    os.utime(directory / "forget-logins", ns=(1, 1))
    seen = noted()
    note(["forget-logins"])
    forget(["forget-logins"], seen)
    assert "forget-logins" in noted()


def test_a_note_is_on_the_disk_before_the_call_ends(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(pending, "sync", synced.append)
    note(["forget-logins"])
    assert synced == [
        directory.parents[1],
        directory.parent,
        directory / "forget-logins",
        directory,
    ]


def test_a_full_disk_is_told_before_anything_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "touch", full)
    with pytest.raises(PendingError, match="No space left on device; nothing was changed"):
        note(["forget-logins"])


ACTIONS = {
    "reload-postfix.service": ["/etc/postfix/*"],
    "restart-postfix.service": ["/etc/systemd/system/postfix.service.d/*"],
    "tell-somebody": [],
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ([], []),
        (["/etc/other"], ["tell-somebody"]),
        (["/etc/postfix/maps/virtual"], ["reload-postfix.service", "tell-somebody"]),
        (["/etc/systemd/system/postfix.service.d"], ["tell-somebody"]),
        (
            ["/etc/postfix/main.cf", "/etc/systemd/system/postfix.service.d/listen.conf"],
            ["reload-postfix.service", "restart-postfix.service", "tell-somebody"],
        ),
    ],
)
def test_a_path_needs_the_actions_whose_patterns_it_has(changed: list[str], expected: list[str]) -> None:
    assert choose(ACTIONS, map(Path, changed)) == expected


@pytest.mark.parametrize("name", ["", "../x", "Reload", "reload nginx", "a/b", ".x", "a\n", "reload-é"])
def test_a_name_that_no_note_can_have_is_refused(name: str) -> None:
    with pytest.raises(PendingError, match="names no action"):
        read_names(["reload-php8.4-fpm.service", name])
