# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks a provider about many messages at once, and finds the few that it does not answer for.

A batch that is refused is divided until the message is found that the refusal is about; what an answer lacks is asked
for again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..imap.sequence_set import in_lines
from .answers import RemoteError, kind_of

SIZE = 1000
"""How many messages are asked for at once."""
MOST = 100
"""How many commands of one survey may fail: what is left then is asked for by the next one."""
HOPELESS = 5
"""After how many messages that were refused one by one, and none that was not, it is the mailbox that fails."""
SILENCE = "the provider answers as if it were done, but says nothing of it"


@dataclass(frozen=True)
class Message:
    """A message at the provider.

    flags: in lower case. keywords: those of them that are no system flags, as they are written. size: in bytes.
    arrived: its INTERNALDATE, in seconds since 1970, 0 if unknown.
    """

    uid: int
    flags: frozenset[str]
    size: int
    arrived: float
    fingerprint: bytes
    keywords: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Survey:
    """What a provider says of messages that it was asked about.

    refused: what it does not answer for, though asked about it alone, with its words. open: what it was not asked about
    often enough to know, because so much else failed.
    """

    messages: dict[int, Message] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    open: dict[int, str] = field(default_factory=dict)

    @property
    def unanswered(self) -> dict[int, str]:
        """What nothing is known of, and why."""
        return self.refused | self.open


@dataclass(frozen=True)
class Asked:
    """The answer for a batch: what it says, the refusal if it is one, and whether the connection ended over it."""

    found: dict[int, Message]
    refusal: str = ""
    cut: bool = False


@dataclass(frozen=True)
class _Batch:
    """Messages to be asked for at once. again: whether they were before, and nothing was said of any."""

    uids: Sequence[int]
    again: bool = False


def survey(uids: Iterable[int], ask: Callable[[Sequence[int]], Asked]) -> Survey:
    """Ask about messages; RemoteError if the provider has had enough, or answers for none at all."""
    result = Survey()
    waiting = deque(_Batch(batch) for batch in batches(uids))
    failures, why = 0, ""
    while waiting:
        batch = waiting.popleft()
        if failures >= MOST:
            result.open.update(dict.fromkeys(batch.uids, why))
            continue
        answer = ask(batch.uids)
        found = {uid: answer.found[uid] for uid in batch.uids if uid in answer.found}
        result.messages.update(found)
        left = [uid for uid in batch.uids if uid not in found]
        if not left:
            continue
        why = answer.refusal or SILENCE
        failures += 1
        following = _next(batch, left, bool(found), answer, result.refused)
        if kind_of(why) == "provider limit" or (len(result.refused) >= HOPELESS and not result.messages):
            raise RemoteError(kind_of(why), why)
        if result.messages:
            waiting.extend(following)
        else:
            # Until there is one that is answered for, single ones are come to first.
            waiting.extendleft(reversed(following))
    return result


def _next(
    batch: _Batch, left: Sequence[int], some: bool, answer: Asked, refused: dict[int, str]
) -> list[_Batch]:
    """Say how those are asked for that an answer lacks, unless one of them is the one that it fails at.

    some: whether the answer had anything of the batch.
    """
    silent = not answer.refusal
    if some and not answer.cut:
        return [_Batch(left)]
    if silent and not batch.again:
        return [_Batch(left, again=True)]
    if some or len(left) == 1:
        # Answers come one after the other: a connection ends over the first that is lacking.
        refused[left[0]] = answer.refusal or SILENCE
        return [_Batch(left[1:])] if left[1:] else []
    half = len(left) // 2
    return [_Batch(left[:half], silent), _Batch(left[half:], silent)]


def batches(uids: Iterable[int]) -> list[list[int]]:
    """Divide UIDs so that a command can name each part, and its answer is of no great size."""
    return [line[start : start + SIZE] for line in in_lines(uids) for start in range(0, len(line), SIZE)]
