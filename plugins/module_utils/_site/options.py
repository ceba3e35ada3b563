# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a role: a record of variables, and the checks that look at several of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import Report, Unread
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import Record, keys, read_key

Check = Callable[[], Iterable[str]]
O = TypeVar("O", bound="Options")  # noqa: E741 - as in T, R


@dataclass(frozen=True)
class Context:
    """What is known of the host that a role runs on, beside its options.

    host: its name in the inventory. groups: the hosts of each group. facts: of its network (see host_network), None
    where it has not been asked.
    """

    host: str = ""
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    facts: Mapping[str, Any] | None = None

    def is_in(self, group: str) -> bool:
        """Whether the host is in a group."""
        return self.host in self.groups.get(group, ())


@dataclass(frozen=True)
class Options(Record):
    """The options of a role, without the role's name before them.

    An option that could not be taken is not there: whoever asks for it gets Unread, so that a check is left out that
    would judge half of what was written.
    """

    role: ClassVar[str]

    context: Context
    variables: Mapping[str, str]
    """What people call each option: its site variable where they set that, else its own name."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - never returns
            """Raise Unread for an option that could not be taken."""
            if name in (known.name for known in keys(type(self))):
                raise Unread(name)
            raise AttributeError(name)

    def name(self, option: str) -> str:
        """Return what people call an option."""
        return self.variables.get(option, f"{self.role}_{option}")

    def checks(self) -> Iterator[Check]:
        """Yield the checks that look at several options."""
        yield from ()

    def problems(self) -> list[str]:
        """Return what the checks find."""
        return [problem for check in self.checks() for problem in _made(check)]


def _made(check: Check) -> list[str]:
    found: list[str] = []
    with suppress(Unread):
        for problem in check():
            found.append(problem)
    return found


def read_options(
    record: type[O], values: Mapping[str, object], names: Mapping[str, str], context: Context
) -> tuple[O, list[str]]:
    """Read the options of a role; return them, and what is wrong with them.

    values: by their names without the role's; what could not be filled in is missing, and reported by who tried.
    """
    report = Report()
    options = object.__new__(record)
    known_before: dict[str, object] = {"where": record.role, "context": context, "variables": names}
    for name, given in known_before.items():
        object.__setattr__(options, name, given)
    for known in keys(record):
        if known.name in values:
            try:
                value = read_key(known, values[known.name], options.name(known.name), report)
            except Unread:
                continue
            object.__setattr__(options, known.name, value)
    return options, [*report.problems, *options.problems()]
