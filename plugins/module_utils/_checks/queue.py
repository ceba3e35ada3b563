# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What waits in Postfix's queue, for how long and why: envelopes only, never what a message says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import CheckError
from ansible_collections.ilnmors.mail.plugins.module_utils._formats.sender_marks import MARK, NULL_MARK

TIMEOUT = 60
"""Seconds that Postfix may take for an answer."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Seconds of the units of time of postconf(5)."""

_NAMES = (("day", 86400), ("hour", 3600), ("minute", 60))
# What a queue says of a message that nobody has tried to deliver yet (qmgr(8)).
_QUEUES = {
    "active": "it is being delivered now",
    **dict.fromkeys(("incoming", "maildrop"), "it has just come"),
    "hold": "it is held until someone releases it (postsuper -H)",
}
_RECIPIENTS_SHOWN = 3


class QueueError(CheckError):
    """Why the queue cannot be read."""


@dataclass(frozen=True)
class Waiting:
    """One message. arrival: seconds since the epoch; recipients: each with why it waits, empty where not known."""

    queue: str
    queue_id: str
    arrival: int
    sender: str
    recipients: tuple[tuple[str, str], ...]


def read_time(text: str) -> int:
    """Return the seconds of a time as postconf(5) writes it, such as `4h`; a bare number means hours. QueueError."""
    found = re.fullmatch(r"(\d+)([smhdw]?)", text.strip())
    if not found:
        raise QueueError(
            f"postconf says {text.strip()!r}, which is no time, of delay_warning_time; mend main.cf"
        )
    return int(found[1]) * UNITS[found[2] or "h"]


def read_queue(output: str) -> list[Waiting]:
    """Read what `postqueue -j` prints, an object on each line (postqueue(1)); the oldest message first."""
    try:
        messages = [_read_message(json.loads(line)) for line in output.splitlines() if line.strip()]
    except (KeyError, TypeError, ValueError) as error:
        raise QueueError(f"postqueue says what cannot be read: {error!r}") from error
    return sorted(messages, key=lambda message: message.arrival)


def _read_message(entry: Mapping[str, Any]) -> Waiting:
    return Waiting(
        queue=entry["queue_name"],
        queue_id=entry["queue_id"],
        arrival=entry["arrival_time"],
        sender=_plain(entry["sender"]),
        recipients=tuple(
            (_plain(recipient["address"]), " ".join(recipient.get("delay_reason", "").split()))
            for recipient in entry["recipients"]
        ),
    )


def _plain(address: str) -> str:
    return address.removesuffix(NULL_MARK).removesuffix(MARK)


def queue_checks(messages: Sequence[Waiting], now: float, warning: int, most: int) -> list[Check]:
    """Turn a queue, the oldest message first, into checks: how many wait, then each of the oldest.

    warning: seconds after which a message that still waits fails its check; 0 for never.
    most: how many messages have a line of their own.
    """
    if not messages:
        return [Check("queue", True, 0.0, "empty")]
    count = len(messages)
    checks = [Check("queue", True, 0.0, f"{count} messages wait" if count > 1 else "1 message waits")]
    checks += [_check(message, now, warning) for message in messages[:most]]
    if count > most:
        checks.append(Check("queue", None, 0.0, f"and {count - most} more, which came later"))
    return checks


def _check(message: Waiting, now: float, warning: int) -> Check:
    name, said = f"queue {message.queue_id}", _describe(message, now)
    if 0 < warning <= now - message.arrival:
        tried, ended = f"'postqueue -i {message.queue_id}'", f"'postsuper -d {message.queue_id}'"
        return Check(name, False, 0.0, f"{said}; {tried} tries it at once, {ended} gives it up")
    return Check(name, None, 0.0, said)


def _describe(message: Waiting, now: float) -> str:
    sender = message.sender
    who = f"from {sender}" if "@" in sender else "a report of Postfix's own"
    return f"waits for {age(now - message.arrival)}, {who}, {'; '.join(_recipients(message))}"


def _recipients(message: Waiting) -> Iterator[str]:
    """Say why it waits, and for whom, once for each reason."""
    reasons: dict[str, list[str]] = {}
    for address, reason in message.recipients:
        reasons.setdefault(reason or _QUEUES.get(message.queue, "nothing is known"), []).append(address)
    for reason, addresses in reasons.items():
        shown, more = addresses[:_RECIPIENTS_SHOWN], len(addresses) - _RECIPIENTS_SHOWN
        yield f"to {', '.join(shown)}{f' and {more} more' if more > 0 else ''}: {reason}"


def age(seconds: float) -> str:
    """Say a time in its largest unit, such as `3 hours`."""
    for name, size in _NAMES:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {name}{'s' if number > 1 else ''}"
    return "less than a minute"


def ask_postfix(postqueue: str, postconf: str) -> tuple[list[Waiting], int]:
    """Return the queue of this host, and after how many seconds a sender is warned (delay_warning_time).

    postqueue, postconf: paths of the programs. Raises QueueError.
    """
    listed = _run([postqueue, "-j"])
    # To root, postqueue shows the queue of a Postfix that is stopped as well, and says so.
    if "mail system is down" in listed.stderr.lower():
        raise QueueError("Postfix is not running; start it: systemctl start postfix")
    queue = read_queue(_output(listed))
    return queue, read_time(_output(_run([postconf, "-h", "delay_warning_time"])))


def _output(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise QueueError(f"{Path(done.args[0]).name} failed: {said}; see journalctl -u 'postfix*'")
    return done.stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # pylint: disable=ansible-bad-function
            command, capture_output=True, text=True, errors="replace", check=False, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise QueueError(
            f"{command[0]} did not answer within {TIMEOUT} s; see journalctl -u 'postfix*'"
        ) from None
