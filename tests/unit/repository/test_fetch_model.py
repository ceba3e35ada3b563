# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tests of the fetch can tell a mailbox from one that differs, and what must be in the house from what must not."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.fetch_model import KINDS, Model, letter
from ansible_collections.ilnmors.mail.tests.behaviour.support.provider_snapshot import (
    Mailbox,
    Message,
    Snapshot,
    differences,
    epoch,
    listed,
)

NONE: frozenset[str] = frozenset()
SEEN = frozenset({"\\Seen"})
MIDNIGHT = 946_684_800


def message(digest: str, flags: frozenset[str] = NONE, date: int = MIDNIGHT) -> Message:
    return Message(flags, date, digest)


def account() -> Snapshot:
    return {
        "INBOX": Mailbox(NONE, True, 7, 3, {1: message("a"), 2: message("b", SEEN)}),
        "Sent": Mailbox(frozenset({"\\Sent"}), False, 8, 1),
    }


# --- the snapshot


def change(name: str, **values: object) -> Callable[[Snapshot], None]:
    def apply(snapshot: Snapshot) -> None:
        for attribute, value in values.items():
            setattr(snapshot[name], attribute, value)

    return apply


@pytest.mark.parametrize(
    ("done", "lines"),
    [
        (lambda __: None, []),
        (lambda it: it.pop("Sent"), ["mailbox 'Sent' is gone"]),
        (lambda it: it.update(New=it["Sent"]), ["mailbox 'New' is new"]),
        (change("Sent", attributes=NONE), ["'Sent': attributes was (\\Sent), is ()"]),
        (change("Sent", subscribed=True), ["'Sent': subscribed was False, is True"]),
        (change("Sent", uidvalidity=9), ["'Sent': uidvalidity was 8, is 9"]),
        (change("Sent", uidnext=2), ["'Sent': uidnext was 1, is 2"]),
        (lambda it: it["INBOX"].messages.pop(2), ["'INBOX': UID 2 is gone"]),
        (lambda it: it["INBOX"].messages.update({3: message("c")}), ["'INBOX': UID 3 is new"]),
        (
            lambda it: it["INBOX"].messages.update({1: message("a", SEEN)}),
            ["'INBOX': UID 1: flags was (), is (\\Seen)"],
        ),
        (
            lambda it: it["INBOX"].messages.update({1: message("a", date=MIDNIGHT + 1)}),
            ["'INBOX': UID 1: date was 946684800, is 946684801"],
        ),
        (
            lambda it: it["INBOX"].messages.update({1: message("z")}),
            ["'INBOX': UID 1: digest was a, is z"],
        ),
    ],
)
def test_a_difference_is_seen(done: Callable[[Snapshot], None], lines: list[str]) -> None:
    after = account()
    done(after)
    assert differences(account(), after) == lines


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ([b'(\\HasNoChildren \\Marked) "/" INBOX'], {"INBOX": frozenset({"\\HasNoChildren"})}),
        ([b'() "." "He said \\"no\\""'], {'He said "no"': NONE}),
        ([(b'() "/" {5}', b'a"b\\c'), b""], {'a"b\\c': NONE}),
        ([b'(\\Noselect) NIL "a b"'], {"a b": frozenset({"\\Noselect"})}),
        ([None], {}),
    ],
    ids=["atom", "quoted", "literal", "no-separator", "none"],
)
def test_names_of_mailboxes_are_read(answer: list[object], found: dict[str, frozenset[str]]) -> None:
    assert listed(answer) == found


@pytest.mark.parametrize(
    ("internaldate", "seconds"),
    [(" 1-Jan-2000 09:00:00 +0900", MIDNIGHT), ("31-Dec-1999 23:59:59 +0000", MIDNIGHT - 1)],
)
def test_dates_are_moments(internaldate: str, seconds: int) -> None:
    assert epoch(internaldate) == seconds


# --- the model


@pytest.fixture
def model() -> Model:
    """Return a model after a first fetch, which brought both messages of the inbox."""
    new = Model(account(), {"INBOX": "Far/INBOX"}, names={"a": "letter 1"})
    assert new.fetched({"Far/INBOX": house({1: message("a"), 2: message("b", SEEN)})}) == []
    return new


def house(messages: dict[int, Message]) -> Mailbox:
    return Mailbox(NONE, True, 1, 99, messages)


