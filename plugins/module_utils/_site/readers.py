# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One type for each value of a site's description: what is taken for it, what it becomes, and what is refused.

What an inventory writes is not always what it means: `-e x=false` and INI files hand over texts, YAML 1.1 makes numbers
of `0755` and `12:34:56`. A reader converts what can mean one thing alone, and refuses the rest.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from ansible_collections.ilnmors.mail.plugins.module_utils._formats.addresses import has_control_characters
from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import (
    Report,
    Unread,
    Wrong,
    listed,
    nearest,
    shown,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# What YAML 1.1 takes for a boolean, and what people write for one.
_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "off", "n", "f", "0"), False),
}


class Reader(ABC, Generic[T_co]):
    """Reads one value. kind: what Ansible calls its type. secret: whether it is never shown."""

    kind: ClassVar[str]
    secret: bool = False

    @abstractmethod
    def read(self, value: object, where: str, report: Report) -> T_co:
        """Return what a value means. Raises Unread where that cannot be told, and reports why."""

    @abstractmethod
    def wanted(self) -> str:
        """Say what to write, after the word `write`."""


class Scalar(Reader[T_co]):
    """A single value."""

    def read(self, value: object, where: str, report: Report) -> T_co:
        """Return what a value means."""
        try:
            return self.convert(value)
        except Wrong as wrong:
            report.add(where, wrong)
            raise Unread from wrong

    @abstractmethod
    def convert(self, value: object) -> T_co:
        """Return what a value means. Raises Wrong."""


def kind_of(value: object, secret: bool = False) -> str:
    """Say in words what a value is that is not what it should be; a secret one is not shown."""
    if isinstance(value, Mapping):
        return "is a dictionary"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "is a list"
    if value is None or value == "":
        return "is empty"
    if secret:
        return "is a text" if isinstance(value, str) else "is a number, a date or a boolean"
    return f"is {shown(value)}"


@dataclass(frozen=True)
class Flag(Scalar[bool]):
    """True or false, or a text that means one of them."""

    kind = "bool"

    def convert(self, value: object) -> bool:
        """Return true or false."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str | int) and str(value).strip().lower() in _FLAGS:
            return _FLAGS[str(value).strip().lower()]
        raise Wrong(f"{kind_of(value)}, which is neither true nor false", f"write {self.wanted()}")

    def wanted(self) -> str:
        """Say what to write."""
        return "true or false"


@dataclass(frozen=True)
class Number(Scalar[int]):
    """A whole number of a range, or a text of its digits. unit: what it counts, such as `days`."""

    least: int
    most: int
    example: int
    unit: str = ""
    kind = "int"

    def convert(self, value: object) -> int:
        """Return the number."""
        digits = str(value).strip()
        if (
            isinstance(value, bool)
            or not isinstance(value, int | str)
            or not re.fullmatch(r"[+-]?[0-9]+", digits)
        ):
            raise Wrong(f"{kind_of(value)}, which is no whole number", f"write {self.wanted()}")
        # So many digits that Python refuses to count them (sys.set_int_max_str_digits) are too many anyway.
        if len(digits) > 20 or not self.least <= int(digits) <= self.most:
            size = (
                "small"
                if digits.startswith("-") or (len(digits) <= 20 and int(digits) < self.least)
                else "large"
            )
            raise Wrong(f"is {shown(value)}, which is too {size}", f"write {self.wanted()}")
        return int(digits)

    def wanted(self) -> str:
        """Say what to write."""
        unit = f" of {self.unit}" if self.unit else ""
        return f"a number{unit} from {self.least} to {self.most}, such as {self.example}"


@dataclass(frozen=True)
class Text(Scalar[str]):
    """A text of one line.

    what: what it has to be, after `is not`. rule: whether it is that; it may raise Wrong itself. longest: in
    characters. empty: whether it may be empty. lines: whether it may have several lines.
    """

    what: str
    example: str
    rule: Callable[[str], bool] = lambda _text: True
    longest: int = 255
    empty: bool = False
    lines: bool = False
    secret: bool = False
    kind = "str"

    def convert(self, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str):
            quotes = "" if isinstance(value, Mapping | Sequence) or value is None else ", in quotes"
            raise Wrong(
                f"{kind_of(value, self.secret)}, where a text is due", f"write {self.wanted()}{quotes}"
            )
        if value:
            self._check(value)
        elif not self.empty:
            raise Wrong("is empty", f"write {self.wanted()}")
        return value

    def _check(self, value: str) -> None:
        found = "" if self.secret else f"{shown(value)} "
        if _CONTROL_BUT_LINES.search(value) if self.lines else has_control_characters(value):
            raise Wrong(f"{found}holds a line break or another control character", "write it without such")
        if len(value) > self.longest:
            raise Wrong(f"has {len(value)} characters", f"write {self.longest} at most")
        if not self.rule(value):
            raise Wrong(f"{found}is not {self.what}", f"write {self.wanted()}")

    def wanted(self) -> str:
        """Say what to write."""
        return f"{self.what}, such as {self.example!r}" if self.secret else f"one such as {self.example!r}"


@dataclass(frozen=True)
class Path(Text):
    """A text that is an absolute path."""

    kind = "path"


@dataclass(frozen=True)
class Choice(Scalar[str]):
    """One of a few texts."""

    choices: tuple[str, ...]
    kind = "str"

    def convert(self, value: object) -> str:
        """Return the text."""
        # YAML 1.1 reads an unquoted `off` or `no` as a boolean: no choice is called so.
        if not isinstance(value, str) or value not in self.choices:
            meant = nearest(value, self.choices) if isinstance(value, str) else ""
            hint = f" (did you mean {meant!r}?)" if meant else ""
            raise Wrong(f"{kind_of(value)}, which is not known", f"write one of {listed(self.choices)}{hint}")
        return value

    def wanted(self) -> str:
        """Say what to write."""
        return f"one of {listed(self.choices)}"


@dataclass(frozen=True)
class Items(Reader[tuple[T, ...]]):
    """A list of values of one type. What is wrong with each of them is reported."""

    of: Reader[T]
    example: str
    kind = "list"

    def read(self, value: object, where: str, report: Report) -> tuple[T, ...]:
        """Return the values."""
        if not isinstance(value, Sequence) or isinstance(value, str):
            report.add(
                where,
                Wrong(f"{kind_of(value, self.of.secret)}, where a list is due", f"write {self.wanted()}"),
            )
            raise Unread
        items: list[T] = []
        complete = True
        for index, item in enumerate(value):
            try:
                items.append(self.of.read(item, f"{where}[{index}]", report))
            except Unread:
                complete = False
        if not complete:
            raise Unread
        return tuple(items)

    def wanted(self) -> str:
        """Say what to write."""
        return f"a list, such as {self.example}"


@dataclass(frozen=True)
class OneOrMore(Items[T]):
    """A list of values of one type, of which there is one at least; or one such value alone."""

    def read(self, value: object, where: str, report: Report) -> tuple[T, ...]:
        """Return the values, each once."""
        if not isinstance(value, Sequence) or isinstance(value, str):
            return (self.of.read(value, where, report),)
        if not value:
            report.add(where, Wrong("is empty", f"write {self.wanted()}"))
            raise Unread
        return tuple(dict.fromkeys(super().read(value, where, report)))

    def wanted(self) -> str:
        """Say what to write."""
        return f"{self.of.wanted()}, or a list, such as {self.example}"
