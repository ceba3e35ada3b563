"""What the tests run on the machine of the providers' stand-ins: python3 -c THIS REQUEST (see provider_mailboxes.py).

It works past the network, so that nothing of it stands among the commands of the providers' clients.
"""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PADDING = b"Nothing in this line but what makes the message longer.\r\n"


def quoted(mailbox: str) -> bytes:
    """Return a mailbox's name as IMAP has it: in modified UTF-7 (RFC 3501 section 5.1.3), quoted."""
    text, rest = "", mailbox.replace("\\", r"\\").replace('"', r"\"")
    while rest:
        plain = next((at for at, char in enumerate(rest) if not " " <= char <= "~"), len(rest))
        text += rest[:plain].replace("&", "&-")
        rest = rest[plain:]
        shifted = next((at for at, char in enumerate(rest) if " " <= char <= "~"), len(rest))
        if shifted:
            encoded = base64.b64encode(rest[:shifted].encode("utf-16-be"), b"+,").decode().rstrip("=")
            text += f"&{encoded}-"
        rest = rest[shifted:]
    return f'"{text}"'.encode()


def messages(request: dict[str, Any]) -> Iterator[bytes]:
    """Make as many messages as are wanted; %d in the one that is given is its number."""
    message = base64.b64decode(request["message"])
    if request["size"] > len(message):
        lines = (request["size"] - len(message)) // len(PADDING) + 1
        message = (message + PADDING * lines)[: request["size"] - 2] + b"\r\n"
    for number in range(1, request["count"] + 1):
        yield message if request["count"] == 1 else message.replace(b"%d", b"%d" % number)


def append(request: dict[str, Any]) -> list[list[int]]:
    """Store messages in each of some mailboxes; return their UIDs there."""
    date = f' "{request["date"]}"'.encode() if request["date"] else b""
    flags = " ".join(request["flags"]).encode()
    with subprocess.Popen(
        ["/usr/lib/dovecot/imap", "-u", request["account"]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        assert server.stdin
        assert server.stdout
        found = []
        for mailbox in request["mailboxes"]:
            # Many in one command (RFC 3502).
            server.stdin.write(b"a APPEND " + quoted(mailbox))
            for message in messages(request):
                server.stdin.write(b" (%s)%s {%d+}\r\n%s" % (flags, date, len(message), message))
            server.stdin.write(b"\r\n")
            server.stdin.flush()
            while not (line := server.stdout.readline()).startswith(b"a "):
                if not line:
                    sys.exit("the server left")
            if not line.startswith(b"a OK [APPENDUID "):
                sys.exit(f"{mailbox}: {line.decode()}")
            first, __, last = line.split(b"]")[0].split()[-1].partition(b":")
            found.append(list(range(int(first), int(last or first) + 1)))
        server.stdin.write(b"b LOGOUT\r\n")
        server.stdin.close()
        server.stdout.read()
    return found


def renumber(request: dict[str, Any]) -> int:
    """Give a mailbox another UIDVALIDITY and its messages other UIDs, and return it: nothing else changes.

    https://doc.dovecot.org/2.4.1/core/config/mailbox/formats/maildir.html says what is in dovecot-uidlist.
    """
    box = Path(command("mailbox", "path", "-u", request["account"], request["mailbox"]).strip())
    # What is new has its line.
    command("force-resync", "-u", request["account"], request["mailbox"])
    uids, lock = box / "dovecot-uidlist", box / "dovecot-uidlist.lock"
    descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    header, *lines = uids.read_text(errors="surrogateescape").splitlines()
    validity = next(int(word[1:]) for word in header.split() if word.startswith("V")) + 1
    words = [f"V{validity}" if word.startswith("V") else word for word in header.split()]
    words = [f"N{len(lines) + 1}" if word.startswith("N") else word for word in words]
    records = [line.partition(" ")[2] for line in lines]
    random.Random(validity).shuffle(records)
    text = "".join(f"{line}\n" for line in [" ".join(words), *(f"{n} {r}" for n, r in enumerate(records, 1))])
    os.write(descriptor, text.encode(errors="surrogateescape"))
    os.close(descriptor)
    os.chown(lock, uids.stat().st_uid, uids.stat().st_gid)
    lock.rename(uids)
    for index in box.glob("dovecot.index*"):
        index.unlink()
    return validity


def command(*arguments: str) -> str:
    """Run doveadm."""
    return subprocess.run(["doveadm", *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps({"append": append, "renumber": renumber}[asked.pop("do")](asked)))
