#!/usr/bin/python3 -IS
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send what a Sieve script sends, in the name of the mailbox's owner.

Run by Dovecot as `sieve-sendmail OWNER -i -f SENDER -- RECIPIENT…`, with a message on standard input. SENDER can come
from a field of the message that was filtered, so that anybody could have written it: the owner takes its place, and so
the owner's account carries the message to the world. What has no sender keeps none (RFC 5228 section 4.2, RFC 5429
section 2.1.1), but is marked as the owner's while it is in the queue (sender_rewriting.py, NULL_MARK).

Outside of the house an account replaces the address in From: what is redirected gets a Reply-To with whoever wrote it.
What a script itself writes, such as an answer of a vacation, has an address of the owner in From, as whatever a login
sends.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

SENDMAIL = "/usr/sbin/sendmail"
# A passwd-file of Dovecot: whose addresses the house's other ones are.
ALIASES = Path("/etc/dovecot/aliases")
NULL_MARK = ".null.sender.invalid"

# A field of a header: its name, and what follows the colon.
FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
ADDRESS = re.compile(rb"(?P<name>.*)<(?P<named>[^<>]*)>\s*|\s*(?P<bare>[^\s<>]+)\s*", re.DOTALL)
REPORT = re.compile(rb"\s*multipart/report\b", re.IGNORECASE)


class Header:
    """The header of a message, as fields with their line ends."""

    def __init__(self, fields: Sequence[bytes]) -> None:
        """Take fields."""
        self.fields = list(fields)

    def name(self, index: int) -> bytes:
        """Return the name of a field in lower case, empty for what is no field."""
        found = FIELD.match(self.fields[index]) if index < len(self.fields) else None
        return found[1].lower() if found else b""

    def find(self, name: bytes) -> list[tuple[int, bytes]]:
        """Return the place and the value of each field of this name."""
        found = [(index, FIELD.match(field)) for index, field in enumerate(self.fields)]
        return [(index, match[2].strip()) for index, match in found if match and match[1].lower() == name]

    @property
    def redirected(self) -> bool:
        """Whether it is a message that somebody else wrote, which Pigeonhole's redirect begins with these."""
        return (self.name(0), self.name(1)) == (b"x-sieve", b"x-sieve-redirected-from")

    @property
    def reports(self) -> bool:
        """Whether it is a report on mail (RFC 6522), which nobody answers with another one."""
        return any(REPORT.match(value) for __, value in self.find(b"content-type"))

    def keep_authors(self) -> None:
        """Say in Reply-To who wrote it, unless it says already where answers go; From is one field."""
        authors = self.find(b"from")
        for index, value in authors[1:]:
            self.fields[index] = b"X-Original-From: " + value + b"\n"
        values = [value for __, value in authors if b"@" in value]
        if values and not self.find(b"reply-to"):
            self.fields.insert(authors[0][0], b"Reply-To: " + b",\n ".join(values) + b"\n")

    def own_author(self, owner: str) -> None:
        """Let From have an address of the owner; the name in it stays."""
        for index, value in self.find(b"from"):
            found = ADDRESS.fullmatch(value)
            address = (found["named"] or found["bare"] or b"").decode(errors="replace") if found else ""
            if not owns(owner, address) and not self.refuses(owner, address):
                name = (found["name"] or b"").strip() if found else b""
                self.fields[index] = (
                    b"From: " + b" ".join(filter(None, [name, f"<{owner}>".encode()])) + b"\n"
                )

    def refuses(self, owner: str, address: str) -> bool:
        """Whether Dovecot itself wrote it, to say that a script refuses a message."""
        says_so = any(b"(rejected)" in value for __, value in self.find(b"auto-submitted"))
        return says_so and address.lower() == f"postmaster@{domain(owner)}"


def domain(address: str) -> str:
    """Return what follows the at sign, in lower case."""
    return address.rpartition("@")[2].lower()


def owns(owner: str, address: str) -> bool:
    """Whether an address is the owner's, or a plus address of one."""
    local, __, of = address.lower().rpartition("@")
    plain = f"{local.partition('+')[0]}@{of}"
    return plain == owner.lower() or plain in aliases(owner)


def aliases(owner: str) -> Iterator[str]:
    """Return the owner's other addresses in the house."""
    try:
        lines = ALIASES.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        alias, *__, field = line.split(":")
        if field == f"userdb_user={owner}":
            yield alias


def read_fields(lines: Iterator[bytes]) -> tuple[list[bytes], bytes]:
    """Read a header; return its fields and the line after it."""
    fields: list[bytes] = []
    for line in lines:
        if not line.strip(b"\r\n"):
            return fields, line
        if line[:1] in b" \t" and fields:
            fields[-1] += line
        else:
            fields.append(line)
    return fields, b""


def rewrite(header: Header, owner: str, sender: str, recipients: Sequence[str]) -> str:
    """Change a header for the one who sends it now; return the sender for the envelope."""
    if not header.redirected:
        header.own_author(owner)
    elif any(domain(recipient) != domain(owner) for recipient in recipients):
        header.keep_authors()
    without = sender in ("", "<>") or (header.redirected and header.reports)
    return owner + NULL_MARK if without else owner


def main(arguments: Sequence[str]) -> int:
    """Hand the message on; return sendmail's exit code."""
    owner, *options = arguments
    sender = options[options.index("-f") + 1]
    recipients = options[options.index("--") + 1 :]
    fields, rest = read_fields(iter(sys.stdin.buffer.readline, b""))
    header = Header(fields)
    try:
        envelope = rewrite(header, owner, sender, recipients)
    except Exception as error:  # Whatever somebody wrote into a header, the message is sent.
        print(f"a header stays as it is: {error!r}", file=sys.stderr)
        header, envelope = Header(fields), owner
    sendmail = subprocess.Popen([SENDMAIL, "-i", "-f", envelope, "--", *recipients], stdin=subprocess.PIPE)
    # One that ends before it has read everything says why in its exit code.
    with contextlib.suppress(BrokenPipeError), cast(IO[bytes], sendmail.stdin) as message:
        message.write(b"".join(header.fields) + rest)
        shutil.copyfileobj(sys.stdin.buffer, message)
    return sendmail.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
