# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What verify says of statements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.fetch_statement import (
    make_statement,
    statement_check,
)
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import FakeRemote, World, boxes

AGAIN = "run 'systemctl start mbsync-fetch@gmail', and ask for it again"


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> World:
    world = World(tmp_path, FakeRemote(boxes(INBOX="a b c", Work="d")))
    world.fetch()
    return world


def said(statement: dict[str, Any]) -> tuple[str, bool | None, str]:
    check = statement_check(json.loads(json.dumps(statement)))
    return check.name, check.ok, check.detail


def test_a_complete_one_passes(world: World) -> None:
    assert said(world.statement()) == ("gmail statement", True, "complete: 4 messages in 2 mailboxes")


def test_what_is_not_here_is_told(world: World) -> None:
    world.remote.boxes["INBOX"].add("e")
    assert said(world.statement()) == (
        "gmail statement",
        False,
        f"not complete: not all of INBOX is here; {AGAIN}",
    )


def test_what_differs_is_named(world: World) -> None:
    world.local.boxes["Google/Work"].messages[1] = "x"
    assert said(world.statement()) == (
        "gmail statement",
        False,
        "not complete: not all of Work is here; the messages with these UIDs are others in the house: Work 1; "
        f"{AGAIN}",
    )


def test_what_the_provider_closes_is_named(world: World) -> None:
    statement = world.statement()
    statement["not_fetched"] = [{"name": "Closed", "rule": "refused", "detail": "no", "messages": None}]
    statement["complete"] = False
    assert said(statement)[2] == f"not complete: not all of Closed is here; {AGAIN}"


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(python.parent), prepend=":")


def test_it_is_made_on_the_mail_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, """printf '{"account": "%s", "how": "%s"}' "$4" "$PYTHONPATH $1 $2 $3" """)
    assert make_statement("gmail") == {
        "account": "gmail",
        "how": "/usr/local/lib/mbsync-fetch -B -m mbsync_fetch.statement",
    }


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("echo 'gmail: the provider is down' >&2; exit 1", "the provider is down"),
        ("exit 3", "it ended with 3"),
        ("echo '{'", "its statement is not JSON"),
    ],
)
def test_one_that_cannot_be_made_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: str
) -> None:
    program(tmp_path, monkeypatch, script)
    statement = make_statement("gmail")
    assert statement == {"account": "gmail", "complete": False, "error": error}
    assert said(statement) == ("gmail statement", False, f"{error}; {AGAIN}")
