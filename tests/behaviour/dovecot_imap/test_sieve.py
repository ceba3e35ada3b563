"""Sieve: the house's script, personal ones, what they send, and those made in the webmail.

Other mail that arrives meanwhile is handled by the user's own script, which is made active again at the end.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import yaml
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.sieve_scripts import (
    EXTENSIONS,
    MARK,
    Put,
    script,
)
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_client import Webmail
from testinfra.host import Host


def compose(house: House, sender: str, recipient: str, **headers: str) -> EmailMessage:
    """Write a message that our scripts know. A header's name has underscores for hyphens."""
    new = clients.message(house.login(sender), house.login(recipient))
    new.replace_header("Subject", f"behaviour test {secrets.token_hex(8)}")
    new[MARK] = "yes"
    for name, value in headers.items():
        new[name.replace("_", "-")] = value
    return new


def send(house: House, sender: str, message: EmailMessage) -> None:
    """Submit a message as its sender."""
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        client.login(sender, house.password(sender))
        client.send_message(message)


def take(house: House, name: str, mailbox: str, *criteria: str) -> bytes | None:
    """Return the first message of a mailbox that matches, flags before it, and remove it; None if there is none."""
    with house.imap(name) as client:
        if client.select(f'"{mailbox}"')[0] != "OK":
            return None
        uids = client.uid("SEARCH", *criteria)[1][0].split()
        if not uids:
            return None
        uid = uids[0].decode()
        head, body = client.uid("FETCH", uid, "(FLAGS BODY.PEEK[])")[1][0]
        client.uid("STORE", uid, "+FLAGS", r"(\Deleted)")
        client.uid("EXPUNGE", uid)
        return bytes(head) + b"\r\n" + bytes(body)


def arrives(house: House, name: str, message: EmailMessage, mailbox: str = "INBOX") -> bytes:
    """Wait for a message in a mailbox, and take it away."""
    criteria = ("HEADER", "Message-ID", f'"{message["Message-ID"]}"')
    return wait_for(lambda: take(house, name, mailbox, *criteria), f"the message reaches {mailbox} of {name}")


def answer_to(house: House, name: str, message: EmailMessage) -> Callable[[], bytes | None]:
    """Return what looks for an answer to a message, and takes it away."""
    return lambda: take(house, name, "INBOX", "HEADER", "In-Reply-To", f'"{message["Message-ID"]}"')


@pytest.fixture
def folder(house: House) -> Iterator[str]:
    """Return the name of a folder of guest that is not there, and remove it at the end."""
    name = f"Behaviour test {secrets.token_hex(4)}"
    yield name
    with house.imap("guest") as client:
        client.unsubscribe(f'"{name}"')
        client.delete(f'"{name}"')


# --- the house's script

SOURCE = "/etc/dovecot/sieve/before.sieve"
DEFAULTS = Path(__file__).parents[3] / "roles" / "dovecot_imap" / "defaults" / "main.yml"


@pytest.fixture
def _default_script(mail: Host) -> None:
    default = yaml.safe_load(DEFAULTS.read_text())["dovecot_imap_sieve_before"]
    if mail.file(SOURCE).content_string.strip() != default.strip():
        pytest.skip("needs a house with the default dovecot_imap_sieve_before")


@pytest.mark.usefixtures("_default_script")
@pytest.mark.parametrize(
    ("headers", "mailbox"),
    [
        ({"X_Spam_Flag": "YES"}, "Junk"),
        ({"X_Spam": "Yes"}, "Junk"),
        ({"X_Spam_Status": "Yes, score=7.1 required=5.0"}, "Junk"),
        ({"X_Spam_Flag": "NO"}, "INBOX"),
        ({"X_Spam_Status": "No, score=-1 tests=Yes"}, "INBOX"),
    ],
    ids=str,
)
def test_what_a_spam_filter_marked_goes_to_junk(house: House, headers: dict[str, str], mailbox: str) -> None:
    message = compose(house, "il", "guest", **headers)
    send(house, "il", message)
    arrives(house, "guest", message, mailbox)


@pytest.mark.usefixtures("_default_script")
def test_a_personal_script_does_not_see_what_went_to_junk(house: House) -> None:
    with script(house, "guest", "discard;"):
        message = compose(house, "il", "guest", X_Spam_Flag="YES")
        send(house, "il", message)
        arrives(house, "guest", message, "Junk")


