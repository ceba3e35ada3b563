# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the playbook verify says of a house: the checks of all modules, and a report that programs read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

VERSION = 1
"""Of the report. It grows when what a program reads of it changes its meaning or goes."""


def house_checks(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the checks of what tasks registered, by what is said of a task that ended without any.

    A result that is no dictionary is of a task that was not chosen. One that was left out is noted; one that failed
    before it had checks, or whose host could not be reached, is a check that failed.
    """
    return [check for name, result in results.items() for check in _checks(name, result)]


def _checks(name: str, result: object) -> Iterator[dict[str, Any]]:
    if not isinstance(result, Mapping):
        return
    if "results" in result and "checks" not in result:
        for one in result["results"]:
            yield from _checks(name, one)
    elif result.get("checks") is not None:
        yield from result["checks"]
    elif result.get("skipped"):
        yield {"name": name, "ok": None, "seconds": 0.0, "detail": "there is nothing of it to check"}
    else:
        yield {"name": name, "ok": False, "seconds": 0.0, "detail": _why(result)}


def _why(result: Mapping[str, Any]) -> str:
    said = " ".join(str(result.get("msg") or "it ended without a word").split()).rstrip(".")
    if result.get("unreachable"):
        return f"{said}; see that the host runs, and that Ansible can log in to it"
    return f"{said}; run verify with -vvv for the whole of it"


def failures(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line for each check that failed: its name, what is wrong, and what to do."""
    return [
        f"{check['name']}: {' '.join(check['detail'].split())}" for check in checks if check["ok"] is False
    ]


def report(checks: Sequence[Mapping[str, Any]], house: str, at: str) -> dict[str, Any]:
    """Return the report. house: its domain. at: when it was checked, as RFC 3339 has it."""
    lines = failures(checks)
    return {
        "version": VERSION,
        "house": house,
        "at": at,
        "ok": bool(checks) and not lines,
        "failures": lines,
        "checks": [{key: check[key] for key in ("name", "ok", "seconds", "detail")} for check in checks],
    }
