"""How many messages a second Dovecot takes over LMTP; run on the mail host, as root.

lmtp_rate.py --messages 1000 --connections 10 --recipients il@home.internal,guest@home.internal
"""

# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import argparse
import random
import smtplib
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

SOCKET = "/var/spool/postfix/private/dovecot-lmtp"


def vocabulary(size: int = 20000) -> list[str]:
    """Return made-up words, the same at each run."""
    chance = random.Random(1)
    letters = "eeeettaaooiinnsshhrrddlcumwfgypbvk"
    return ["".join(chance.choices(letters, k=chance.randint(3, 10))) for __ in range(size)]


def message(chance: random.Random, words: list[str], recipient: str, size: int) -> bytes:
    """Return a message of about size bytes whose words are as unevenly common as those of a language."""
    new = EmailMessage()
    new["From"] = "Sender <sender@elsewhere.test>"
    new["To"] = recipient
    text = [words[int(len(words) * chance.random() ** 4)] for __ in range(size // 7)]
    new["Subject"] = " ".join(text[:5])
    new["Message-ID"] = f"<{chance.getrandbits(64):x}@elsewhere.test>"
    new.set_content("\n".join(" ".join(text[start : start + 10]) for start in range(0, len(text), 10)))
    return new.as_bytes()


def deliver(socket: str, deliveries: list[tuple[str, bytes]]) -> None:
    """Deliver messages, one after another, over one connection."""
    with smtplib.LMTP(socket) as client:
        for recipient, content in deliveries:
            client.sendmail("sender@elsewhere.test", [recipient], content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--recipients", required=True, help="addresses, separated by commas")
    parser.add_argument("--size", type=int, default=3000, help="bytes of a message's text")
    parser.add_argument("--socket", default=SOCKET)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, words = random.Random(options.seed), vocabulary()
    recipients = options.recipients.split(",")
    deliveries = [
        (recipient, message(chance, words, recipient, options.size))
        for recipient in (recipients[number % len(recipients)] for number in range(options.messages))
    ]
    start = time.monotonic()
    with ThreadPoolExecutor(options.connections) as pool:
        shares = [deliveries[number :: options.connections] for number in range(options.connections)]
        list(pool.map(lambda share: deliver(options.socket, share), shares))
    seconds = time.monotonic() - start
    print(f"{options.messages / seconds:.1f} messages/s, {seconds:.2f} s")


if __name__ == "__main__":
    main()
