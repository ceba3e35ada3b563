"""The lab's stand-ins for public providers, how they fail for a test, and what the world gets through them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from testinfra.host import Host

FAILING = "lmdb:/etc/postfix/failing"
"""Says how a provider fails: its name, and an action of access(5). A provider that has no entry does not."""


def read_by_the_world(provider_ca: str, provider: str, message_id: str) -> bytes | None:
    """Return a message that the world got through a provider, or None."""
    with clients.imap(f"imap.{provider}.test", provider_ca) as client:
        client.login(f"world@{provider}.test", f"{provider}-lab-password")
        uid = clients.find(client, message_id)
        return clients.fetch(client, uid) if uid else None


def waiting(mail: Host, recipient: str) -> dict[str, Any] | None:
    """Return the entry of the queue that has a recipient (postqueue(1)), or None."""
    entries = map(json.loads, mail.check_output("postqueue -j").splitlines())
    return next((e for e in entries if recipient in (r["address"] for r in e["recipients"])), None)


def why_it_waits(mail: Host, recipient: str) -> str:
    """Return what the queue says of the only recipient of a message; empty where nobody tried yet."""
    entry = waiting(mail, recipient)
    return str(entry["recipients"][0].get("delay_reason", "")) if entry else ""


def fetch_now(mail: Host, account: str = "gmail") -> None:
    """Let a fetch that began after this call run to its end.

    A start joins a run that is under way, which may have looked before; one after its end does not.
    """
    for __ in range(2):
        mail.check_output("systemctl start %s", f"mbsync-fetch@{account}.service")


@contextmanager
def answering(provider: Host, name: str, action: str) -> Iterator[None]:
    """Let a provider answer every recipient with an action of access(5)."""
    provider.check_output(f"echo %s | postmap -i -r {FAILING}", f"{name} {action}")
    try:
        yield
    finally:
        provider.check_output(f"postmap -d %s {FAILING}", name)


@contextmanager
def away(provider: Host, address: str) -> Iterator[None]:
    """Take a provider's address off the network."""
    provider.check_output(f"ip address delete {address}/24 dev eth0")
    try:
        yield
    finally:
        provider.check_output("systemctl restart provider-addresses")


def cut(provider: Host, address: str) -> None:
    """Cut a provider's open connections without a word."""
    provider.check_output(f"pkill -f '^smtpd -n {address}:'")
