# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells Prometheus how the fetch of an account goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from .retries import State
from .status import Status


def metrics(name: str, status: Status, now: float) -> str:
    """Return the status of an account in Prometheus' text format, as its node exporter reads it from a file."""
    lines: list[str] = []
    for metric, text, samples in _samples(status, now):
        lines += [f"# HELP mbsync_fetch_{metric} {text}", f"# TYPE mbsync_fetch_{metric} gauge"]
        lines += [
            f"mbsync_fetch_{metric}{_labels({'account': name, **labels})} {value}"
            for labels, value in samples
        ]
    return "\n".join(lines) + "\n"


Samples = list[tuple[dict[str, str], float]]


def _samples(status: Status, now: float) -> Iterator[tuple[str, str, Samples]]:
    folders = [({"folder": report.house}, report) for report in status.folders]
    yield "up", "Whether the last attempt succeeded.", [({}, int(status.state == "ok"))]
    yield (
        "state",
        "1 for the state that the fetch is in.",
        [({"state": state}, int(state == status.state)) for state in get_args(State)],
    )
    yield (
        "last_success_timestamp_seconds",
        "When the account was last fetched, 0 for never.",
        [({}, status.last_success)],
    )
    yield (
        "messages",
        "Messages of a folder at the provider and in the house.",
        [
            ({**labels, "side": side}, count)
            for labels, report in folders
            for side, count in (("provider", report.provider), ("house", report.in_house))
        ],
    )
    yield (
        "messages_missing",
        "Messages at the provider that have yet to be fetched.",
        [(labels, report.missing) for labels, report in folders],
    )
    yield (
        "messages_refused",
        "Messages that the provider does not hand over, or the house does not take.",
        [(labels, len(report.refused)) for labels, report in folders],
    )
    books = [(labels, report.books) for labels, report in folders if report.books]
    yield (
        "messages_placed",
        "Messages at the provider by where they are, as of the last change.",
        [
            ({**labels, "place": place}, number)
            for labels, one in books
            for place, number in one.places.items()
        ],
    )
    yield (
        "messages_unplaced",
        "Messages at the provider of which nobody knows where they are.",
        [(labels, len(one.unplaced)) for labels, one in books],
    )
    yield "today_bytes", "Bytes read from the provider on this day (UTC).", [({}, status.read_today(now))]


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