def test_the_houses_script_is_compiled_once(house: House, mail: Host) -> None:
    """A binary that is older than its script, or of another release of Dovecot, would be compiled each time."""
    binary = "/var/lib/dovecot/sieve/before.svbin"
    state = f"stat --format '%i %y' {binary}"
    seen = []
    for __ in range(2):
        message = compose(house, "il", "guest")
        send(house, "il", message)
        arrives(house, "guest", message)
        seen.append(mail.check_output(state))
    assert seen[0] == seen[1]
    assert mail.run_test(f"test {binary} -ot {SOURCE}").rc == 1
    assert mail.file(SOURCE).user == "root"


# --- personal scripts


def test_a_plus_address_reaches_the_inbox(house: House) -> None:
    message = compose(house, "il", "guest+lists")
    send(house, "il", message)
    arrives(house, "guest", message)


@pytest.mark.parametrize(
    "text",
    [
        'fileinto :create "%s";',
        'if envelope :detail "to" "lists" { fileinto :create "%s"; }',
        'if header :regex "subject" "^(behaviour) [a-z]+ [0-9a-f]{16}$" { fileinto :create "%s"; }',
        'if currentdate :value "ge" "year" "2020" { fileinto :create "%s"; }',
        'if body :contains "Hello." { fileinto :create "%s"; }',
    ],
    ids=["create", "subaddress", "regex", "date", "body"],
)
def test_a_script_files_mail(house: House, folder: str, text: str) -> None:
    with script(house, "guest", text % folder):
        message = compose(house, "il", "guest+lists")
        send(house, "il", message)
        arrives(house, "guest", message, folder)


def test_a_script_marks_and_changes_mail(house: House) -> None:
    text = 'addheader "X-Seen-By" "Sieve"; addflag "\\\\Seen"; addflag "$Label1";'
    with script(house, "guest", text):
        message = compose(house, "il", "guest")
        send(house, "il", message)
        found = arrives(house, "guest", message)
    flags, __, body = found.partition(b"\r\n")
    assert b"\\Seen" in flags
    assert b"$Label1" in flags
    assert b"X-Seen-By: Sieve\r\n" in body


def test_special_use_finds_the_folder(house: House) -> None:
    with script(house, "guest", 'fileinto :specialuse "\\\\Archive" "INBOX";'):
        message = compose(house, "il", "guest")
        send(house, "il", message)
        arrives(house, "guest", message, "Archive")


def test_a_script_that_fails_loses_no_mail(house: House, mail: Host, folder: str) -> None:
    """The message stays in the inbox; the log has one line, and the user's own log says why."""
    since = mail.check_output("date +%s")
    with script(house, "guest", f'fileinto "{folder}";'):
        message = compose(house, "il", "guest")
        send(house, "il", message)
        arrives(house, "guest", message)
    ask = f"journalctl --unit dovecot --no-pager --since @{since} | grep 'guest@.*sieve: Execution of script'"
    (line,) = wait_for(lambda: [*mail.run(ask).stdout.splitlines()], "the log says so")
    assert "failed, but implicit keep was successful" in line
    (log,) = [word for word in line.split() if word.endswith(".dovecot.sieve.log")]
    assert folder in mail.check_output("tail --lines 5 %s", log)


# --- what scripts send


def test_vacation_answers_once(house: House) -> None:
    text = f'vacation :days 1 :subject "Away" "In the hills {secrets.token_hex(8)}.";'
    with script(house, "guest", text):
        first = compose(house, "il", "guest")
        send(house, "il", first)
        arrives(house, "guest", first)
        answer = clients.parse(wait_for(answer_to(house, "il", first), "the answer").partition(b"\r\n")[2])
        assert answer["From"].addresses[0].addr_spec == house.login("guest")
        assert answer["Return-Path"].strip("<>") == house.login("guest")
        assert answer["Subject"] == "Away"
        assert answer["Auto-Submitted"].startswith("auto-replied")

        second = compose(house, "il", "guest")
        send(house, "il", second)
        arrives(house, "guest", second)
        last = compose(house, "guest", "il")
        send(house, "guest", last)
        arrives(house, "il", last)
        assert answer_to(house, "il", second)() is None


@pytest.mark.parametrize(
    "headers",
    [
        {"List_Id": "<hills.example.org>"},
        {"Precedence": "bulk"},
        {"Precedence": "list"},
        {"Auto_Submitted": "auto-generated"},
        {"X_Auto_Response_Suppress": "All"},
    ],
    ids=str,
)
def test_vacation_answers_no_machine(house: House, headers: dict[str, str]) -> None:
    with script(house, "guest", f'vacation "In the hills {secrets.token_hex(8)}.";'):
        message = compose(house, "il", "guest", **headers)
        send(house, "il", message)
        arrives(house, "guest", message)
        last = compose(house, "guest", "il")
        send(house, "guest", last)
        arrives(house, "il", last)
        assert answer_to(house, "il", message)() is None


