"""All that a house holds, as its clients see it: read over IMAP, POP3 and ManageSieve."""

from __future__ import annotations

import base64
import hashlib
import imaplib
import re
from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve
from testinfra.host import Host

ITEMS = "(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ BODY.PEEK[])"

USERS = ["il", "guest", "full"]

POOLS = "/etc/php/*/fpm/pool.d/snappymail.conf"

Mailbox = dict[str, Any]
"""validity, next and modseq; messages by UID: flags, date, size, hash of the bytes, modseq."""


def encode(name: str) -> str:
    """Return a mailbox's name as IMAP spells it (RFC 3501 section 5.1.3)."""

    def shift(match: re.Match[str]) -> str:
        return "&" + base64.b64encode(match[0].encode("utf-16-be"), b"+,").decode().rstrip("=") + "-"

    return re.sub(r"[^\x20-\x7e]+", shift, name.replace("&", "&-"))


def imap(house: House, user: str) -> Any:
    """Return a logged-in IMAP client."""
    client = house.imap(user)
    # What a client is that remembers: from now on Dovecot counts changes in every mailbox it opens (RFC 7162).
    client.enable("CONDSTORE")
    return client


def everything(house: House, user: str) -> dict[str, Any]:
    """Return all that a user has."""
    with imap(house, user) as client:
        folders = listed(client.list()[1])
        return {
            "folders": folders,
            "subscribed": sorted(listed(client.lsub()[1])),
            "quota": [
                re.sub(rb"^\S+ ", b"", line).decode() for line in client.getquotaroot("INBOX")[1][1] if line
            ],
            "mailboxes": {
                name: mailbox(client, name) for name, flags in folders.items() if r"\Noselect" not in flags
            },
            "pop3": pop3(house, user),
            "scripts": scripts(house, user),
        }


def listed(lines: list[Any]) -> dict[str, list[str]]:
    """Return the attributes of each mailbox in an answer to LIST or LSUB, but those that come and go."""
    found = {}
    for line in lines:
        flags, name = re.fullmatch(r'\((.*?)\) "/" "?(.*?)"?', line.decode()).groups()  # type: ignore[union-attr]
        found[name] = sorted(set(flags.split()) - {r"\Marked", r"\UnMarked"})
    return found


def mailbox(client: Any, name: str) -> Mailbox:
    """Return a mailbox."""
    status, answer = client.select(f'"{name}"', readonly=True)
    assert status == "OK", (name, answer)
    validity, following, modseq = (
        int(client.response(code)[1][0]) for code in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ")
    )
    return {"validity": validity, "next": following, "modseq": modseq, "messages": messages(client)}


def messages(client: Any) -> dict[str, list[Any]]:
    """Return the messages of the selected mailbox, by UID."""
    found = {}
    for part in client.uid("FETCH", "1:*", ITEMS)[1]:
        if not isinstance(part, tuple):
            continue
        flags = sorted(flag.decode() for flag in imaplib.ParseFlags(part[0]) if flag != rb"\Recent")
        said = re.fullmatch(
            r"\d+ \(UID (?P<uid>\d+) FLAGS .* INTERNALDATE (?P<date>\".*\") RFC822.SIZE (?P<size>\d+)"
            r" MODSEQ \((?P<modseq>\d+)\) BODY\[\] .*",
            part[0].decode(),
        )
        assert said, part[0]
        content = hashlib.sha256(part[1]).hexdigest()
        found[said["uid"]] = [flags, said["date"], int(said["size"]), content, int(said["modseq"])]
    return found


def pop3(house: House, user: str) -> list[str]:
    """Return what a POP3 client knows of each message: number, UIDL and size."""
    client = clients.pop3(house.mail_hostname, house.ca_file)
    client.user(user)
    client.pass_(house.password(user))
    uidls, sizes = client.uidl()[1], client.list()[1]
    client.quit()
    return [f"{uidl.decode()} {size.decode().split()[1]}" for uidl, size in zip(uidls, sizes, strict=True)]


def scripts(house: House, user: str) -> dict[str, Any]:
    """Return a user's Sieve scripts: the text of each, and whether it is the active one."""
    with ManageSieve(house.mail_hostname, house.ca_file) as client:
        client.log_in(user, house.password(user))
        return {
            name: [active, client.command("GETSCRIPT", name).lines[0][0]]
            for name, active in client.scripts().items()
        }


def secrets(mail: Host, app: Host) -> dict[str, str]:
    """Return what must survive on the hosts: the house's authority, hashes of passwords, the webmail's key."""
    return {
        "authority": mail.check_output("sha256sum /etc/ssl/ilnmors-mail/ca.pem /etc/ssl/ilnmors-mail/ca.key"),
        "passwords": mail.check_output("cut -d: -f1,2 /etc/dovecot/users /etc/dovecot/services | sha256sum"),
        "webmail": app.check_output("sha256sum /var/lib/snappymail/SALT.php"),
    }
