# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How backups and drills go: what is kept of it. All times are seconds since 1970. Nothing here holds a secret."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .manifest import read_json, write_json


@dataclass(frozen=True)
class Work:
    """How one kind of work goes.

    state: "new" before its first end, "ok", or the fault (see restic.Fault; "wrong" where a drill finds a difference).
    reason, remedy: why it is not ok, and what to do. told: whether somebody has been told that it is not. facts:
    figures of the last success.
    """

    state: str = "new"
    reason: str = ""
    remedy: str = ""
    last_success: float = 0.0
    last_try: float = 0.0
    failures: int = 0
    told: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    def succeeded(self, now: float, facts: dict[str, Any]) -> Work:
        """Return it after a success; who was told of failures is to be told of that, too."""
        return Work("ok", last_success=now, last_try=now, told=self.told, facts=facts)

    def failed(self, now: float, state: str, reason: str, remedy: str) -> Work:
        """Return it after one more failure."""
        return replace(
            self,
            state=state,
            reason=" ".join(reason.split()),
            remedy=remedy,
            last_try=now,
            failures=self.failures + 1,
        )

    def notice(self, now: float, patience: float) -> str:
        """Return what somebody has yet to be told: "stopped", "works", or nothing.

        patience: for how many seconds a failure that may end by itself is kept quiet, counted from the last success.
        """
        if self.state == "ok":
            return "works" if self.told else ""
        if self.told or not self.failures:
            return ""
        waits = (
            self.state in ("unreachable", "locked")
            and self.last_success
            and now - self.last_success < patience
        )
        return "" if waits else "stopped"


@dataclass(frozen=True)
class Status:
    """How everything goes on a host."""

    backup: Work = field(default_factory=Work)
    drill: Work = field(default_factory=Work)

    @classmethod
    def read(cls, path: Path) -> Status:
        """Read the file; one that is missing or damaged is a new host's."""
        try:
            return cls(**{name: Work(**values) for name, values in read_json(path).items()})
        except TypeError:
            return cls()

    def write(self, path: Path) -> None:
        """Replace the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(self))


def describe(work: Work) -> str:
    """Say in one line why work is not ok, and what to do."""
    since = (
        f"the last good one ended {clock(work.last_success)}"
        if work.last_success
        else "none has ended well yet"
    )
    return "; ".join(filter(None, (work.reason, work.remedy, since)))


def clock(at: float) -> str:
    """Return a time as people write it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def metrics(status: Status) -> str:
    """Return the status in Prometheus' text format, as its node exporter reads it from a file."""
    works = {"backup": status.backup, "drill": status.drill}
    lines: list[str] = []

    def add(name: str, text: str, values: dict[str, float]) -> None:
        lines.extend((f"# HELP mail_backup_{name} {text}", f"# TYPE mail_backup_{name} gauge"))
        lines.extend(f"mail_backup_{name}{labels} {value}" for labels, value in values.items())

    def each(value: dict[str, float]) -> dict[str, float]:
        return {f'{{work="{name}"}}': number for name, number in value.items()}

    add("up", "Whether the last one succeeded.", each({n: int(w.state == "ok") for n, w in works.items()}))
    add(
        "last_success_timestamp_seconds",
        "When one last succeeded, 0 for never.",
        each({n: w.last_success for n, w in works.items()}),
    )
    add("failures", "How many failed in a row.", each({n: w.failures for n, w in works.items()}))
    for name, text in (
        ("messages", "Messages in the last backup."),
        ("added_bytes", "Bytes that the last backup added to the repository."),
        ("seconds", "How long the last backup took."),
    ):
        if name in status.backup.facts:
            add(name, text, {"": status.backup.facts[name]})
    return "\n".join(lines) + "\n"


def shown(status: Status) -> str:
    """Return the status as its command prints it."""
    return json.dumps(asdict(status), indent=1, ensure_ascii=False)
