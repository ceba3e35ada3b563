# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What starts a fetch, and how it ends when something fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.ilnmors.mail.tests.unit.mbsync_fetch.fakes.world import (
    ACCOUNT,
    FakeRemote,
    World,
    boxes,
)
from mbsync_fetch.account.settings import Account
from mbsync_fetch.account_fetch import attempt, service
from mbsync_fetch.account_fetch.service import by_timer
from mbsync_fetch.local.session import LocalRefusedError
from mbsync_fetch.mailbox_fetch.fetch import MailboxFetch
from mbsync_fetch.mbsync.sync_state import SyncStateError
from mbsync_fetch.remote.account import MailboxError, RemoteError
from mbsync_fetch.status.report import NotFetched
from mbsync_fetch.status.status import Status


def test_a_timer_starts_a_fetch_once_at_each_time(tmp_path: Path) -> None:
    starts = ["", "1000", "1000", "2000", "2000", ""]
    assert [
        by_timer(tmp_path / "timer", {"TRIGGER_TIMER_MONOTONIC_USEC": moment} if moment else {})
        for moment in starts
    ] == [False, True, False, True, False, False]


# --- attempts


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return an account whose attempts are made against a provider and a house in memory."""
    world = World(tmp_path, FakeRemote(boxes(INBOX="a b", Work="c", After="d")))

    @contextlib.contextmanager
    def opened(kind: Any) -> Iterator[Any]:
        world.remote.connections = 1
        yield kind

    class Pulled(MailboxFetch):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.pulling.mbsync = world.mbsync  # type: ignore[method-assign, assignment]

    monkeypatch.setattr(attempt, "RemoteAccount", lambda _account, _secret: opened(world.remote))
    monkeypatch.setattr(attempt, "LocalMailbox", lambda _path, _connected: opened(world.local))
    monkeypatch.setattr(attempt, "MailboxFetch", Pulled)
    return world


def tried(world: World, *, quick: bool = False) -> Status:
    world.kept = attempt.attempt(ACCOUNT, "right horse", world.directory, world.kept, quick=quick)
    return world.kept


def failing(monkeypatch: pytest.MonkeyPatch, name: str, mailbox: str, error: Exception) -> None:
    """Let a method of the provider fail at one mailbox."""
    original = getattr(FakeRemote, name)

    def method(self: FakeRemote, *arguments: Any) -> Any:
        if mailbox in (*arguments, self.open):
            raise error
        return original(self, *arguments)

    monkeypatch.setattr(FakeRemote, name, method)


@pytest.mark.parametrize("name", ["status", "examine", "uids", "survey"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RemoteError("error", "It is damaged"), "Work: It is damaged"),
        (RemoteError("unreachable", "the connection was closed"), "Work: the connection was closed"),
        (MailboxError("STATUS failed."), "Work: STATUS failed."),
        (LocalRefusedError("Google/Work: SELECT: no"), "Work: Google/Work: SELECT: no"),
        (SyncStateError("no state of mbsync's"), "Work: no state of mbsync's"),
        (
            KeyError(b"right horse"),
            "Work: a fault of the program itself: KeyError in test_attempt.py, line ",
        ),
    ],
)
def test_what_fails_at_one_mailbox_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, reason: str
) -> None:
    with monkeypatch.context() as broken:
        failing(broken, name, "Work", error)
        for __ in range(12):
            status = tried(world)
    assert world.inside() == {"Google/After": ["d"], "Google/INBOX": ["a", "b"]}
    assert status.state == "retrying"
    assert status.reason.startswith(reason)
    assert "horse" not in status.reason
    # The others do not wait for it.
    assert status.next_try - status.last_try <= 6 * 60
    (problem,) = [report.problem for report in status.folders if report.problem]
    assert reason.removeprefix("Work: ") in problem
    # What comes to INBOX meanwhile does not hide it.
    status = tried(world, quick=True)
    assert [report.name for report in status.folders if report.problem] == ["Work"]
    status = tried(world)
    assert status.state == "ok"
    assert not [report for report in status.folders if report.problem]
    assert world.inside()["Google/Work"] == ["c"]


def test_an_inbox_that_fails_does_not_put_off_the_other_mailboxes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(world)
    world.remote.boxes["INBOX"].add("e")
    failing(monkeypatch, "examine", "INBOX", RemoteError("error", "It is damaged"))
    for __ in range(12):
        status = tried(world, quick=True)
    assert status.next_try - status.last_try <= 6 * 60


@pytest.mark.parametrize("said", ["[NOPERM] Permission denied", "[CANNOT] no such thing here"])
def test_a_mailbox_that_is_closed_for_good_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    failing(monkeypatch, "status", "Work", MailboxError(said))
    status = tried(world)
    assert status.state == "ok"
    assert status.not_fetched == (NotFetched("Work", "refused", said),)


def test_a_throttled_account_waits_as_long_as_it_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "Request is throttled. Suggested Backoff Time: 299961 milliseconds"
    with monkeypatch.context() as throttled:
        failing(throttled, "status", "INBOX", MailboxError(said))
        status = tried(world)
    assert (status.state, status.reason, status.refusals) == ("limit", said, 0)
    assert 299 < status.next_try - status.last_try < 299.961 * 1.2 + 1
    assert status.may_try(status.last_try + 60, "right horse", asked=True)
    assert tried(world).state == "ok"


def test_a_list_that_is_refused_keeps_no_known_mailbox_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(world)
    world.remote.boxes["INBOX"].add("e")
    error = RemoteError("error", "no list today")
    monkeypatch.setattr(FakeRemote, "mailboxes", Mock(side_effect=error))
    status = tried(world)
    assert status.state == "retrying"
    assert "no list today" in status.reason
    assert world.inside()["Google/INBOX"] == ["a", "b", "e"]


def test_a_fault_of_the_program_is_in_the_status_and_its_trace_in_the_journal(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(attempt, "RemoteAccount", Mock(side_effect=KeyError("right horse")))
    status = tried(world)
    assert status.state == "retrying"
    assert status.reason.startswith("a fault of the program itself: KeyError in ")
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "KeyError: '***'" in said


def test_an_account_without_a_token_asks_nobody(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "token").write_text("")
    monkeypatch.setattr(service, "claim", lambda *__: None)
    monkeypatch.setattr(Account, "read", lambda __: replace(world.account, mechanism="xoauth2"))
    monkeypatch.setattr(service, "attempt", Mock(side_effect=AssertionError))
    assert service.main("gmail") == 77
    assert "-e account=gmail" in Status.read(tmp_path / "status.json").remedy


@pytest.mark.parametrize("account", ["", "{", '{"name": "gmail"}', None])
def test_what_cannot_even_begin_is_in_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str | None
) -> None:
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(service, "ACCOUNTS", tmp_path)
    monkeypatch.setattr(service, "claim", lambda *__: None)
    if account is not None:
        (tmp_path / "gmail.json").write_text(account)
    assert service.main("gmail") == 75
    status = Status.read(tmp_path / "status.json")
    assert status.state == "retrying"
    assert status.reason
    assert status.next_try > status.last_try
