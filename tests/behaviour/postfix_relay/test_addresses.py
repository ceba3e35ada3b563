"""Whom each address of the house reaches, what programs on the mail host send, and how large mail may be."""

from __future__ import annotations

import secrets
import smtplib
from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils._render import postfix as relay
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from testinfra.host import Host


def submission(house: House, name: str = "") -> smtplib.SMTP:
    """Connect and log in."""
    client = clients.submission(house.mail_hostname, house.ca_file)
    name = name or house.reader
    client.login(name, house.password(name))
    return client


@pytest.fixture
def client(house: House) -> Iterator[smtplib.SMTP]:
    """Return a connection of a user who is logged in, and has said that a message comes."""
    with submission(house) as client:
        client.ehlo_or_helo_if_needed()
        client.mail(house.login(house.reader))
        yield client


# --- addresses


@pytest.mark.parametrize(
    "recipient",
    [
        "IL@{domain}",
        "PostMaster@{domain}",
        "root+cron@{domain}",
        "Abuse+Spam@{domain}",
        "il@{host}",
        "root@{host}",
        "mailer-daemon@localhost",
        "ROOT+cron@localhost.{domain}",
    ],
)
def test_it_reaches_il(house: House, recipient: str) -> None:
    to = recipient.format(domain=house.domain, host=house.mail_hostname)
    new = clients.message(house.login("guest"), house.login("il"))
    with submission(house) as client:
        client.send_message(new, to_addrs=[to])
    wait_for(lambda: house.received("il", new["Message-ID"]), f"mail to {to} arrives")


@pytest.mark.any_house
@pytest.mark.parametrize(
    "recipient",
    [
        "nobody-of-the-house@{domain}",
        "nobody-of-the-house+x@{domain}",
        "nobody-of-the-house@{host}",
        "nobody@localhost",
    ],
)
def test_an_unknown_recipient_is_refused_while_the_sender_listens(
    house: House, client: smtplib.SMTP, recipient: str
) -> None:
    code, text = client.rcpt(recipient.format(domain=house.domain, host=house.mail_hostname))
    assert (code, b"5.1.1" in text) == (550, True), text


@pytest.fixture
def catch_all(house: House, mail: Host, provider: Host) -> Iterator[None]:  # noqa: ARG001 - only in the lab
    """Let guest have the mail for nobody, in the lab; the table is as it was after the test in any case."""
    maps = "/etc/postfix/maps"
    users = [{"name": name, "catch_all": name == "guest"} for name in house.people]
    known = dict(
        line.split(None, 1) for line in mail.file(f"{maps}/aliases").content_string.splitlines() if line
    )
    table = relay.aliases(users, house.domain, "il") | known
    mail.check_output(f"cp -a {maps} {maps}.before")
    try:
        mail.check_output(
            f"echo %s > {maps}/aliases", "\n".join(f"{key} {value}" for key, value in table.items())
        )
        mail.check_output(f"postmap {maps}/aliases")
        yield
    finally:
        mail.check_output(f"cp -a {maps}.before/aliases* {maps}/ && rm -r {maps}.before")


@pytest.mark.usefixtures("catch_all")
def test_a_catch_all_has_the_mail_for_nobody_and_no_other(house: House) -> None:
    stray, own = (clients.message(house.login("gitea"), "il") for __ in range(2))
    with submission(house, "gitea") as client:
        client.send_message(stray, to_addrs=[house.login(f"nobody-{secrets.token_hex(4)}")])
        client.send_message(own, to_addrs=[house.login("il")])
    wait_for(lambda: house.received("guest", stray["Message-ID"]), "the mail for nobody arrives")
    wait_for(lambda: house.received("il", own["Message-ID"]), "il's own mail arrives")
    assert house.received("guest", own["Message-ID"]) is None


# --- programs on the mail host


@pytest.fixture(scope="module")
def programs(mail: Host, provider: Host) -> None:  # noqa: ARG001 - only in the lab
    """Install what people send mail with on a machine."""
    if mail.run("test -e /usr/sbin/cron -a -e /usr/bin/mail").failed:
        mail.check_output(
            "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends cron bsd-mailx"
        )


def sent_by(house: House, words: str) -> str:
    """Return the address in From of the message with these words in il's inbox, once it is there."""

    def found() -> str | None:
        with house.imap("il") as client:
            client.select("INBOX", readonly=True)
            uids = client.uid("SEARCH", "SUBJECT", words)[1][0].split()
            if not uids:
                return None
            (sender,) = clients.parse(clients.fetch(client, uids[0]))["From"].addresses
            return str(sender.addr_spec)

    return wait_for(found, "the message arrives")


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    "command",
    [
        "echo 'Subject: {words}' | sendmail root",
        "echo 'Subject: {words}' | sendmail -t -oi root@localhost",
        "echo hello | mail -s {words} root",
        "echo hello | mail -s {words} root@$(postconf -h myhostname)",
    ],
    ids=["sendmail", "sendmail-localhost", "mail", "mail-hostname"],
)
def test_what_the_mail_host_writes_to_root(house: House, mail: Host, command: str) -> None:
    words = f"by-hand-{secrets.token_hex(6)}"
    mail.check_output(command.format(words=words))
    assert sent_by(house, words) == house.login("root")


