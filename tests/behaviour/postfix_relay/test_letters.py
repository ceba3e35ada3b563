"""Text in other letters than ASCII, and what else the mail host announces (EHLO): each to its end.

What is taken arrives in the house byte for byte, and in the world so that it reads the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients, senders
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.providers import read_by_the_world
from ansible_collections.ilnmors.mail.tests.behaviour.support.reports import reports
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_scripts import MARK, script
from testinfra.host import Host

ELSEWHERE = "someone@elsewhere.test"
SUBJECT = "백업 완료"
LINES = ["가" * 700, "나다" * 1000, "a" * 5000, "짧은 줄", "." * 3, "끝"]
"""Lines of which some are longer than SMTP has them (998 bytes), or than Postfix reads at once."""

Sender = senders.Sender


def write(house: House, token: str, *fields: str) -> bytes:
    """Write a message with raw letters in its header and its text."""
    header = (
        f"From: 게스트 <{house.login('guest')}>",
        f"Subject: {SUBJECT}",
        f"Message-ID: <{token}@letters.test>",
        "Date: Mon, 30 Nov 2026 12:00:00 +0900",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        *fields,
    )
    return "\r\n".join([*header, "", *LINES, ""]).encode()


def text_of(message: bytes) -> bytes:
    """Return a message from its From on, without what was written before it on the way."""
    return (
        message[message.index(b"From: ") :]
        if message.startswith(b"From: ")
        else b"From: " + (message.partition(b"\r\nFrom: ")[2])
    )


def arrives(house: House, name: str, token: str) -> bytes:
    """Wait for a message in an inbox."""
    return wait_for(partial(house.received, name, f"<{token}@letters.test>"), "the message arrives")


@pytest.fixture(params=["25", "465"])
def sender(request: pytest.FixtureRequest, house: House, mail: Host) -> Sender:
    """Return who may send as guest, with a login or from a trusted machine."""
    return senders.login(house, "guest") if request.param == "465" else senders.loopback(mail, "127.0.0.1")


def by_data(message: bytes) -> list[bytes]:
    return [b"DATA\r\n", message.replace(b"\r\n.", b"\r\n..") + b".\r\n"]


def by_bdat(message: bytes) -> list[bytes]:
    """Hand a message over in parts, of which one ends within a letter."""
    middle = message.index("가".encode()) + 1
    parts = [message[:middle], message[middle:]]
    return [b"BDAT %d\r\n%b" % (len(parts[0]), parts[0]), b"BDAT %d LAST\r\n%b" % (len(parts[1]), parts[1])]


def send(
    sender: Sender, parameters: str, recipients: Sequence[str], hand_over: list[bytes], frm: str
) -> list[str]:
    steps = [f"MAIL FROM:<{frm}>{parameters}\r\n", *(f"RCPT TO:{recipient}\r\n" for recipient in recipients)]
    return sender([*(step.encode() for step in steps), *hand_over, b"QUIT\r\n"])


# --- what is announced


@pytest.mark.parametrize(("port", "login"), [(25, False), (587, True), (465, True)])
def test_what_is_announced(house: House, port: int, login: bool) -> None:
    """Each of these has a test: here, of logins in test_senders, of pipelining in test_smuggling."""
    with clients.submission(house.mail_hostname, house.ca_file, port) as client:
        client.ehlo()
        announced = {name.upper() for name in client.esmtp_features}
    expected = {"PIPELINING", "SIZE", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN"}
    assert announced == expected | ({"AUTH"} if login else set())


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        " SMTPUTF8",
        " smtputf8 BODY=8BITMIME SIZE=60000 RET=HDRS ENVID=QQ314159",
        " SIZE=60000 SMTPUTF8 BODY=8BITMIME ENVID=a+2Bb>c@d AUTH=<>",
    ],
)
@pytest.mark.parametrize("hand_over", [by_data, by_bdat])
def test_what_is_announced_is_delivered_in_the_house(
    house: House, sender: Sender, parameters: str, hand_over: Callable[[bytes], list[bytes]]
) -> None:
    token = secrets.token_hex(8)
    message = write(house, token)
    recipient = f"<{house.login('il')}> NOTIFY=FAILURE,DELAY ORCPT=rfc822;{house.login('il')}"
    replies = send(sender, parameters, [recipient], hand_over(message), house.login("guest"))
    assert [reply[:3] for reply in replies if reply[:1] == "5"] == [], replies
    assert text_of(arrives(house, "il", token)) == message


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("hand_over", [by_data, by_bdat])
def test_what_is_announced_reaches_the_world_through_a_provider_that_offers_less(
    house: House, sender: Sender, provider_ca: str, hand_over: Callable[[bytes], list[bytes]]
) -> None:
    token = secrets.token_hex(8)
    replies = send(
        sender,
        " SMTPUTF8 BODY=8BITMIME",
        [f"<{ELSEWHERE}>"],
        hand_over(write(house, token)),
        house.login("guest"),
    )
    assert replies[-2].startswith("250"), replies
    seen = wait_for(
        partial(read_by_the_world, provider_ca, "naver", f"<{token}@letters.test>"), "the world gets it"
    )
    assert f"Subject: {SUBJECT}\r\n".encode() in seen
    head, __, body = seen.partition(b"\r\n\r\n")
    # Encoded, so that no line had to be cut.
    assert b"Content-Transfer-Encoding: quoted-printable" in head
    assert body.isascii()
    assert max(map(len, body.splitlines())) <= 76
    assert clients.parse(seen).get_content().splitlines() == LINES


def test_a_size_that_is_too_large_is_refused_at_once(house: House, mail: Host, sender: Sender) -> None:
    limit = int(mail.check_output("postconf -h message_size_limit"))
    replies = send(sender, f" SIZE={limit + 1}", [], [], house.login("guest"))
    assert replies[0].startswith("552")


# --- who sends


def test_sendmail_delivers_raw_letters(house: House, mail: Host) -> None:
    """As scripts and cron write."""
    token = secrets.token_hex(8)
    head = f"Subject: {SUBJECT}\nMessage-ID: <{token}@letters.test>\n\n"
    mail.check_output("printf %%s %s | sendmail root", head + LINES[0] + "\n")
    found = arrives(house, "il", token)
    assert f"Subject: {SUBJECT}\r\n".encode() in found
    assert found.rstrip().endswith(LINES[0].encode())


SATELLITE = """
compatibility_level = 3.6
maillog_file =
queue_directory = /tmp/satellite/queue
data_directory = /tmp/satellite/data
myhostname = satellite.test
mydestination =
inet_interfaces =
inet_protocols = ipv4
alternate_config_directories =
multi_instance_enable = yes
smtp_tls_security_level = encrypt
smtp_sasl_auth_enable = yes
smtp_sasl_tls_security_options = noanonymous
smtp_sasl_password_maps = inline:{{ {{ [{host}]:587 = guest:{password} }} }}
relayhost = [{host}]:587
sender_canonical_maps = static:{sender}
"""


@pytest.fixture
def satellite(house: House, mail: Host) -> Iterator[Host]:
    """Return a machine with a Postfix, set up as Debian's satellites are, that relays to 587 with a login.

    It is the mail host itself, whose Postfix has another configuration and queue.
    """
    text = SATELLITE.format(
        host=house.mail_hostname, password=house.password("guest"), sender=house.login("guest")
    )
    mail.check_output(
        "mkdir -p /tmp/satellite/queue /tmp/satellite/data && chown postfix /tmp/satellite/data && "
        "cp /usr/share/postfix/master.cf.dist /tmp/satellite/master.cf && "
        "sed -i -E '/^(smtp +inet|#)/d; s/^(\\S+\\s+\\S+\\s+\\S+\\s+\\S+\\s+)y/\\1n/' /tmp/satellite/master.cf && "
        "printf %%s %s >/tmp/satellite/main.cf && postfix -c /tmp/satellite start",
        text,
    )
    yield mail
    mail.check_output("postfix -c /tmp/satellite stop; rm -rf /tmp/satellite")


@pytest.mark.usefixtures("provider")
def test_a_satellite_delivers_raw_letters(house: House, satellite: Host) -> None:
    """Its sendmail asks for SMTPUTF8 by itself, and would bounce the mail if the house did not offer it."""
    token = secrets.token_hex(8)
    message = f"Subject: {SUBJECT}\nMessage-ID: <{token}@letters.test>\n\n{LINES[0]}\n"
    satellite.check_output("printf %%s %s | sendmail -C /tmp/satellite %s", message, house.login("il"))
    found = arrives(house, "il", token)
    assert f"Subject: {SUBJECT}\r\n".encode() in found


def test_a_script_redirects_raw_letters(house: House, mail: Host) -> None:
    token = secrets.token_hex(8)
    message = write(house, token, f"{MARK}: yes")
    with script(house, "guest", f'redirect "{house.login("il")}";'):
        send(
            senders.loopback(mail, "127.0.0.1"),
            " SMTPUTF8",
            [f"<{house.login('guest')}>"],
            by_data(message),
            house.login("near"),
        )
        assert text_of(arrives(house, "il", token)) == message


# --- what cannot be delivered


@pytest.mark.parametrize(
    ("mail_from", "recipient"),
    [
        ("<guest@{domain}>", "<게스트@{domain}>"),
        ("<guest@{domain}>", "<게스트@elsewhere.test>"),
        ("<guest@{domain}>", "<someone@저기.test>"),
        ("<guest@{domain}>", "<게스트>"),
        ("<guest@{domain}>", "<il@{domain}\xff>"),
        ("<게스트@{domain}>", "<il@{domain}>"),
        ("<someone@저기.test>", "<il@{domain}>"),
    ],
)
@pytest.mark.parametrize("parameters", ["", " SMTPUTF8"])
def test_an_address_that_cannot_be_reached_is_refused_at_once(
    house: House, sender: Sender, mail_from: str, recipient: str, parameters: str
) -> None:
    encoding = "latin-1" if "\xff" in recipient else "utf-8"
    steps = [f"MAIL FROM:{mail_from}{parameters}\r\n", f"RCPT TO:{recipient}\r\n"]
    replies = sender([*(step.format(domain=house.domain).encode(encoding) for step in steps), b"QUIT\r\n"])
    assert "5" in [reply[0] for reply in replies[:2]], replies


@pytest.mark.parametrize("recipient", ["게스트@{domain}", "nobody-게스트@gmail.test", "someone@저기.test"])
@pytest.mark.parametrize("from_whom", ["guest@{domain}", "게스트@{domain}", ""])
def test_nobodys_mail_is_lost_in_silence(house: House, mail: Host, recipient: str, from_whom: str) -> None:
    """What a program on the mail host sends in vain comes back to it, or to the postmaster."""
    token = secrets.token_hex(8)
    message = f"Subject: {SUBJECT}\nMessage-ID: <{token}@letters.test>\n\n{LINES[0]}\n"
    whom, to = from_whom.format(domain=house.domain), recipient.format(domain=house.domain)
    mail.check_output("printf %%s %s | sendmail -f %s %s", message, whom, to)
    told = "guest" if whom.startswith("guest") else "il"
    wait_for(lambda: reports(house, told, token), "the report arrives")
