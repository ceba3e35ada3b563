"""Scripts of a user that stand in for the user's own, for a while."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve

MARK = "X-Behaviour-Test"
# Dovecot's default ones, and what its role adds. Webmails offer what they find here.
EXTENSIONS = {
    "body",
    "comparator-i;ascii-numeric",
    "copy",
    "date",
    "duplicate",
    "editheader",
    "encoded-character",
    "enotify",
    "environment",
    "envelope",
    "extracttext",
    "fileinto",
    "foreverypart",
    "ihave",
    "imap4flags",
    "include",
    "index",
    "mailbox",
    "mime",
    "regex",
    "reject",
    "relational",
    "special-use",
    "subaddress",
    "vacation",
    "variables",
}


@contextmanager
def connect(house: House, name: str) -> Iterator[ManageSieve]:
    """Log in to ManageSieve."""
    with ManageSieve(house.mail_hostname, house.ca_file) as client:
        client.log_in(name, house.password(name))
        yield client


Put = Callable[[str, str], object]


@contextmanager
def script(house: House, name: str, text: str, put: Put | None = None) -> Iterator[None]:
    """Let a user's script treat mail with our mark, and the user's own one all other mail, for a while.

    put: installs and activates a script, given its name and text; otherwise ManageSieve does.
    """
    own = f"behaviour-test-{secrets.token_hex(4)}"
    with connect(house, name) as client:
        former = client.active()
    others = f'include :personal "{former}";' if former else ""
    text = f'require {json.dumps(sorted(EXTENSIONS))};\nif not exists "{MARK}" {{ {others} stop; }}\n{text}\n'
    try:
        if put:
            put(own, text)
        else:
            with connect(house, name) as client:
                client.command("PUTSCRIPT", own, text)
                client.command("SETACTIVE", own)
        yield
    finally:
        with connect(house, name) as client:
            client.command("SETACTIVE", former)
            if own in client.scripts():
                client.command("DELETESCRIPT", own)
