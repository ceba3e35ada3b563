# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an IMAP server says, read as its grammar has it (RFC 9051 section 9), and with patience where it does not.

A value is a str for an atom or a number, bytes for a string, None for NIL, and a list for what stands in parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Value = str | bytes | list["Value"] | None

LITERAL = re.compile(rb"~?\{(\d{1,20})\+?\}\r?\n?$")
"""How a line ends that a literal follows, with its size."""
HIGHEST_UID = 2**32 - 1
_RESPONSE = re.compile(
    rb"\* +(?:(?P<number>\d+) +)?(?P<name>[A-Za-z][A-Za-z0-9.-]*)(?: +(?P<rest>.*))?", re.S
)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.S)
_LITERAL = re.compile(rb"~?\{(\d{1,20})\+?\}\r?\n")
# An atom may end with a section, which has spaces and parentheses of its own: BODY[HEADER.FIELDS (DATE)]<0>.
_ATOM = re.compile(rb'[^\s()"\[\]]*(?:\[[^\]]*\][^\s()"\[\]]*)?')
_ESCAPED = re.compile(rb"\\(.)", re.S)


@dataclass(frozen=True)
class Response:
    """An untagged response, such as `* 12 FETCH (UID 5)`: its number, its name in capitals, and what follows."""

    number: int | None
    name: str
    rest: bytes

    def values(self) -> list[Value]:
        """Read what follows the name; nothing where that is garbled."""
        try:
            return list(_values(self.rest))
        except ValueError:
            return []


def response(said: bytes) -> Response | None:
    """Read an untagged response; None for what is none."""
    match = _RESPONSE.fullmatch(said.rstrip(b"\r\n"))
    if match is None:
        return None
    number = whole(match["number"].decode("ascii")) if match["number"] else None
    return Response(number, match["name"].decode("ascii").upper(), match["rest"] or b"")


def whole(value: Value) -> int | None:
    """Return a number of an IMAP server, below 2**63 (RFC 9051 section 9, number64); None for anything else."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 19:
        return None
    number = int(value)
    return number if number < 2**63 else None


def uid_of(value: Value) -> int | None:
    """Return a UID; None for what cannot be one (RFC 9051 section 2.3.1.1)."""
    number = whole(value)
    return number if number is not None and 0 < number <= HIGHEST_UID else None


def pairs(value: Value) -> dict[str, Value]:
    """Read a list of names and values, such as (UIDNEXT 5 MESSAGES 3), its names in capitals."""
    if not isinstance(value, list):
        return {}
    names, values = value[::2], value[1::2]
    return {name.upper(): what for name, what in zip(names, values, strict=False) if isinstance(name, str)}


def octets(value: Value) -> bytes:
    """Return a string or an atom as bytes; nothing for NIL and lists."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""


def words(value: Value) -> list[str]:
    """Return the atoms of a list, such as flags."""
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _values(said: bytes) -> Iterator[Value]:
    """Yield value after value; ValueError where one has no end."""
    position = 0
    while position < len(said):
        if said[position : position + 1].isspace():
            position += 1
            continue
        value, position = _value(said, position)
        yield value


def _value(said: bytes, position: int) -> tuple[Value, int]:
    """Read the value at a position; return it and where it ends. Lists may lie in lists, to any depth."""
    open_lists: list[list[Value]] = []
    while position < len(said):
        first = said[position : position + 1]
        if first.isspace():
            position += 1
            continue
        value: Value
        if first == b"(":
            open_lists.append([])
            position += 1
            continue
        if first == b")":
            if not open_lists:
                raise ValueError("a list ends that did not begin")
            value, position = open_lists.pop(), position + 1
        else:
            value, position = _simple(said, position)
        if not open_lists:
            return value, position
        open_lists[-1].append(value)
    raise ValueError("a list has no end")


def _simple(said: bytes, position: int) -> tuple[Value, int]:
    """Read a string, an atom or NIL."""
    if match := _QUOTED.match(said, position):
        return _ESCAPED.sub(rb"\1", match[1]), match.end()
    if match := _LITERAL.match(said, position):
        end = match.end() + int(match[1])
        if end > len(said):
            raise ValueError("a literal has no end")
        return said[match.end() : end], end
    match = _ATOM.match(said, position)
    if match is None or not match[0]:
        raise ValueError("no value begins so")
    atom = match[0].decode("utf-8", "surrogateescape")
    return (None if atom.upper() == "NIL" else atom), match.end()


def code(said: str) -> tuple[str, Sequence[str]]:
    """Return the response code of an answer's text in capitals, and what it says: `[UIDNEXT 5] hello` → UIDNEXT, 5."""
    match = re.match(r"\s*\[([^\]\s]+)\s*([^\]]*)\]", said)
    return (match[1].upper(), match[2].split()) if match else ("", ())
