"""A fetch goes on where it can when a provider refuses, cuts, hangs or changes its mailboxes, and loses nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.support.failing_account import (
    FILE,
    FOLDER,
    OWNER,
    Fetched,
    _nothing_else_fetches,
    account,
    ids,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_mailboxes import MOODY, faults
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_side import quoted
from testinfra.host import Host

__all__ = ["_nothing_else_fetches", "account"]

pytestmark = pytest.mark.usefixtures("provider")

HOUR = 3600


@pytest.mark.parametrize(
    "refusal",
    ["NO [SERVERBUG] This message cannot be handed over", "NO Some messages could not be fetched (Failure)"],
    ids=["with-a-code", "without"],
)
def test_a_message_that_is_refused_holds_up_no_other(account: Fetched, provider: Host, refusal: str) -> None:
    after = f"{account.mailbox} after"
    at_provider.create(provider, MOODY, after)
    sent, others = account.deliver(5), account.deliver(2, mailbox=after)
    with faults(provider, refuse={quoted(account.mailbox).decode().strip('"'): [3]}, refusal=refusal):
        status = account.fetch()
        assert account.in_house() == ids(sent, [1, 2, 4, 5])
        assert account.in_house(after) == ids(others, [1, 2])
        assert status["state"] == "ok"
        (refused,) = account.report(status)["refused"]
        assert refused["uid"] == 3
        assert refusal.partition(" ")[2] in refused["reason"]
        more = account.deliver(1)
        account.fetch()
        assert account.in_house() == ids(sent, [1, 2, 4, 5]) + ids(more, [1])
    status = account.fetch()
    assert account.in_house() == ids(sent, range(1, 6)) + ids(more, [1])
    assert not account.report(status)["refused"]


def test_a_mailbox_that_cannot_be_opened_holds_up_no_other(account: Fetched, provider: Host) -> None:
    after = f"{account.mailbox} after"
    at_provider.create(provider, MOODY, after)
    sent, others = account.deliver(2), account.deliver(2, mailbox=after)
    with faults(provider, answers={f"EXAMINE {quoted(account.mailbox).decode()}": "NO It is damaged"}):
        status = account.fetch()
    assert status["state"] == "retrying"
    assert status["reason"] == f"{account.mailbox}: It is damaged"
    assert account.in_house(after) == ids(others, [1, 2])
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 2])


def test_a_fetch_that_was_cut_goes_on_where_it_stopped(account: Fetched, provider: Host) -> None:
    sent = account.deliver(20, size=20_000)
    arrived = None
    with faults(provider, cut=150_000):
        # What the house was still taking when the provider was gone comes again.
        for __ in range(5):
            assert account.fetch()["state"] == "retrying"
            if arrived := account.in_house():
                break
    assert arrived
    assert 0 < arrived.total() < 20
    start = time.time()
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, range(1, 21))
    assert len(account.asked(start)) == 20 - arrived.total()


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("STATUS", "NO [LIMIT] Too many requests"),
        ("UID FETCH", "NO [OVERQUOTA] Account exceeded command or bandwidth limits"),
        ("LOGIN", "NO [ALERT] Too many simultaneous connections. (Failure)"),
    ],
    ids=["status", "fetch", "login"],
)
def test_it_waits_when_the_provider_has_had_enough(
    account: Fetched, provider: Host, command: str, reply: str
) -> None:
    sent = account.deliver(2)
    with faults(provider, answers={command: reply}):
        status = account.fetch()
    assert status["state"] == "limit"
    assert reply.partition(" ")[2] in status["reason"]
    assert status["next_try"] - status["last_try"] >= HOUR
    start = time.time()
    assert account.start()["last_try"] == status["last_try"]
    assert not at_provider.commands(provider, MOODY, start)
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 2])


@pytest.fixture
def impatient(mail: Host) -> Iterator[None]:
    """Let the account's fetch wait for an answer for two seconds."""
    before = mail.file(FILE).content_string
    mail.check_output(f'sed -i \'s/"timeout": [0-9]*/"timeout": 2/\' {FILE}')
    yield
    mail.check_output(f"printf %s > {FILE}", before)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "mood",
    [{"answers": {"LOGIN": None}}, {"answers": {"EXAMINE": None}}, {"hang": 30_000}],
    ids=["login", "examine", "within-a-message"],
)
def test_it_gives_up_a_provider_that_hangs(account: Fetched, provider: Host, mood: dict[str, Any]) -> None:
    sent = account.deliver(3, size=20_000)
    start = time.monotonic()
    with faults(provider, **mood):
        status = account.fetch()
    assert time.monotonic() - start < 20
    assert status["state"] == "retrying"
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 2, 3])


def test_a_mailbox_that_is_numbered_anew_is_recognised(account: Fetched, provider: Host) -> None:
    sent = account.deliver(6)
    account.fetch()
    with account.house.imap(OWNER) as client:
        client.select(quoted(f"{FOLDER}/{account.mailbox}").decode())
        client.store("2", "+FLAGS", r"(\Deleted)")
        client.expunge()
    new = account.deliver(1)
    validity = at_provider.renumber(provider, MOODY, account.mailbox)
    start = time.time()
    status = account.fetch()
    assert status["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 3, 4, 5, 6]) + ids(new, [1])
    assert len(account.asked(start)) == 1
    (note,) = [note["text"] for note in status["notes"] if account.mailbox in note["text"]]
    assert f"was renumbered by the provider (UIDVALIDITY {validity - 1}, now {validity})" in note
    assert "6 of 7 messages are known" in note

    # It goes on as before.
    later = account.deliver(1)
    account.fetch()
    assert account.in_house() == ids(sent, [1, 3, 4, 5, 6]) + ids(new, [1]) + ids(later, [1])


def test_what_was_fetched_outlives_its_mailbox(account: Fetched, provider: Host) -> None:
    sent = account.deliver(2)
    account.fetch()
    at_provider.delete(provider, MOODY, account.mailbox)
    status = account.fetch()
    assert status["state"] == "ok"
    assert account.report(status)["gone"] is True
    assert any(f"{account.mailbox} is no longer there" in note["text"] for note in status["notes"])
    assert account.in_house() == ids(sent, [1, 2])

    # It comes back with other messages.
    at_provider.create(provider, MOODY, account.mailbox)
    new = account.deliver(1)
    status = account.fetch()
    assert account.report(status)["gone"] is False
    assert account.in_house() == ids(sent, [1, 2]) + ids(new, [1])


def test_a_mailbox_that_is_renamed_is_recognised(account: Fetched, provider: Host) -> None:
    sent = account.deliver(3)
    account.fetch()
    renamed = f"{account.mailbox} neu"
    at_provider.rename(provider, MOODY, account.mailbox, renamed)
    new = account.deliver(1, mailbox=renamed)
    start = time.time()
    status = account.fetch()
    assert any(f"{account.mailbox} is called {renamed}" in note["text"] for note in status["notes"])
    assert account.in_house() is None
    assert account.in_house(renamed) == ids(sent, [1, 2, 3]) + ids(new, [1])
    assert len(account.asked(start)) == 1


def test_a_message_that_is_moved_is_in_the_house_once(account: Fetched, provider: Host) -> None:
    other = f"{account.mailbox} 2"
    at_provider.create(provider, MOODY, other)
    sent = account.deliver(3)
    account.fetch()
    at_provider.move(provider, MOODY, account.mailbox, other, next(iter(ids(sent, [2]))))
    start = time.time()
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 3])
    assert account.in_house(other) == ids(sent, [2])
    assert not account.asked(start)
