"""Write a folder of made-up messages straight into a Maildir; run on the mail host, as root.

search_mailbox.py --maildir /var/vmail/home.internal/il/Maildir --messages 100000
"""

# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import argparse
import itertools
import os
import random
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

WORDS = 30_000
"""Different words of all messages."""
FIRST = 1_600_000_000
"""Time of the first message, in seconds; the others follow half an hour apart."""

MESSAGE = """\
Return-Path: <{sender}@elsewhere.test>
From: {name} <{sender}@elsewhere.test>
To: somebody@home.internal
Subject: {subject}
Date: {date}
Message-ID: <{number}.{mark}@elsewhere.test>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

{text}

{mark}
"""


def vocabulary(size: int = WORDS) -> list[str]:
    """Return made-up words, the same at each run: the more common ones are shorter, as in a language."""
    chance, found = random.Random(1), dict[str, None]()
    letters = "eeeettaaooiinnsshhrrddlcumwfgypbvk"
    while len(found) < size:
        length = min(12, 3 + len(found).bit_length() // 3 + chance.randint(0, 3))
        found["".join(chance.choices(letters, k=length))] = None
    return list(found)


def mark(number: int) -> str:
    """Return the word that only one message has."""
    return f"{number * 2654435761 % 2**32:08x}".translate(str.maketrans("0123456789", "ghijklmnop")) + "qz"


def messages(number: int, size: int) -> Iterator[bytes]:
    """Return messages of about size bytes, whose words are as unevenly common as those of a language (Zipf's law)."""
    chance, words = random.Random(2), vocabulary()
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))

    def message(index: int) -> bytes:
        length = max(10, int(chance.lognormvariate(0, 0.6) * size / 8))
        text = chance.choices(words, cum_weights=weights, k=length + 6)
        lines = (" ".join(text[start : start + 12]) for start in range(6, len(text), 12))
        sender = words[300 + index % 200]
        return MESSAGE.format(
            sender=sender,
            name=sender.title(),
            subject=" ".join(text[:6]),
            date=formatdate(FIRST + index * 1800),
            number=index,
            mark=mark(index),
            text="\n".join(lines),
        ).encode()

    return map(message, range(number))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maildir", type=Path, required=True)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=1000, help="bytes of a text, about")
    options = parser.parse_args()
    owner = options.maildir.parent.parent.stat()
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)
    os.umask(0o077)
    for part in ("cur", "new", "tmp"):
        (options.maildir / part).mkdir(parents=True, exist_ok=True)
    total = 0
    for index, content in enumerate(messages(options.messages, options.size)):
        virtual = len(content) + content.count(b"\n")
        name = f"{FIRST + index * 1800}.M{index}.bench,S={len(content)},W={virtual}:2,S"
        (options.maildir / "cur" / name).write_bytes(content)
        total += len(content)
    print(total)


if __name__ == "__main__":
    main()
