"""Folders have the names that people give them, whatever stands in these."""

from __future__ import annotations

import base64
import json
import re
import secrets
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_scripts import MARK, script

NAMES = [
    "Invoices 2026.10",
    "2026.10.30",
    ".hidden",
    "..",
    "end.",
    "~archive",
    "INBOX.Sent",
    "Sent.old",
    "dovecot.index",
    "cur",
    "Projects/2026.10/~draft.v2",
    "a^b",
    "a^2eb",
    "C:\\temp\\2e",
    "100%",
    "a*b",
    'say "yes"',
    "A & B",
    "#1 (new) [x] {y}",
    " leading",
    "trailing ",
    "유럽 출장.2026",
    "한글" * 38,
    "🎉 Party.2026",
    "Résumés.2026",
    unicodedata.normalize("NFD", "한글 Résumés.2026"),
]


def wire(name: str) -> str:
    """Write a name as IMAP does (RFC 3501 section 5.1.3), in quotes."""

    def shifted(found: re.Match[str]) -> str:
        if found[0] == "&":
            return "&-"
        code = base64.b64encode(found[0].encode("utf-16-be")).decode()
        return f"&{code.rstrip('=').replace('/', ',')}-"

    coded = re.sub(r"&|[^\x20-\x7e]+", shifted, name)
    return '"' + re.sub(r'(["\\])', r"\\\1", coded) + '"'


@pytest.fixture
def client(house: House) -> Iterator[Any]:
    with house.imap(house.reader) as client:
        yield client


@pytest.fixture
def parent(client: Any) -> Iterator[str]:
    """Return the name of a folder, which is removed with all that it has."""
    name = f"test-{secrets.token_hex(4)}"
    yield name
    clients.leave(client)
    for subscribed in names(client.lsub('""', f'"{name}*"')[1]):
        client.unsubscribe(subscribed)
    for there in names(client.list('""', f'"{name}*"')[1]):
        client.delete(there)


def mailbox(line: bytes | tuple[bytes, bytes]) -> str:
    """Return the name of a line of LIST or LSUB, as it is written in commands."""
    if isinstance(line, tuple):
        return '"' + re.sub(r'(["\\])', r"\\\1", line[1].decode()) + '"'
    text = line.decode().partition(") ")[2].partition(" ")[2]
    return text if text.startswith('"') else f'"{text}"'


def names(answer: list[Any]) -> set[str]:
    return {mailbox(line) for line in answer if line}


def ok(answer: tuple[str, Any]) -> Any:
    assert answer[0] == "OK", answer
    return answer[1]


@pytest.mark.any_house
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_has_the_name_that_it_was_given(client: Any, parent: str, name: str) -> None:
    full, other = wire(f"{parent}/{name}"), wire(f"{parent}/{name} 2")
    ok(client.create(full))
    assert full in names(client.list('""', f'"{parent}/*"')[1])
    word = secrets.token_hex(8)
    new = clients.message("a@elsewhere.test", "reader@elsewhere.test", f"It says {word}.\n")
    ok(client.append(full, "", None, new.as_bytes()))
    assert b"MESSAGES 1" in ok(client.status(full, "(MESSAGES)"))[-1]
    ok(client.select(full))
    assert ok(client.search(None, "BODY", word)) == [b"1"]
    clients.leave(client)
    ok(client.rename(full, other))
    assert {full, other} & names(client.list('""', f'"{parent}/*"')[1]) == {other}
    assert b"MESSAGES 1" in ok(client.status(other, "(MESSAGES)"))[-1]
    ok(client.delete(other))


# A list of subscriptions, once there is one, stays.
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_subscribed_by_its_name(client: Any, parent: str, name: str) -> None:
    full = wire(f"{parent}/{name}")
    ok(client.create(full))
    ok(client.subscribe(full))
    assert full in names(client.lsub('""', f'"{parent}/*"')[1])


@pytest.mark.any_house
@pytest.mark.parametrize("name", ["Invoices.10", "~mine.", ".x", "2026.10/Q4", "한글.2026"])
def test_at_the_top_as_well(client: Any, name: str) -> None:
    own = wire(f"{name}-{secrets.token_hex(4)}")
    ok(client.create(own))
    assert own in names(client.list('""', "*")[1])
    ok(client.delete(own))


@pytest.mark.any_house
@pytest.mark.parametrize("name", ["/x", "x//y", "x/"])
def test_what_no_name_can_be_is_refused(client: Any, parent: str, name: str) -> None:
    """An empty part. A name that ends in the separator is allowed to announce others (RFC 3501 section 6.3.3)."""
    status, answer = client.create(wire(f"{parent}/{name}" if name != "/x" else name))
    assert status == ("OK" if name == "x/" else "NO"), answer


def taken_from_inbox(client: Any) -> list[int]:
    """Take back what Dovecot 2.4.1 keeps in the inbox, as it may not find a folder that it has just made.

    Its index of folders looks new ones up by their unescaped names while another process lists them.
    """
    ok(client.select("INBOX"))
    numbers = []
    for uid in ok(client.uid("SEARCH", "HEADER", MARK, "yes"))[0].split():
        numbers.append(int(str(clients.parse(clients.fetch(client, uid))["Subject"])))
        ok(client.uid("STORE", uid, "+FLAGS", r"(\Deleted)"))
    ok(client.expunge())
    return numbers


def test_a_script_files_into_them(house: House, client: Any, parent: str) -> None:
    wanted = [f"{parent}/{name}" for name in NAMES]
    rules = "".join(
        f'{"els" if number else ""}if header :is "Subject" "{number}" '
        f"{{ fileinto :create {json.dumps(name, ensure_ascii=False)}; }}\n"
        for number, name in enumerate(wanted)
    )
    with (
        script(house, "guest", rules),
        clients.submission(house.mail_hostname, house.ca_file) as sender,
    ):
        sender.login("il", house.password("il"))

        def send(number: int) -> None:
            new = clients.message(house.login("il"), house.login("guest"))
            new.replace_header("Subject", str(number))
            new[MARK] = "yes"
            sender.send_message(new)

        for number in range(len(wanted)):
            send(number)

        def filed() -> bool:
            for number in taken_from_inbox(client):
                send(number)
            there = names(client.list('""', f'"{parent}/*"')[1])
            return all(wire(name) in there for name in wanted) and all(
                b"MESSAGES 1" in client.status(wire(name), "(MESSAGES)")[1][-1] for name in wanted
            )

        wait_for(filed, "all are filed")
