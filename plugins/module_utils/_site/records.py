# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Records: dictionaries of known keys, read into dataclasses whose fields say what each key may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar, cast

from ansible_collections.ilnmors.mail.plugins.module_utils._site.problems import (
    Report,
    Unread,
    Wrong,
    listed,
    nearest,
    shown,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.readers import Reader, kind_of

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R", bound="Record")

_REQUIRED = object()


def key(reader: Reader[T], default: D | object = _REQUIRED, site: str = "") -> T | D:
    """Declare a field of a record. default: what it is where the key is missing or null; without one, it is required.

    site: the site variable that it has its default from.
    """
    # pylint: disable-next=invalid-field-call  # the records are dataclasses
    return cast(T, field(metadata={"reader": reader, "default": default, "site": site}))


@dataclass(frozen=True)
class Key:
    """What a record knows of one of its keys."""

    name: str
    reader: Reader[object]
    default: object
    site: str

    @property
    def required(self) -> bool:
        """Whether it has to be there."""
        return self.default is _REQUIRED


def keys(record: type[Record]) -> list[Key]:
    """Return the keys of a record, in their order."""
    return [
        Key(found.name, found.metadata["reader"], found.metadata["default"], found.metadata["site"])
        for found in fields(record)
        if "reader" in found.metadata
    ]


@dataclass(frozen=True)
class Record:
    """A dictionary of known keys. where: its place in the description, as problems name it.

    title: what its entries are called in sentences. named_by: the key that names an entry, empty for none.
    """

    where: str
    title: ClassVar[str] = ""
    named_by: ClassVar[str] = "name"

    def dump(self) -> dict[str, Any]:
        """Return the record as Ansible's templates read it, without what has no value."""
        values = ((known.name, plain(getattr(self, known.name))) for known in keys(type(self)))
        return {name: value for name, value in values if value is not None}


def plain(value: object) -> Any:  # noqa: ANN401 - what a dictionary of an inventory may hold
    """Return a value of a record as Ansible's templates read it."""
    if isinstance(value, Record):
        return value.dump()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


class RecordReader(Reader[R]):
    """Reads a record. What is wrong with each of its keys is reported, misspelt ones too."""

    kind = "dict"

    def __init__(self, record: type[R]) -> None:
        self.record = record
        self.secret = any(known.reader.secret for known in keys(record))

    def read(self, value: object, where: str, report: Report) -> R:
        """Return the record."""
        if not isinstance(value, Mapping):
            kind = kind_of(value, self.secret)
            report.add(where, Wrong(f"{kind}, where a dictionary is due", f"write {self.wanted()}"))
            raise Unread
        where = f"{where}{self._label(value)}"
        complete = not list(self._unknown(value, where, report))
        found: dict[str, object] = {}
        for known in keys(self.record):
            try:
                found[known.name] = read_key(known, value.get(known.name), f"{where}.{known.name}", report)
            except Unread:
                complete = False
        if not complete:
            raise Unread
        return self.record(where=where, **found)

    def _label(self, value: Mapping[Any, object]) -> str:
        name = value.get(self.record.named_by)
        return f" ({name})" if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 64 else ""

    def _unknown(self, value: Mapping[Any, object], where: str, report: Report) -> Iterator[str]:
        names = [known.name for known in keys(self.record)]
        for name in value:
            if name not in names:
                meant = nearest(str(name), names)
                remedy = f"write {meant}" if meant else f"write one of {listed(names)}, or remove it"
                report.add(f"{where}.{_short(name)}", Wrong("is no key that is known", remedy))
                yield str(name)

    def wanted(self) -> str:
        """Say what to write."""
        first = keys(self.record)[0]
        return f"its keys and values, such as '{first.name}: …'"


def read_key(known: Key, value: object, where: str, report: Report) -> object:
    """Return what the value of a key means, None where there is none. Raises Unread."""
    if value is not None:
        return known.reader.read(value, where, report)
    if known.required:
        report.add(where, Wrong("is missing", f"write {known.reader.wanted()}"))
        raise Unread
    return known.default


def _short(name: object) -> str:
    text = str(name)
    return text if text.isprintable() and len(text) <= 40 else shown(name)
