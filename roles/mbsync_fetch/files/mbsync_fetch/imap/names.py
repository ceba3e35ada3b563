# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of mailboxes as IMAP servers write them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from .replies import Response, octets, words

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)(-?)")
_UNSAFE = re.compile(r"[^\x20-\x7e]+|&")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


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


def parse_list(said: bytes) -> Mailbox | None:
    """Read what follows LIST in a response (RFC 9051 section 7.3.1); None for what tells of no mailbox."""
    values = Response(None, "LIST", said).values()
    if len(values) < 3 or not isinstance(values[0], list):
        return None
    flags, delimiter, written = values[:3]
    # As an atom, this is a name as well.
    name = b"NIL" if written is None else octets(written)
    if not name:
        return None
    raw = _text(name)
    return Mailbox(
        "INBOX" if raw.upper() == "INBOX" else raw,
        _text(octets(delimiter)) or None,
        frozenset(_text(octets(flag)).lower() for flag in words(flags)),
    )


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
