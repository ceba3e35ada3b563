"""What a provider leaves out of its answers, or refuses for one message, is no fact of anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import provider_mailboxes as at_provider
from ansible_collections.ilnmors.mail.tests.behaviour.support.failing_account import (
    FILE,
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

ALL_OF_IT = r"(?s).*"
MINUTE = 60


@pytest.fixture
def mirroring(mail: Host) -> Iterator[None]:
    """Let the house delete what the provider has deleted."""
    before = mail.file(FILE).content_string
    mail.check_output(f'sed -i \'s/"mirror": false/"mirror": true/\' {FILE}')
    yield
    mail.check_output(f"printf %s > {FILE}", before)


@pytest.fixture
def named_by_use(mail: Host) -> Iterator[None]:
    """Have the account know what mailboxes are for as an iCloud account does."""
    before = mail.file(FILE).content_string
    uses = {"sent": ["Sent Messages"], "trash": ["Deleted Messages"], "junk": ["Junk"], "drafts": ["Drafts"]}
    mail.check_output(f"printf %s > {FILE}", json.dumps(json.loads(before) | {"uses": uses}))
    yield
    mail.check_output(f"printf %s > {FILE}", before)


def test_messages_that_nothing_is_said_of_come_when_something_is(account: Fetched, provider: Host) -> None:
    sent = account.deliver(3)
    with faults(provider, rewrite={"UID FETCH": [[ALL_OF_IT, ""]]}):
        report = account.report(account.fetch())
        assert (report["missing"], [entry["uid"] for entry in report["refused"]]) == (3, [1, 2, 3])
        # What comes meanwhile does not hide them.
        sent_later = account.deliver(1)
    status = account.fetch()
    assert account.in_house() == ids(sent, [1, 2, 3]) + ids(sent_later, [1])
    assert (status["state"], account.report(status)["missing"]) == ("ok", 0)


def test_a_search_that_finds_nothing_makes_no_message_invisible(account: Fetched, provider: Host) -> None:
    sent = account.deliver(3)
    nothing = {
        "UID SEARCH": [[ALL_OF_IT, ""]],
        "UID FETCH": [[ALL_OF_IT, ""]],
    }
    with faults(provider, rewrite=nothing):
        status = account.fetch()
    assert status["state"] == "retrying"
    assert account.mailbox in status["reason"]
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 2, 3])


@pytest.mark.usefixtures("mirroring")
def test_what_an_answer_lacks_is_deleted_nowhere(account: Fetched, provider: Host) -> None:
    sent = account.deliver(4)
    account.fetch()
    assert account.in_house() == ids(sent, range(1, 5))
    for lost in (
        {"UID SEARCH": [[r"ALL [0-9:,]+", "ALL 1"]]},
        {"UID SEARCH": [[ALL_OF_IT, ""]], "UID FETCH": [[ALL_OF_IT, ""]], "LIST": [[ALL_OF_IT, ""]]},
    ):
        with faults(provider, rewrite=lost):
            account.fetch()
        assert account.in_house() == ids(sent, range(1, 5))
    at_provider.expunge(provider, MOODY, account.mailbox, next(iter(ids(sent, [2]))))
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1, 3, 4])


def test_a_message_that_fails_every_command_holds_up_no_other(account: Fetched, provider: Host) -> None:
    sent = account.deliver(9)
    name = quoted(account.mailbox).decode().strip('"')
    with faults(provider, damaged={name: [5]}, refusal="NO [UNAVAILABLE] It is damaged"):
        status = account.fetch()
        assert account.in_house() == ids(sent, [1, 2, 3, 4, 6, 7, 8, 9])
        assert status["state"] == "ok"
        (refused,) = account.report(status)["refused"]
        assert (refused["uid"], refused["reason"]) == (5, "[UNAVAILABLE] It is damaged")
        more = account.deliver(1)
        account.fetch()
        assert account.in_house() == ids(sent, [1, 2, 3, 4, 6, 7, 8, 9]) + ids(more, [1])
    assert not account.report(account.fetch())["refused"]
    assert account.in_house() == ids(sent, range(1, 10)) + ids(more, [1])


def test_a_throttled_account_waits_as_long_as_it_is_told(account: Fetched, provider: Host) -> None:
    sent = account.deliver(1)
    said = "Request is throttled. Suggested Backoff Time: 299961 milliseconds"
    with faults(provider, answers={"STATUS": f"NO {said}"}):
        status = account.fetch()
    assert (status["state"], status["reason"], status["refusals"]) == ("limit", said, 0)
    assert 4 * MINUTE < status["next_try"] - status["last_try"] < 7 * MINUTE
    assert account.fetch()["state"] == "ok"
    assert account.in_house() == ids(sent, [1])


def test_a_mailbox_that_may_not_be_read_is_named(account: Fetched, provider: Host) -> None:
    command = f"STATUS {quoted(account.mailbox).decode()} (MESSAGES UIDNEXT UIDVALIDITY)"
    with faults(provider, answers={command: "NO [NOPERM] Not yours"}):
        status = account.fetch()
    assert status["state"] == "ok"
    assert {"name": account.mailbox, "rule": "refused", "detail": "[NOPERM] Not yours"} in status[
        "not_fetched"
    ]


@pytest.mark.parametrize(
    "rewrite",
    [
        {"STATUS": [[r"UIDNEXT \d+", "UIDNEXT NIL"]], "EXAMINE": [[r".*UIDNEXT[^*]*", ""]]},
        {"STATUS": [[ALL_OF_IT, ""]]},
    ],
    ids=["no-uidnext", "nothing-at-all"],
)
def test_half_a_status_is_enough(
    account: Fetched, provider: Host, rewrite: dict[str, list[list[str]]]
) -> None:
    sent = account.deliver(2)
    with faults(provider, rewrite=rewrite):
        status = account.fetch()
        assert (status["state"], status["reason"]) == ("ok", "")
        assert account.in_house() == ids(sent, [1, 2])
        more = account.deliver(1)
        account.fetch()
    assert account.in_house() == ids(sent, [1, 2]) + ids(more, [1])


@pytest.mark.usefixtures("named_by_use")
def test_mailboxes_are_known_by_their_names_where_the_provider_says_nothing(
    account: Fetched, provider: Host
) -> None:
    at_provider.create(provider, MOODY, "Deleted Messages")
    try:
        account.deliver(1, mailbox="Deleted Messages")
        with faults(provider, hide=["SPECIAL-USE"]):
            status = account.fetch()
        assert status["state"] == "ok"
        assert account.in_house("Deleted Messages") is None
        assert {"name": "Deleted Messages", "rule": "trash", "detail": ""} in status["not_fetched"]
    finally:
        at_provider.delete(provider, MOODY, "Deleted Messages")


def test_a_message_comes_as_it_is(account: Fetched, provider: Host) -> None:
    """With its keywords, and nothing that mbsync has added."""
    sent = at_provider.deliver(provider, MOODY, account.mailbox, flags=["\\Seen", "$Label1", "Arbeit"])
    account.fetch()
    with account.house.imap("guest") as client:
        client.select(quoted(f"Moody/{account.mailbox}").decode(), readonly=True)
        answers = client.fetch("1", "(FLAGS BODY.PEEK[])")[1]
    assert isinstance(answers[0], tuple)
    attributes, text = answers[0]
    said = attributes.decode() + b"".join(part for part in answers if isinstance(part, bytes)).decode()
    assert {"\\Seen", "$Label1", "Arbeit"} <= set(said.replace("(", " ").replace(")", " ").split())
    assert b"X-TUID" not in text
    assert str(sent["Message-ID"]).encode() in text
