# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a message is matched by: some fields of its header."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

FINGERPRINT_SIZE = 16
"""Bytes."""
HEADER_FIELDS = ("message-id", "date", "from", "subject")
FINGERPRINTED = f"INTERNALDATE BODY.PEEK[HEADER.FIELDS ({' '.join(HEADER_FIELDS).upper()})]"
"""What a message is recognised by: the provider gives it without the body, and no copy differs in it."""
MESSAGE_ID = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
NOTHING = bytes(FINGERPRINT_SIZE)
"""The fingerprint of what is not to be matched."""


def fingerprint(header: bytes, internaldate: str) -> bytes:
    """Return what a message is recognised by.

    header: the fields HEADER_FIELDS, and any others, as FETCH BODY.PEEK[HEADER.FIELDS (...)] gives them.
    internaldate: as FETCH INTERNALDATE gives it; it counts where there is no Message-ID.
    """
    fields = header_fields(header)
    values = [fields.get(name, b"") for name in HEADER_FIELDS]
    if not values[0]:
        values.append(_moment(internaldate))
    return hashlib.blake2b(b"\n".join(values), digest_size=FINGERPRINT_SIZE).digest()


def header_fields(header: bytes) -> dict[str, bytes]:
    """Return the first field of each name, in lower case: unfolded, and with single spaces."""
    fields: dict[str, bytes] = {}
    for line in re.sub(rb"\r?\n(?=[ \t])", b"", header).splitlines():
        name, _colon, value = line.partition(b":")
        fields.setdefault(name.strip().decode("ascii", "replace").lower(), b" ".join(value.split()))
    return fields


def _moment(internaldate: str) -> bytes:
    """Write a date-time (RFC 3501 section 9) so that it is the same in every zone."""
    text = internaldate.strip('" ')
    try:
        return str(int(datetime.strptime(text, "%d-%b-%Y %H:%M:%S %z").timestamp())).encode()
    except ValueError:
        return text.encode()
