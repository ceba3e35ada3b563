# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the units of the house run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .exposition import Metric
from .programs import Ask

PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,NRestarts"


def unit_metrics(patterns: Sequence[str], ask: Ask) -> Iterator[Metric]:
    """Yield the units that are enabled or run, of those that the patterns name (systemctl(1), `show`)."""
    active = Metric("mail_unit_active", "Whether a unit runs, or waits for what starts it.")
    restarts = Metric(
        "mail_unit_restarts_total",
        "How often systemd has started a service again by itself, since somebody did.",
        "counter",
    )
    said = ask(["systemctl", "show", "--all", f"--property={PROPERTIES}", "--", *patterns])
    for unit in sorted(map(_properties, said.split("\n\n")), key=lambda one: one.get("Id", "")):
        if _is_wanted(unit):
            active.add(int(unit["ActiveState"] in ("active", "reloading", "refreshing")), unit=unit["Id"])
            if unit.get("NRestarts", "").isdigit():
                restarts.add(int(unit["NRestarts"]), unit=unit["Id"])
    yield from (active, restarts)


def _properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _is_wanted(unit: dict[str, str]) -> bool:
    """Whether a unit is to run: it is enabled, or did run until it failed."""
    return unit.get("LoadState") == "loaded" and (
        unit.get("UnitFileState", "").startswith("enabled") or unit.get("ActiveState") != "inactive"
    )