FIRST, SECOND = {1: message("a")}, {2: message("b", SEEN)}
THIRD = message("c", frozenset({"\\Flagged", "$Label"}))
OF_MIDNIGHT = "of Sat, 01 Jan 2000 00:00:00 -0000"


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (FIRST | SECOND | {3: message("c", frozenset({"\\Flagged"}))}, []),
        (FIRST | SECOND, [f"'Far/INBOX': lacks c (\\Flagged) {OF_MIDNIGHT}"]),
        (
            SECOND | {3: message("c", frozenset({"\\Flagged"}))},
            [f"'Far/INBOX': UID 1, letter 1 () {OF_MIDNIGHT}, is missing"],
        ),
        (
            FIRST | SECOND | {uid: message("c", frozenset({"\\Flagged"})) for uid in (3, 4)},
            [f"'Far/INBOX': has beyond c (\\Flagged) {OF_MIDNIGHT}"],
        ),
        (
            FIRST | SECOND | {3: message("c", frozenset({"\\Flagged"})), 4: message("a")},
            [f"'Far/INBOX': has beyond letter 1 () {OF_MIDNIGHT}"],
        ),
        (
            FIRST | {2: message("b"), 3: message("c", frozenset({"\\Flagged"}))},
            [f"'Far/INBOX': UID 2, b (\\Seen) {OF_MIDNIGHT}, is now b () {OF_MIDNIGHT}"],
        ),
        (
            FIRST | SECOND | {3: message("c", frozenset({"\\Flagged"}), MIDNIGHT + 60)},
            [
                f"'Far/INBOX': lacks c (\\Flagged) {OF_MIDNIGHT}",
                "'Far/INBOX': has beyond c (\\Flagged) of Sat, 01 Jan 2000 00:01:00 -0000",
            ],
        ),
    ],
    ids=["as-it-must-be", "not-fetched", "lost", "doubled", "fetched-again", "flags-changed", "date-lost"],
)
def test_a_fetch_brings_what_is_new(model: Model, found: dict[int, Message], lines: list[str]) -> None:
    model.deliver("INBOX", 3, THIRD)
    assert model.fetched({"Far/INBOX": house(found)}) == lines


def test_what_is_deleted_or_moved_in_the_house_does_not_come_back(model: Model) -> None:
    model.house_delete("Far/INBOX", 1)
    model.house_move("Far/INBOX", 2, "Kept", 5)
    assert model.fetched({"Far/INBOX": house({}), "Kept": house({5: message("b", SEEN)})}) == []
    assert model.fetched({"Far/INBOX": house({3: message("a")}), "Kept": house({})}) == [
        f"'Far/INBOX': has beyond letter 1 () {OF_MIDNIGHT}",
        f"'Kept': UID 5, b (\\Seen) {OF_MIDNIGHT}, is missing",
    ]


def test_what_moves_at_the_provider_moves_in_the_house(model: Model) -> None:
    model.lands = {"INBOX": "Far/INBOX", "Sent": "Far/Sent"}
    model.house_flag("Far/INBOX", 1, SEEN)
    model.move("INBOX", 1, "Sent", 1)
    found = {"Far/INBOX": house(SECOND), "Far/Sent": house({9: message("a", SEEN)})}
    assert model.fetched(found) == []
    assert model.provider["Sent"].messages == {1: message("a")}
    assert model.fetched(found) == []


def test_what_moves_at_the_provider_stays_where_the_owner_has_put_it(model: Model) -> None:
    model.lands = {"INBOX": "Far/INBOX", "Sent": "Far/Sent"}
    model.house_move("Far/INBOX", 1, "Kept", 5)
    model.move("INBOX", 1, "Sent", 1)
    assert model.fetched({"Far/INBOX": house(SECOND), "Kept": house({5: message("a")})}) == []


def test_new_numbers_at_the_provider_bring_nothing_again(model: Model) -> None:
    model.deliver("INBOX", 3, THIRD)
    model.renumber("INBOX", Mailbox(NONE, True, 8, 14, {11: THIRD, 12: message("b", SEEN), 13: message("a")}))
    assert model.taken["INBOX"] == {12, 13}
    brought = {3: message("c", frozenset({"\\Flagged"}))}
    assert model.fetched({"Far/INBOX": house(FIRST | SECOND | brought)}) == []


def test_new_numbers_in_the_house_are_taken_for_no_loss_where_they_may_be(model: Model) -> None:
    model.deliver("INBOX", 3, THIRD)
    brought = {8: message("c", frozenset({"\\Flagged"}))}
    again = {6: message("a"), 7: message("b", SEEN)}
    assert model.fetched({"Far/INBOX": house(again | brought)}, may_renumber=True) == []
    assert model.house == {"Far/INBOX": again | brought}


def test_what_happens_at_the_provider_later_stays_there(model: Model) -> None:
    model.delete("INBOX", 1)
    model.flag("INBOX", 2, NONE)
    assert model.fetched({"Far/INBOX": house(FIRST | SECOND)}) == []


def test_flags_in_the_house_are_the_owners(model: Model) -> None:
    model.house_flag("Far/INBOX", 1, SEEN)
    assert model.fetched({"Far/INBOX": house({1: message("a", SEEN)} | SECOND)}) == []


def test_the_provider_has_what_the_test_did_there(model: Model) -> None:
    expected = copy.deepcopy(model.provider)
    model.deliver("Sent", 4, THIRD)
    assert model.provider_problems(expected) == [
        "'Sent': UID 4 is gone",
        "'Sent': uidnext was 5, is 1",
    ]
    assert model.provider_problems(model.provider) == []


@pytest.mark.parametrize("kind", KINDS)
def test_letters_are_what_they_are_called(kind: str) -> None:
    one, other = (letter(random.Random(0), number, kind) for number in (1, 2))
    assert one != other
    assert b"\n" not in one.replace(b"\r\n", b"")
    header, __, body = one.partition(b"\r\n\r\n")
    assert (b"Message-ID" in header) == (kind != "without Message-ID")
    assert (body == b"") == (kind in ("of headers alone", "with an empty body"))
    assert (len(one) > 50_000) == (kind == "large")
    assert one.isascii() == (kind != "8-bit")
