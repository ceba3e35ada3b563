"""Whoever has a login of the house hurts nobody else: not by names, not by amounts, not by what is hard to do."""

from __future__ import annotations

import imaplib
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_client import ManageSieve, Refused
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_scripts import connect
from testinfra.host import Host

ATTACKER, VICTIM = "guest", "il"
SOON = 10
"""Seconds for another one's login, on a busy machine; it takes one or two otherwise."""
PORTS = {25, 465, 587, 110, 143, 993, 995, 4190}
AT_ONCE = 10

# --- names that lead elsewhere

ESCAPES = ["../{victim}/Maildir", "../../{victim}", "x/../../{victim}/Maildir", "~{victim}", "./x", ".."]
ABSOLUTE = ["/etc/x", "/var/vmail/{domain}/{victim}/Maildir", "a//b", ""]


@pytest.fixture
def attacker(house: House) -> Iterator[Any]:
    with house.imap(ATTACKER) as client:
        yield client


def quoted(name: str, house: House) -> str:
    return f'"{name.format(victim=VICTIM, domain=house.domain)}"'


@pytest.mark.parametrize("name", [*ESCAPES, *ABSOLUTE])
def test_no_name_of_a_folder_leads_to_anothers_mail(house: House, attacker: Any, name: str) -> None:
    """Whether the name is taken or not: what it names is the attacker's own, and new."""
    folder = quoted(name, house)
    taken = attacker.create(folder)[0] == "OK"
    try:
        assert not taken or name in ESCAPES
        status, count = attacker.select(folder, readonly=True)
        assert (status == "OK") is taken
        assert not taken or count == [b"0"]
    finally:
        attacker.unselect() if taken else None
        if taken:
            assert attacker.delete(folder)[0] == "OK"


@pytest.mark.parametrize(
    "pattern", ["../*", "../../*", "~{victim}/*", "/*", "{victim}/*", "user/*", "shared/*"]
)
def test_nobody_elses_folders_are_listed(house: House, attacker: Any, pattern: str) -> None:
    status, found = attacker.list('""', quoted(pattern, house))
    assert status == "OK"
    assert [name for name in found if name] == []


@pytest.mark.parametrize(
    "command",
    [
        'SETQUOTA "User quota" (STORAGE 99999999)',
        "SETACL INBOX {victim} lrswipkxtea",
        'SETMETADATA "" (/private/comment "x")',
        "PROXYAUTH {victim}",
    ],
)
def test_nobody_changes_what_is_the_houses(attacker: Any, command: str) -> None:
    attacker.send(f"x1 {command.format(victim=VICTIM)}\r\n".encode())
    while not (line := attacker.readline()).startswith(b"x1 "):
        assert line
    assert line[3:].startswith((b"NO", b"BAD")), line


def test_a_login_opens_no_other_mailbox(house: House) -> None:
    """Neither by a user to act for (RFC 4616), nor by a name with a path in it."""
    password = house.password(ATTACKER)
    acting = f"{house.login(VICTIM)}\0{house.login(ATTACKER)}\0{password}".encode()
    with clients.imap(house.mail_hostname, house.ca_file) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.authenticate("PLAIN", lambda __: acting)
        for user in (f"{VICTIM}*{ATTACKER}", f"{ATTACKER}/../{VICTIM}"):
            with pytest.raises(imaplib.IMAP4.error):
                client.login(f'"{user}"', password)


def test_from_elsewhere_only_the_ports_of_mail_are_open(
    mail: Host, provider: Host, inventory: dict[str, dict[str, Any]]
) -> None:
    """Neither LMTP nor anything else that mail is delivered by without a login."""
    assert provider
    listening = mail.check_output("ss --no-header --listening --tcp --numeric")
    found = [line.split()[3].rpartition(":") for line in listening.splitlines()]
    open_ports = {int(port) for address, __, port in found if not address.startswith(("127.", "[::1]"))}
    facts = next(iter(inventory.values()))
    figures = {int(facts["metrics"][1]), int(facts["node_exporter_port"])}
    assert open_ports <= PORTS | figures, open_ports


# --- amounts


def imap(house: House, name: str) -> Any:
    return house.imap(name)


def managesieve(house: House, name: str) -> Any:
    client = ManageSieve(house.mail_hostname, house.ca_file)
    client.log_in(name, house.password(name))
    return client


GREETED = (
    "import socket, sys; client = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10); "
    "assert client.recv(1) in (b'*', b'\"')"
)
REFUSALS = (imaplib.IMAP4.error, Refused, OSError)


def close(client: Any) -> None:
    with suppress(*REFUSALS, AttributeError):
        (getattr(client, "sock", None) or client._socket).close()


@contextmanager
def as_many_as_can_be(open_one: Callable[[House, str], Any], house: House, tries: int) -> Iterator[int]:
    """Open connections of the attacker, side by side, and give how many there are."""

    def attempt(__: int) -> Any:
        with suppress(*REFUSALS):
            return open_one(house, ATTACKER)
        return None

    with ThreadPoolExecutor(AT_ONCE) as threads:
        opened = [client for client in threads.map(attempt, range(tries)) if client]
    try:
        yield len(opened)
    finally:
        for client in opened:
            close(client)


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    ("open_one", "port", "ask"),
    [
        (imap, 143, "doveconf -h mail_max_userip_connections"),
        (managesieve, 4190, "postconf -h smtpd_client_connection_count_limit"),
    ],
    ids=["imap", "managesieve"],
)
def test_one_login_does_not_take_all_connections(
    house: House, mail: Host, app: Host, open_one: Callable[[House, str], Any], port: int, ask: str
) -> None:
    limit = int(mail.check_output(ask))
    with as_many_as_can_be(open_one, house, limit + 2 * AT_ONCE) as opened:
        # What comes side by side is counted a moment later.
        assert 0 < opened <= limit + AT_ONCE
        begin = time.monotonic()
        # From elsewhere: what an address may hold is all of the attacker's.
        app.check_output("python3 -c %s %s %s", GREETED, house.mail_address, str(port))
        assert time.monotonic() - begin < SOON


