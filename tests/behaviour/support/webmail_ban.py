"""The ban of the webmail, and a machine that meets it."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from testinfra.host import Host

JAIL = "ilnmors-snappymail"
STRANGER = (Path(__file__).parent / "webmail_stranger.py").read_text()


def ask(host: Host, house: House, *arguments: str) -> list[int]:
    """Have a machine look at the login page, or guess; return the status of each answer."""
    words = " ".join(f"'{word}'" for word in arguments)
    where = f"{house.webmail_address} {house.webmail_hostname} 443"
    return list(map(int, host.check_output(f"python3 -c %s {where} {words}", STRANGER).split()))
