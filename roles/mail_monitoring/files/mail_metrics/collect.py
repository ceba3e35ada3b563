# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collects the figures. One part that fails does not take the others with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .bans import ban_metrics
from .certificates import certificate_metrics
from .config import Config
from .deliveries import Deliveries
from .exposition import Metric
from .journal import Read, read_journal
from .programs import Ask, UnansweredError, ask
from .queue import queue_metrics, read_queue
from .units import unit_metrics


@dataclass(frozen=True)
class Host:
    """How this host is asked. has: whether there is a program."""

    ask: Ask = ask
    read: Read = read_journal
    has: Callable[[str], object] = shutil.which


def collect(
    config: Config, deliveries: Deliveries, host: Host, complain: Callable[[str], None]
) -> list[Metric]:
    """Return all metrics; what is read of the journal is added to the deliveries.

    complain: is told what could not be read.
    """
    success = Metric("mail_monitoring_success", "Whether a part of the figures could be read.")
    info = Metric("mail_monitoring_info", "The version of ilnmors.mail that the host was set up by.")
    info.add(1, version=config.version)
    metrics = [info, success]
    for name, part in _parts(config, deliveries, host):
        try:
            metrics += part()
            success.add(1, part=name)
        except (UnansweredError, OSError) as error:
            complain(f"{name}: {error}")
            success.add(0, part=name)
    return metrics


def _parts(
    config: Config, deliveries: Deliveries, host: Host
) -> Iterator[tuple[str, Callable[[], Iterable[Metric]]]]:
    """Yield the parts that this host has. Deliveries come before the queue, of which they know the ways."""
    yield "units", lambda: unit_metrics(config.units, host.ask)
    yield "certificates", lambda: certificate_metrics(config.certificates, host.ask)
    if host.has("postqueue"):
        yield "deliveries", lambda: _deliveries(deliveries, host.read)
        yield "queue", lambda: _queue(deliveries, host.ask)
    if host.has("fail2ban-client"):
        yield "bans", lambda: ban_metrics(host.ask)


def _deliveries(deliveries: Deliveries, read: Read) -> Iterable[Metric]:
    deliveries.read(read)
    return deliveries.metrics()


def _queue(deliveries: Deliveries, ask: Ask) -> Iterable[Metric]:
    messages = read_queue(ask)
    deliveries.forget(message.queue_id for message in messages)
    return queue_metrics(messages, deliveries.ways)
