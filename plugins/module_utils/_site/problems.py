# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Problems of a site's description, all worded one way: which variable, what is wrong with it, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_SHOWN = 60


class Wrong(Exception):
    """A value that cannot be taken. fault goes on after the variable's name, remedy says what to do."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}; {remedy}")


class Unread(Exception):
    """A value that others depend on could not be taken; why has been reported."""


class Report:
    """Collects problems."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, where: str, problem: Wrong) -> None:
        """Report a value. where: the variable, with the place in it, such as `mail_users[0].name`."""
        self.problems.append(f"{where}: {problem}")


def shown(value: object) -> str:
    """Return a value as it is shown, and not more of it than tells which one it is."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}… ({len(str(value))} characters)"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.7) -> str:
    """Return what was probably meant by a name, empty if that cannot be told."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), "")


def listed(names: Iterable[object]) -> str:
    """Return names as they stand in a sentence."""
    return ", ".join(map(str, names))
