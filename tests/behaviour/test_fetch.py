"""Mail that arrives at a provider appears in the house, and the provider's mailbox stays as it was."""

from __future__ import annotations

from typing import Any

from ansible_collections.ilnmors.mail.tests.behaviour import clients
from ansible_collections.ilnmors.mail.tests.behaviour.house import House
from testinfra.host import Host

ACCOUNT, PASSWORD = "il@gmail.test", "gmail-lab-password"


def snapshot(provider_ca: str) -> dict[str, list[bytes]]:
    """Return everything of the account: each mailbox with its UIDVALIDITY, and each message's UID, flags and bytes."""
    client: Any
    with clients.imap("imap.gmail.test", provider_ca) as client:
        client.login(ACCOUNT, PASSWORD)
        names = [line.decode().rsplit(' "/" ', 1)[1].strip('"') for line in client.list()[1]]
        content: dict[str, list[bytes]] = {"subscribed": sorted(client.lsub()[1])}
        for name in sorted(names):
            content[name] = list(client.status(f'"{name}"', "(UIDVALIDITY UIDNEXT MESSAGES UNSEEN)")[1])
            client.select(f'"{name}"', readonly=True)
            for part in client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
                # \Recent is of the session, not of the message (RFC 3501 section 2.3.2).
                content[name] += [
                    item.replace(b"\\Recent", b"") for item in part or () if isinstance(item, bytes)
                ]
        return content


def deliver(provider: Host) -> str:
    """Let a message arrive at the provider; return its Message-ID."""
    new = clients.message("friend@elsewhere.test", ACCOUNT, "From the world.\n")
    provider.check_output(f"printf %s %s | doveadm save -u {ACCOUNT} -m INBOX", "%s", new.as_string())
    return str(new["Message-ID"])


def fetch_now(mail: Host) -> None:
    """Let a fetch that began after this call run to its end.

    A start joins the timer's run that is under way, which may have looked before; one after its end does not.
    """
    for _ in range(2):
        mail.check_output("systemctl start mbsync-fetch@gmail.service")


def test_it_appears_in_the_owners_mailbox(
    house: House,
    mail: Host,
    provider: Host,
    provider_ca: str,
) -> None:
    message_id = deliver(provider)
    before = snapshot(provider_ca)
    assert any(message_id.encode() in item for item in before["INBOX"])
    for _ in range(10):
        fetch_now(mail)
    with house.imap("il") as client:
        uid = clients.find(client, message_id, "Google/INBOX")
        assert uid is not None
        fetched = clients.fetch(client, uid)
        number = client.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')[1][0].split()
    assert len(number) == 1
    assert b"From the world." in fetched
    assert snapshot(provider_ca) == before


def test_deleting_in_the_house_leaves_it_at_the_provider(
    house: House,
    mail: Host,
    provider: Host,
    provider_ca: str,
) -> None:
    message_id = deliver(provider)
    fetch_now(mail)
    before = snapshot(provider_ca)
    with house.imap("il") as client:
        uid = clients.find(client, message_id, "Google/INBOX")
        assert uid is not None
        client.select('"Google/INBOX"')
        client.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted \Flagged)")
        client.expunge()
    fetch_now(mail)
    assert snapshot(provider_ca) == before
    with house.imap("il") as client:
        assert clients.find(client, message_id, "Google/INBOX") is None


def test_an_idle_client_is_told(
    house: House,
    mail: Host,
    provider: Host,
) -> None:
    deliver(provider)
    fetch_now(mail)
    with house.imap("il") as client:
        client.select('"Google/INBOX"', readonly=True)
        client.send(b"a IDLE\r\n")
        client.readline()
        deliver(provider)
        fetch_now(mail)
        client.sock.settimeout(clients.TIMEOUT)
        while b"EXISTS" not in (line := client.readline()):
            assert line, "the connection was closed"
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"a OK"):
            pass
