# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of mailboxes as IMAP servers write them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)(-?)")
_UNSAFE = re.compile(r"[^\x20-\x7e]+|&")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_LIST = re.compile(
    rb"\s*\((?P<flags>[^()]*)\)\s+(?P<delimiter>NIL|\"(?:\\.|[^\"\\])\")\s+(?P<name>.*)", re.I | re.S
)
_QUOTED = re.compile(rb"\"((?:\\.|[^\"\\])*)\"", re.S)
_ATOM = re.compile(rb"[^\s]+")
_LITERAL = re.compile(rb"\{\d+\+?\}\Z")


@dataclass(frozen=True)
class Mailbox:
    r"""A mailbox in a LIST reply.

    raw: its name as the server writes it; INBOX in capitals, however the server writes that (RFC 3501 section 5.1).
    delimiter: what stands between the levels of its name; None where there are none.
    flags: its attributes in lower case, such as "\noselect", and "\sent" (RFC 6154).
    """

    raw: str
    delimiter: str | None
    flags: frozenset[str]


def decode(raw: str) -> str:
    """Return a name in modified UTF-7 (RFC 3501 section 5.1.3) as text; what is not valid comes back as it is."""
    if not _PRINTABLE.fullmatch(raw):
        return raw
    try:
        return _SHIFTED.sub(_unshift, raw)
    except ValueError:
        return raw


def encode(text: str) -> str:
    """Return text in modified UTF-7 (RFC 3501 section 5.1.3)."""
    return _UNSAFE.sub(_shift, text)


def parse_list(reply: bytes | tuple[bytes, ...] | None) -> Mailbox | None:
    """Read an item of what imaplib's list() returns; None for what tells of no mailbox.

    A name that the server sends as a literal comes as a tuple of two and an item of its own for what follows it.
    """
    line, literal = (reply[0], reply[1]) if isinstance(reply, tuple) else (reply or b"", None)
    match = _LIST.match(line)
    if match is None:
        return None
    name = _name(match["name"], literal)
    if not name:
        return None
    delimiter = None if match["delimiter"].upper() == b"NIL" else _text(_unescape(match["delimiter"][1:-1]))
    flags = frozenset(_text(match["flags"]).lower().split())
    raw = _text(name)
    return Mailbox("INBOX" if raw.upper() == "INBOX" else raw, delimiter, flags)


def _name(written: bytes, literal: bytes | None) -> bytes:
    if literal is not None and _LITERAL.search(written):
        return literal
    if match := _QUOTED.match(written):
        return _unescape(match[1])
    atom = _ATOM.match(written)
    return atom[0] if atom else b""


def _unescape(quoted: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", quoted, flags=re.S)


def _text(name: bytes) -> str:
    # Some servers list UTF-8 unasked. What is not even that cannot be asked for by name, but can be shown.
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _shift(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    shifted = base64.b64encode(match[0].encode("utf-16-be"), altchars=b"+,")
    return f"&{shifted.decode('ascii').rstrip('=')}-"


def _unshift(match: re.Match[str]) -> str:
    """Raise ValueError for what is not valid."""
    shifted, end = match[1], match[2]
    if not end:
        raise ValueError("the shift is not ended")
    if not shifted:
        return "&"
    try:
        units = base64.b64decode(shifted + "=" * (-len(shifted) % 4), altchars=b"+,", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    return units.decode("utf-16-be")


def quoted(text: str) -> bytes:
    """Quote a string of ASCII for a command (RFC 9051 section 4.3)."""
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'
