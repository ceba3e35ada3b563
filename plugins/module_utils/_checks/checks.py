# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run checks side by side and report each of them, whatever the others say."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import CheckError

AT_ONCE = 10  # connections to one server; its limits for one client address are higher


class NotTried(Exception):
    """Why a check is left out."""


@dataclass(frozen=True)
class Passed:
    """What a check found, and the seconds to report where they are not those of the whole check."""

    detail: str
    seconds: float | None = None


@dataclass(frozen=True)
class Check:
    """One line of a report. `ok` is None where nothing is judged: `detail` says why, or what is good to know."""

    name: str
    ok: bool | None
    seconds: float
    detail: str


Job = tuple[str, Callable[[], Passed]]


def run_checks(jobs: list[Job]) -> list[Check]:
    """Make all the checks, several at once; return them in the order of the jobs."""
    if not jobs:
        return []
    with ThreadPoolExecutor(max_workers=min(len(jobs), AT_ONCE)) as pool:
        return list(pool.map(_run, jobs))


def _run(job: Job) -> Check:
    name, make = job
    started = time.monotonic()
    try:
        passed = make()
    except CheckError as error:
        return Check(name, False, _since(started), error.explain())
    except NotTried as why:
        return Check(name, None, 0.0, str(why))
    seconds = _since(started) if passed.seconds is None else round(passed.seconds, 3)
    return Check(name, True, seconds, passed.detail)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)


def report(checks: list[Check]) -> dict[str, object]:
    """Return a module's result: the checks and, where some failed, `failed` and a `msg` that lists them."""
    result: dict[str, object] = {"changed": False, "checks": [asdict(check) for check in checks]}
    failures = [f"{check.name}: {check.detail}" for check in checks if check.ok is False]
    if failures:
        result["failed"] = True
        result["msg"] = f"{len(failures)} of {len(checks)} checks failed. " + "; ".join(failures)
    return result
