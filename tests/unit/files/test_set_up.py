# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host was last set up with: when it is forgotten, and when it is known again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._files import set_up
from ansible_collections.ilnmors.mail.plugins.modules import site_parts

BEFORE = {"quota": "1", "users": "1"}


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state" / "set-up.json"
    monkeypatch.setattr(set_up, "RECORD", path)
    return path


def run(
    capsys: pytest.CaptureFixture[str],
    state: str,
    now: dict[str, str],
    applied: list[str],
    check: bool = False,
) -> dict[str, Any]:
    """Run the module as its action does."""
    given = {"state": state, "digests": now, "applied": applied, "_ansible_check_mode": check}
    with patch_module_args(given), pytest.raises(SystemExit):
        site_parts.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_host_that_was_never_set_up_is_not_known(capsys: pytest.CaptureFixture[str], record: Path) -> None:
    found = run(capsys, "begun", BEFORE, ["users"])
    assert (found["known"], found["left_out"], found["changed"]) == (False, ["quota"], False)
    assert not record.exists()


def test_what_is_applied_is_forgotten_until_it_is_done(
    capsys: pytest.CaptureFixture[str], record: Path
) -> None:
    set_up.write(BEFORE)
    now = {"quota": "1", "users": "2"}
    assert run(capsys, "begun", now, ["users"], check=True)["changed"]
    assert set_up.read() == BEFORE
    assert run(capsys, "begun", now, ["users"])["changed"]
    assert set_up.read() == {"quota": "1"}
    # A run that was cut off here has applied some of it: neither what was nor what is now is certain.
    assert run(capsys, "begun", BEFORE, [])["left_out"] == ["users"]
    assert run(capsys, "finished", now, ["users"])["changed"]
    assert set_up.read() == now
    assert record.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("state", ["begun", "finished"])
def test_nothing_is_written_where_nothing_has_changed(capsys: pytest.CaptureFixture[str], state: str) -> None:
    set_up.write(BEFORE)
    found = run(capsys, state, BEFORE, ["users"])
    assert (found["changed"], found["left_out"], found["known"]) == (False, [], True)


def test_what_is_not_applied_is_not_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    set_up.write(BEFORE)
    assert run(capsys, "begun", {"quota": "2", "users": "2"}, ["users"])["left_out"] == ["quota"]
    assert set_up.read() == BEFORE


@pytest.mark.parametrize("damaged", ["", "[]", '{"quota": '])
def test_a_damaged_record_is_none(record: Path, damaged: str) -> None:
    record.parent.mkdir()
    record.write_text(damaged)
    assert set_up.read() == {}