def test_a_message_without_end_is_refused_before_it_comes(house: House, mail: Host) -> None:
    if "quota" not in mail.check_output("doveconf -n mail_plugins"):
        pytest.skip("needs a house with quotas")
    with house.imap("full") as client:
        client.send(b"x1 APPEND INBOX {100000000000}\r\n")
        assert b"x1 NO [OVERQUOTA]" in client.readline()


def test_messages_and_folders_of_nothing_have_an_end(house: House, mail: Host) -> None:
    """No size tells of them."""
    if "quota" not in mail.check_output("doveconf -n mail_plugins"):
        pytest.skip("needs a house with quotas")
    with house.imap(ATTACKER) as client:
        (line,) = client.getquotaroot("INBOX")[1][1]
    most = re.search(rb"MESSAGE \d+ (\d+)", line)
    assert most
    assert 100_000 <= int(most[1]) <= 10_000_000
    # Dovecot 2.3 counts no folders.
    known = mail.run("doveconf -h quota_mailbox_count").stdout.strip()
    assert not known.isdigit() or int(known) <= 100_000


def put(client: ManageSieve, number: int) -> None:
    """Store scripts until that is refused."""
    for __ in range(number):
        client.command("PUTSCRIPT", f"behaviour-test-{secrets.token_hex(4)}", "keep;\r\n")


def test_scripts_have_an_end(house: House) -> None:
    with connect(house, ATTACKER) as client:
        before = client.scripts()
        try:
            with pytest.raises(Refused, match="QUOTA"):
                put(client, 200)
        finally:
            for name in client.scripts().keys() - before.keys():
                client.command("DELETESCRIPT", name)
        assert client.scripts() == before


# --- what is hard to do

ALTERNATIVES = "(" * 6 + "a" + "{1,200})" * 6


def test_a_pattern_that_takes_all_memory_is_the_attackers_own_trouble(house: House, mail: Host) -> None:
    with connect(house, ATTACKER) as client, suppress(Refused, ConnectionError):
        client.command(
            "CHECKSCRIPT", f'require "regex"; if header :regex "subject" "{ALTERNATIVES}" {{ stop; }}'
        )
    # Where that takes the host's memory all the same, the kernel ends one process, and not systemd all of them.
    policies = mail.check_output(
        "systemctl show --property OOMPolicy dovecot.service postfix.service fail2ban.service"
    )
    assert set(policies.split()) == {"OOMPolicy=continue"}
    with connect(house, VICTIM) as client:
        client.command("CHECKSCRIPT", "keep;\r\n")


HARD = [
    b"UID SEARCH " + b"TEXT a " * 9_000 + b"ALL",
    b"UID SEARCH " + b"(" * 20_000 + b"ALL" + b")" * 20_000,
    b"UID SEARCH " + b"NOT " * 15_000 + b"ALL",
    b"UID SORT (" + b"REVERSE SUBJECT " * 3_000 + b"DATE) UTF-8 ALL",
    b"UID THREAD REFERENCES UTF-8 " + b"OR BODY q ALL " * 4_000 + b"ALL",
    b"NOOP " + b"x" * 3_000_000,
    b"SELECT {500000000}",
    b"UID FETCH 1:* (" + b"BODY.PEEK[HEADER] " * 3_000 + b"UID)",
]


@pytest.mark.usefixtures("provider")
def test_hard_commands_hold_up_nobody_else(house: House) -> None:
    """From ten connections at once, for as long as another one logs in, sends and reads."""
    ended = time.monotonic() + 60

    def attack(command: bytes) -> None:
        while time.monotonic() < ended:
            with suppress(*REFUSALS), house.imap(ATTACKER) as client:
                client.select("INBOX", readonly=True)
                client.send(b"x1 " + command + b"\r\n")
                while (line := client.readline()) and not line.startswith(b"x1 "):
                    pass

    with ThreadPoolExecutor(10) as threads:
        for number in range(10):
            threads.submit(attack, HARD[number % len(HARD)])
        try:
            time.sleep(1)
            begin = time.monotonic()
            new = clients.message(house.login(VICTIM), house.login(VICTIM))
            with clients.submission(house.mail_hostname, house.ca_file) as client:
                client.login(VICTIM, house.password(VICTIM))
                client.send_message(new)
            wait_for(lambda: house.received(VICTIM, new["Message-ID"]), "the other one's mail", 2 * SOON)
            assert time.monotonic() - begin < 2 * SOON
        finally:
            ended = 0


@pytest.mark.parametrize("before_login", [b"x LOGIN {2000000000}\r\n", b"x LOGIN " + b"x" * 1_000_000])
def test_who_sends_without_end_before_a_login_is_cut_off(house: House, before_login: bytes) -> None:
    context = clients.tls(house.ca_file)
    with (
        socket.create_connection((house.mail_hostname, 993), clients.TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=house.mail_hostname) as connection,
        suppress(OSError),
    ):
        connection.sendall(before_login)
        answers = b""
        while received := connection.recv(4096):
            answers += received
        assert b"x OK" not in answers
