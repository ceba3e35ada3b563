# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Counts deliveries by the way that they take and their end, as Postfix tells them to the journal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from .exposition import Metric
from .journal import Line, Read, end_of_journal, new_lines
from .ways import Way, Ways, service_way

# smtp(8), lmtp(8), local(8), error(8), … write one line for each recipient. One in quotes, which alone could pass for
# the rest of a line, is not counted. qmgr(8) writes one for each message that it gives up.
_DELIVERY = re.compile(
    r'(?P<id>\w+): to=<[^<>"]*>, (?:orig_to=<[^<>"]*>, )?(?P<said>relay=[^,]*, (?:conn_use=\d+, )?delay=[\d.]+, '
    r"delays=[\d./]+, dsn=[\d.]+, status=(?P<status>\w+) \(.*)",
    re.DOTALL,
)
_EXPIRED = re.compile(r"(?P<id>\w+): from=<[^<>]*>, status=(?:force-)?expired, ")
_REMOVED = re.compile(r"(?P<id>\w+): removed")
STATUSES = ("sent", "deferred", "bounced", "expired")
MOST_WAITING = 50_000
"""Messages whose way is remembered."""


@dataclass
class Deliveries:
    """What has been counted, and how far the journal has been read. cursor: None before the first time."""

    cursor: str | None = None
    counts: Counter[tuple[Way, str]] = field(default_factory=Counter)
    ways: Ways = field(default_factory=Ways)

    def read(self, read: Read) -> None:
        """Count what is new in the journal. The first time, only what comes from then on will be."""
        if self.cursor is None:
            self.cursor = end_of_journal(read)
            return
        for line in new_lines(self.cursor, read):
            self.cursor = line.cursor
            self._count(line)

    def _count(self, line: Line) -> None:
        if found := _DELIVERY.match(line.text):
            self._count_delivery(service_way(line.identifier), found["id"], found["said"], found["status"])
        elif found := _EXPIRED.match(line.text):
            self.counts[self.ways.messages.pop(found["id"], Way("unknown")), "expired"] += 1
        elif found := _REMOVED.match(line.text):
            self.ways.messages.pop(found["id"], None)

    def _count_delivery(self, way: Way, queue_id: str, said: str, status: str) -> None:
        self.ways.learn(way, said)
        # What puts deliveries off to a provider that has just failed does not name the account.
        way = way if way.destination != "unknown" else self.ways.find(queue_id, said)
        self.counts[way, status] += 1
        if status == "deferred" and len(self.ways.messages) < MOST_WAITING:
            self.ways.messages[queue_id] = way

    def forget(self, waiting: Iterable[str]) -> None:
        """Forget the ways of messages that no longer wait."""
        kept = set(waiting)
        self.ways = replace(
            self.ways, messages={one: way for one, way in self.ways.messages.items() if one in kept}
        )

    def metrics(self) -> Iterator[Metric]:
        """Yield the counters. What is known to exist begins with 0, so that a first one is seen as a rise."""
        metric = Metric(
            "mail_deliveries_total",
            "Deliveries and attempts, each of one recipient, by how they ended.",
            "counter",
        )
        ways = {way: None for way, __ in sorted(self.counts, key=str)} | {Way("house"): None}
        for way in ways:
            statuses = dict.fromkeys((*STATUSES, *(status for one, status in self.counts if one == way)))
            for status in statuses:
                metric.add(
                    self.counts[way, status],
                    destination=way.destination,
                    provider=way.provider,
                    status=status,
                )
        yield metric

    def dump(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "cursor": self.cursor,
            "counts": [
                [way.destination, way.provider, status, count] for (way, status), count in self.counts.items()
            ],
            "hosts": self.ways.hosts,
            "messages": {one: [way.destination, way.provider] for one, way in self.ways.messages.items()},
        }

    @classmethod
    def load(cls, values: dict[str, Any]) -> Deliveries:
        """Return it from what dump returned. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            cursor=values["cursor"],
            counts=Counter(
                {
                    (Way(destination, provider), status): int(count)
                    for destination, provider, status, count in values["counts"]
                }
            ),
            ways=Ways(dict(values["hosts"]), {one: Way(*way) for one, way in values["messages"].items()}),
        )
