# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The books of a mailbox: where each message is that the provider has in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from .ledger import Reason

Place = Literal["here", "elsewhere", "draft", "filed", "deleted", "refused", "to_come"]
"""Where a message of the provider's is.

here: in the mailbox's folder. elsewhere: in the folder of another mailbox of the account. draft: left out by the rule
that drafts are not fetched with all mail. filed: the owner's scripts took it from the inbox as it arrived.
deleted: its owner has deleted it here, or moved it away. refused: the provider does not hand it over, or Dovecot does
not take it. to_come: it has yet to be fetched.
"""
PLACES: tuple[Place, ...] = get_args(Place)

NOT_HERE: frozenset[Reason] = frozenset({"copy", "draft"})
"""Why messages are in the record that were not brought from the mailbox whose they are."""


@dataclass(frozen=True)
class Books:
    """How many of a mailbox's messages are where, as of when both sides were last looked at.

    messages: how many the provider had, and listed one by one. places: how many of them are where.
    unplaced: the UIDs of those of which nobody knows. extent: what tells whether anything has changed since.
    """

    messages: int
    places: Mapping[Place, int]
    unplaced: tuple[int, ...] = ()
    extent: tuple[int, ...] = ()

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Books:
        """Return the books that asdict() turned into these values."""
        return cls(
            messages=int(values["messages"]),
            places={place: int(values["places"][place]) for place in PLACES},
            unplaced=tuple(values["unplaced"]),
            extent=tuple(values["extent"]),
        )

    @property
    def balanced(self) -> bool:
        """Whether each message has a place."""
        return not self.unplaced and sum(self.places.values()) == self.messages


@dataclass(frozen=True)
class Held:
    """What was ever fetched from a mailbox, and what its local folder has of that.

    By the provider's UID, or the number of one that was gone when the mailbox was numbered anew: marks, each message's
    fingerprint; reasons, why it is in the record; pairs, its local UID, 0 where it is not to be there.
    present: the UIDs that the folder has now. copies: whether messages of other mailboxes are left to those.
    """

    fingerprints: Mapping[int, bytes]
    reasons: Mapping[int, Reason]
    pairs: Mapping[int, int]
    present: AbstractSet[int]
    copies: bool
    _twice: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        seen: set[int] = set()
        for uid in sorted(self.reasons):
            local = self.pairs.get(uid, 0)
            if local and local in seen:
                self._twice.add(uid)
            seen.add(local)

    @property
    def twice(self) -> AbstractSet[int]:
        """The UIDs whose local message is another one's already."""
        return self._twice

    def here(self, uid: int) -> bool:
        """Tell whether a message lies in the folder."""
        return self.pairs.get(uid, 0) in self.present and uid not in self._twice

    def place(self, uid: int) -> Place | None:
        """Say where a message of the record is, without regard to other mailboxes; None if it must be in another."""
        if self.here(uid):
            return "here"
        match self.reasons[uid]:
            case "draft":
                return "draft"
            case "filed":
                return "filed"
            case "copy":
                return None
        return None if uid in self._twice else "deleted"


def places_of(
    uids: Collection[int], held: Held, others: Mapping[bytes, Place], refused: Collection[int], next_uid: int
) -> dict[int, Place | None]:
    """Say where each message is that a mailbox has; None for one of which nobody knows.

    others: where messages are that other mailboxes brought, by their fingerprints. next_uid: each message below it has
    been dealt with.
    """
    found: dict[int, Place | None] = {}
    for uid in uids:
        if uid not in held.reasons:
            found[uid] = "refused" if uid in refused else "to_come" if uid >= next_uid else None
            continue
        place = held.place(uid)
        if (place is None and uid not in held.twice) or (place == "deleted" and held.copies):
            place = others.get(held.fingerprints[uid], place)
        found[uid] = place
    return found


def elsewhere(held: Collection[Held], fingerprints: Collection[bytes]) -> dict[bytes, Place]:
    """Say where messages are, by their fingerprints, that these other mailboxes brought: the best of what is known."""
    best: dict[bytes, Place] = {}
    order: tuple[Place, ...] = ("deleted", "filed", "elsewhere")
    for other in held:
        for uid, fingerprint in other.fingerprints.items():
            if fingerprint not in fingerprints or other.reasons[uid] in NOT_HERE:
                continue
            place = other.place(uid)
            place = "elsewhere" if place == "here" else place or "deleted"
            if order.index(place) > order.index(best.get(fingerprint, "deleted")):
                best[fingerprint] = place
            best.setdefault(fingerprint, place)
    return best


def count(found: Mapping[int, Place | None], extent: tuple[int, ...] = ()) -> Books:
    """Sum up where the messages of a mailbox are."""
    sums = Counter(found.values())
    return Books(
        messages=len(found),
        places={place: sums[place] for place in PLACES},
        unplaced=tuple(sorted(uid for uid, place in found.items() if place is None)),
        extent=extent,
    )