@pytest.mark.usefixtures("programs")
def test_what_cron_writes_to_root(house: House, mail: Host) -> None:
    words = f"by-cron-{secrets.token_hex(6)}"
    job = "/etc/cron.d/behaviour-test"
    try:
        mail.check_output("echo %s > %s", f"@reboot root echo {words}", job)
        # cron takes its start for one of the machine.
        mail.check_output("rm -f /run/crond.reboot && systemctl restart cron")
        assert sent_by(house, words) == house.login("root")
    finally:
        mail.check_output("rm -f %s", job)


# --- sizes


@pytest.fixture(scope="module")
def limit(mail: Host) -> int:
    """Return how many bytes a message may have."""
    return int(mail.check_output("postconf -h message_size_limit"))


@pytest.mark.parametrize("port", [25, 465, 587])
def test_the_limit_is_announced(house: House, app: Host, limit: int, port: int) -> None:
    if port == 25:
        code = "import smtplib, sys; c = smtplib.SMTP(sys.argv[1], 25); c.ehlo(); print(c.esmtp_features['size'])"
        announced = app.check_output("python3 -c %s %s", code, house.mail_hostname)
    else:
        with clients.submission(house.mail_hostname, house.ca_file, port) as client:
            client.ehlo()
            announced = client.esmtp_features["size"]
    assert announced == str(limit)


def test_what_is_too_large_is_refused_before_it_is_sent(house: House, limit: int) -> None:
    with submission(house) as client:
        code, text = client.mail(house.login("guest"), [f"SIZE={limit + 1}"])
        assert (code, text[:5]) == (552, b"5.3.4")
        code, text = client.mail(house.login("guest"), [f"SIZE={limit}"])
        assert code == 250, text


def send_bytes(client: smtplib.SMTP, new: bytes, size: int) -> tuple[int, bytes]:
    """Send a message, filled up to a size in lines as attachments have them; return the answer to its end."""
    assert client.docmd("DATA")[0] == 354
    line = b"x" * 76 + b"\r\n"
    client.send(new)
    for __ in range((size - len(new)) // len(line) // 10_000):
        client.send(line * 10_000)
    client.send(line * ((size - len(new)) // len(line) % 10_000) + b".\r\n")
    return client.getreply()


def headers(house: House, recipient: str) -> tuple[str, bytes]:
    new = clients.message(house.login("guest"), house.login(recipient), "")
    return str(new["Message-ID"]), new.as_bytes().replace(b"\n", b"\r\n")


@pytest.mark.usefixtures("provider")
def test_what_turns_out_to_be_too_large_is_refused_at_its_end(
    house: House, client: smtplib.SMTP, limit: int
) -> None:
    message_id, new = headers(house, "il")
    assert client.rcpt(house.login("il"))[0] == 250
    code, text = send_bytes(client, new, limit + 1_000_000)
    assert (code, text[:5]) == (552, b"5.3.4"), text
    # The sender knows; nobody is written to.
    assert house.received("il", message_id) is None


@pytest.mark.usefixtures("provider")
def test_what_is_just_small_enough_is_stored(house: House, client: smtplib.SMTP, limit: int) -> None:
    message_id, new = headers(house, "guest")
    assert client.rcpt(house.login("guest"))[0] == 250
    # The limit holds for the file in the queue, which has an envelope and a few headers more.
    code, text = send_bytes(client, new, limit - 5000)
    assert code == 250, text

    def stored() -> bytes | None:
        with house.imap("guest") as reader:
            return clients.find(reader, message_id)

    uid = wait_for(stored, "the message is stored", seconds=60)
    with house.imap("guest") as reader:
        reader.select("INBOX")
        (size,) = reader.uid("FETCH", uid.decode(), "(RFC822.SIZE)")[1]
        assert int(size.split()[-1].rstrip(b")")) > limit - 5000
        reader.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)")
        reader.expunge()


@pytest.mark.usefixtures("provider")
def test_a_program_on_the_mail_host_hears_that_its_mail_is_too_large(mail: Host, limit: int) -> None:
    done = mail.run(f"head -c {limit + 1_000_000} /dev/zero | tr '\\0' x | fold -w 900 | sendmail root")
    assert done.rc != 0
    assert "message file too big" in done.stderr