def test_redirected_mail_is_sent_by_its_redirector(house: House) -> None:
    """So it leaves for the world through the redirector's account, and what comes back reaches who can act."""
    with script(house, "guest", f'redirect "{house.login("il")}";'):
        message = compose(house, "il", "guest")
        send(house, "il", message)
        found = clients.parse(arrives(house, "il", message).partition(b"\r\n")[2])
        assert found["Return-Path"].strip("<>") == house.login("guest")
        assert found["From"].addresses[0].addr_spec == house.login("il")


def test_mail_that_is_redirected_in_a_circle_comes_to_rest(house: House) -> None:
    to_il, to_guest = f'redirect "{house.login("il")}";', f'redirect "{house.login("guest")}";'
    with script(house, "guest", to_il), script(house, "il", to_guest):
        message = compose(house, "il", "guest")
        send(house, "il", message)
        arrives(house, "guest", message)


@pytest.mark.usefixtures("provider")
def test_redirected_mail_leaves_through_its_redirectors_account(house: House, provider_ca: str) -> None:
    with script(house, "guest", 'redirect "someone@elsewhere.test";'):
        message = compose(house, "il", "guest+lists")
        send(house, "il", message)

        def seen() -> bytes | None:
            with clients.imap("imap.naver.test", provider_ca) as client:
                client.login("world@naver.test", "naver-lab-password")
                uid = clients.find(client, message["Message-ID"])
                return clients.fetch(client, uid) if uid else None

        found = clients.parse(wait_for(seen, "the world gets it"))
    assert found["Return-Path"] == "<il@naver.test>"


def test_refused_mail_tells_its_sender(house: House) -> None:
    reason = f"No more of {secrets.token_hex(8)}."
    with script(house, "guest", f'reject "{reason}";'):
        message = compose(house, "il", "guest")
        send(house, "il", message)
        wait_for(lambda: take(house, "il", "INBOX", "BODY", f'"{reason}"'), "the refusal")


# --- the webmail


@pytest.fixture
def in_webmail(real_webmail: Webmail, house: House) -> Put:
    """Return what installs a script of guest as the page does."""
    real_webmail.log_in(house.login("guest"), house.password("guest"))

    def put(name: str, text: str) -> None:
        assert real_webmail.act("FiltersScriptSave", name=name, body=text)["Result"]
        assert real_webmail.act("FiltersScriptActivate", name=name)["Result"]
        found = real_webmail.act("Filters")["Result"]
        assert found["Scripts"][name]["active"]
        assert set(found["Capa"]) == EXTENSIONS
        refused = real_webmail.act("FiltersScriptSave", name=name, body="no Sieve")
        assert not refused["Result"]
        assert "line 1: error:" in refused["messageAdditional"]

    return put


@pytest.mark.usefixtures("app")
def test_a_filter_made_in_the_webmail_is_what_deliveries_run(
    house: House, in_webmail: Put, folder: str
) -> None:
    text = f'addflag "\\\\Seen";\nfileinto :create "{folder}";\nstop;'
    with script(house, "guest", text, in_webmail):
        message = compose(house, "il", "guest")
        send(house, "il", message)
        assert rb"\Seen" in arrives(house, "guest", message, folder).partition(b"\r\n")[0]


@pytest.mark.usefixtures("app", "_default_script")
def test_vacation_made_in_the_webmail_answers_once(house: House, in_webmail: Put) -> None:
    """And what the house's script does comes before it."""
    text = f'vacation :days 1 :subject "휴가" "산에 있습니다. {secrets.token_hex(8)}";'
    with script(house, "guest", text, in_webmail):
        first, second = compose(house, "il", "guest"), compose(house, "il", "guest")
        send(house, "il", first)
        arrives(house, "guest", first)
        answer = clients.parse(wait_for(answer_to(house, "il", first), "the answer").partition(b"\r\n")[2])
        assert answer["Subject"] == "휴가"
        assert answer.get_content().startswith("산에 있습니다.")
        send(house, "il", second)
        arrives(house, "guest", second)
        spam = compose(house, "il", "guest", X_Spam_Flag="YES")
        send(house, "il", spam)
        arrives(house, "guest", spam, "Junk")
        assert answer_to(house, "il", second)() is None
        assert answer_to(house, "il", spam)() is None
