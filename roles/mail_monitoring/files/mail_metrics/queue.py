# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What waits in Postfix's queue: how much, since when, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .exposition import Metric
from .programs import Ask, UnansweredError
from .reasons import reason_class
from .ways import Way, Ways

QUEUES = ("incoming", "active", "deferred", "hold")


@dataclass(frozen=True)
class Message:
    """One message. arrival: seconds since 1970; size: bytes; reasons: why each recipient waits, "" if unknown."""

    queue_id: str
    queue: str
    arrival: float
    size: int
    reasons: tuple[str, ...]


def read_queue(ask: Ask) -> list[Message]:
    """Read the queue: an object on each line (postqueue(1))."""
    said = ask(["postqueue", "-j"])
    try:
        return [_read(json.loads(line)) for line in said.splitlines() if line.strip()]
    except (KeyError, TypeError, ValueError) as error:
        raise UnansweredError(f"postqueue says what cannot be read: {error!r}") from error


def _read(entry: dict[str, Any]) -> Message:
    return Message(
        queue_id=str(entry["queue_id"]),
        queue=str(entry["queue_name"]),
        arrival=float(entry["arrival_time"]),
        size=int(entry["message_size"]),
        reasons=tuple(str(recipient.get("delay_reason", "")) for recipient in entry["recipients"]),
    )


def queue_metrics(messages: Sequence[Message], ways: Ways) -> Iterator[Metric]:
    """Yield what waits, by queue, and what is put off, by way and reason."""
    count = Metric("mail_queue_messages", "Messages that wait in a queue of Postfix.")
    size = Metric("mail_queue_bytes", "Bytes of the messages that wait in a queue of Postfix.")
    oldest = Metric(
        "mail_queue_oldest_timestamp_seconds",
        "When the oldest message that waits in a queue of Postfix came; none for an empty queue.",
    )
    for queue in dict.fromkeys((*QUEUES, *(message.queue for message in messages))):
        there = [message for message in messages if message.queue == queue]
        count.add(len(there), queue=queue)
        size.add(sum(message.size for message in there), queue=queue)
        if there:
            oldest.add(min(message.arrival for message in there), queue=queue)
    yield from (count, size, oldest)
    deferred = Metric(
        "mail_queue_deferred_recipients",
        "Deliveries that have been put off, each of one recipient, by reason.",
    )
    for (way, reason), number in sorted(_deferred(messages, ways).items(), key=str):
        deferred.add(number, destination=way.destination, provider=way.provider, reason=reason)
    yield deferred


def _deferred(messages: Sequence[Message], ways: Ways) -> Counter[tuple[Way, str]]:
    return Counter(
        (ways.find(message.queue_id, reason), reason_class(reason))
        for message in messages
        for reason in message.reasons
        if reason
    )
