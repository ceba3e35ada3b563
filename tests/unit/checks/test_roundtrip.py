# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A message to oneself: sent, seen, removed; or the step that failed, in plain words."""

from __future__ import annotations

import email
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.roundtrip import (
    Account,
    InvalidAddress,
    check_accounts,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import Endpoint, client_context
from ansible_collections.ilnmors.mail.plugins.modules import mail_roundtrip as mail_roundtrip_module
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS, Authority
from ansible_collections.ilnmors.mail.tests.unit.fakes.mail_servers import (
    Behaviour,
    House,
    serve,
    unused_port,
)

IL = "il@ilnmors.internal"


@dataclass
class Servers:
    smtp_port: int
    imap_port: int
    ca_file: Path
    tls: tuple[str, str] = ("starttls", "implicit")

    def check(self, *accounts: Account, timeout: float = 2, dry_run: bool = False) -> list[Check]:
        context = client_context(str(self.ca_file))
        smtp, imap = (
            Endpoint(ADDRESS, port, tls, ADDRESS, context)
            for port, tls in zip((self.smtp_port, self.imap_port), self.tls, strict=True)
        )
        return check_accounts(list(accounts), smtp, imap, timeout, dry_run=dry_run)


@pytest.fixture
def house(authority: Authority, good: ssl.SSLContext) -> Any:
    """Return a function that runs both servers for a House."""

    @contextmanager
    def run(
        house: House,
        smtp: Behaviour | None = None,
        imap: Behaviour | None = None,
        tls: tuple[str, str] = ("starttls", "implicit"),
    ) -> Iterator[Servers]:
        with (
            serve("submission", tls[0], good, smtp, house) as smtp_port,
            serve("imap", tls[1], good, imap, house) as imap_port,
        ):
            yield Servers(smtp_port, imap_port, authority.file, tls)

    return run


def il(password: str | None = "secret") -> Account:
    return Account(IL, IL, password)


@pytest.mark.parametrize("tls", [("starttls", "implicit"), ("implicit", "starttls")])
def test_the_message_arrives_and_is_removed(house: Any, tls: tuple[str, str]) -> None:
    place = House()
    with house(place, tls=tls) as servers:
        [result] = servers.check(il())
    assert (result.name, result.ok, result.detail) == (
        f"roundtrip {IL}",
        True,
        "arrived in INBOX, removed again",
    )
    assert 0 < result.seconds < 1
    assert len(place.sent) == 1
    assert place.folders["INBOX"] == []


def test_the_message_is_a_proper_one_that_nobody_answers(house: Any) -> None:
    place = House()
    with house(place) as servers:
        servers.check(il())
    message = email.message_from_string(place.sent[0])
    assert message["From"] == message["To"] == IL
    assert message["Subject"].startswith("Mail check")
    assert message["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<[^<>@\s]+@ilnmors\.internal>", message["Message-ID"])
    assert email.utils.parsedate_to_datetime(message["Date"]).tzinfo
    assert message.get_content_type() == "text/plain"


@pytest.mark.parametrize("has_idle", [True, False])
def test_a_late_message_is_waited_for(house: Any, has_idle: bool) -> None:
    place = House(delay=0.2)
    with house(place, imap=Behaviour(has_idle=has_idle)) as servers:
        [result] = servers.check(il())
    assert result.ok
    assert 0.2 <= result.seconds < 1
    assert place.commands & {"IDLE", "NOOP"} == {"IDLE" if has_idle else "NOOP"}
    assert place.folders["INBOX"] == []


def test_a_message_that_sieve_files_elsewhere_is_found_and_removed(house: Any) -> None:
    place = House(delivers_to='"To do"')
    place.put('"To do"', "Message-ID: <other@x>\r\n\r\nkept")
    with house(place) as servers:
        [result] = servers.check(il(), timeout=1)
    assert (result.ok, result.detail) == (True, "arrived in To do, removed again")
    assert [one.text for one in place.folders['"To do"']] == ["Message-ID: <other@x>\r\n\r\nkept"]


def test_what_its_owner_has_marked_as_deleted_stays(house: Any) -> None:
    place = House()
    place.put("INBOX", "Message-ID: <old@x>\r\n\r\nmine", deleted=True)
    with house(place) as servers:
        [result] = servers.check(il())
    assert result.ok
    assert [(one.text, one.deleted) for one in place.folders["INBOX"]] == [
        ("Message-ID: <old@x>\r\n\r\nmine", True)
    ]


def test_without_uidplus_the_message_is_only_marked(house: Any) -> None:
    place = House()
    place.put("INBOX", "Message-ID: <old@x>\r\n\r\nmine", deleted=True)
    with house(place, imap=Behaviour(has_uidplus=False)) as servers:
        [result] = servers.check(il())
    assert (result.ok, result.detail) == (
        True,
        "arrived in INBOX, marked as deleted there (the server has no UIDPLUS)",
    )
    assert [one.deleted for one in place.folders["INBOX"]] == [True, True]


FAILURES = [
    (
        House(delivers_to=""),
        Behaviour(),
        Behaviour(),
        "IMAP: the message that submission accepted did not arrive in 1 s; "
        "INBOX and 2 of 2 other folders do not have it",
    ),
    (
        House(delivers_to=""),
        Behaviour(),
        Behaviour(has_idle=False),
        "IMAP: the message that submission accepted did not arrive in 1 s; "
        "INBOX and 2 of 2 other folders do not have it",
    ),
    (
        House(password="another"),
        Behaviour(),
        Behaviour(),
        "IMAP: login refused: [AUTHENTICATIONFAILED] wrong password",
    ),
    (
        House(password="another"),
        Behaviour(),
        Behaviour(repeats_password=True),
        "IMAP: login refused: [AUTHENTICATIONFAILED] wrong password ((hidden) (hidden))",
    ),
    (
        House(),
        Behaviour(refuses_recipient=True),
        Behaviour(),
        "submission: RCPT TO refused: 550 5.1.1 no such user",
    ),
    (House(), Behaviour(offers_starttls=False), Behaviour(), "submission: STARTTLS is not offered"),
    (
        House(),
        Behaviour(injects="250 AUTH PLAIN\r\n"),
        Behaviour(),
        "submission: plain text follows the answer to STARTTLS: it would be taken for part of the TLS session",
    ),
    (
        House(),
        Behaviour(hangs_up_at="DATA"),
        Behaviour(),
        "submission: the server closed the connection before its answer to DATA",
    ),
    (
        House(),
        Behaviour(login_fails="454 4.7.0 Temporary authentication failure"),
        Behaviour(),
        "submission: nobody can log in; the server answers: 454 4.7.0 Temporary authentication failure",
    ),
    (
        House(),
        Behaviour(silent_at="MAIL"),
        Behaviour(),
        "submission: the server had not sent its answer to MAIL FROM after 1 s",
    ),
    (
        House(),
        Behaviour(),
        Behaviour(hangs_up_at="EXAMINE"),
        "IMAP: the server closed the connection before its answer to EXAMINE",
    ),
    (
        House(),
        Behaviour(),
        Behaviour(hangs_up_at="EXPUNGE"),
        "IMAP: the message arrived in INBOX and is still there: "
        "the server closed the connection before its answer to UID EXPUNGE",
    ),
]


@pytest.mark.parametrize(("place", "smtp", "imap", "detail"), FAILURES)
def test_the_step_that_failed_is_named(
    house: Any, place: House, smtp: Behaviour, imap: Behaviour, detail: str
) -> None:
    with house(place, smtp, imap) as servers:
        [result] = servers.check(il(), timeout=1)
        at = {
            "IMAP": f"IMAP on port {servers.imap_port}",
            "submission": f"submission on port {servers.smtp_port}",
        }
    step, __, reason = detail.partition(": ")
    assert result.ok is False
    said, __, remedy = result.detail.partition(f"{at[step]}: {reason}; ")
    assert (said, "{" in remedy, bool(remedy)) == ("", False, True)


def test_a_password_that_only_submission_refuses(
    house: Any, authority: Authority, good: ssl.SSLContext
) -> None:
    with (
        house(House()) as right,
        serve("submission", "starttls", good, house=House(password="another")) as smtp_port,
    ):
        [result] = Servers(smtp_port, right.imap_port, authority.file).check(il())
    assert result.detail == (
        f"submission on port {smtp_port}: login refused: 535 5.7.8 authentication failed; "
        "run the site playbook, which writes the passwords anew; see 'journalctl --unit \"postfix*\"' on its host"
    )


def test_a_foreign_ca(house: Any, tmp_path: Path) -> None:
    with house(House()) as servers:
        servers.ca_file = Authority(tmp_path, "other-ca").file
        [result] = servers.check(il())
    assert (
        result.detail
        == f"IMAP on port {servers.imap_port}: TLS failed: no trusted CA signed the certificate; "
        "let mail_tls_ca name the authority that issued it, or run the site playbook"
    )


def test_no_login_is_sent_to_a_server_that_is_not_verified(house: Any, tmp_path: Path) -> None:
    place = House()
    with house(place, tls=("implicit", "starttls")) as servers:
        servers.ca_file = Authority(tmp_path, "other-ca").file
        servers.check(il())
    assert place.logins == []


def test_nobody_listens(authority: Authority) -> None:
    port = unused_port()
    [result] = Servers(port, port, authority.file).check(il())
    remedy = "see that it runs: 'systemctl status dovecot' on its host; and that no firewall is between"
    assert (result.ok, result.detail) == (
        False,
        f"IMAP on port {port}: cannot connect: connection refused; {remedy}",
    )


def test_one_failure_leaves_the_others_alone(house: Any) -> None:
    with house(House()) as servers:
        results = servers.check(il("wrong"), il(), il(None))
    assert [one.ok for one in results] == [False, True, None]
    assert results[2].detail == "logging in needs the password, and none is given"


def test_accounts_are_checked_side_by_side(house: Any) -> None:
    accounts = [Account(f"u{number}", f"u{number}@ilnmors.internal", "secret") for number in range(8)]
    with house(House(waits_for=8)) as servers:  # nothing arrives before all eight have sent
        results = servers.check(*accounts)
    assert [(one.name, one.ok) for one in results] == [(f"roundtrip {one.address}", True) for one in accounts]


def test_a_dry_run_sends_nothing(house: Any) -> None:
    place = House()
    with house(place) as servers:
        [result] = servers.check(il(), dry_run=True)
    assert (result.ok, result.detail, place.sent) == (None, "check mode sends nothing", [])


@pytest.mark.parametrize(
    "address",
    [
        "il",
        "il@",
        "@x.internal",
        "il x@y.internal",
        "il@x\r\nDATA",
        "<il@x.internal>",
        "ïl@x.internal",
        "a@b\n",
    ],
)
def test_an_address_that_is_none(address: str, authority: Authority) -> None:
    port = unused_port()
    with pytest.raises(InvalidAddress) as error:
        Servers(port, port, authority.file).check(Account("il", address, "secret"))
    assert (
        str(error.value) == f"accounts: {address!r} is not a mail address. Write it as name@domain, in ASCII."
    )


def test_a_long_address_keeps_its_message_id(house: Any) -> None:
    domain = ".".join(["a" * 60] * 4)
    with house(House()) as servers:
        [result] = servers.check(Account(IL, f"il@{domain}", "secret"))
    assert result.ok


class TestModule:
    def run(
        self,
        capsys: pytest.CaptureFixture[str],
        servers: Servers,
        accounts: list[dict[str, str]],
        **options: Any,
    ) -> dict[str, Any]:
        arguments = {
            "accounts": accounts,
            "smtp_host": ADDRESS,
            "smtp_port": servers.smtp_port,
            "imap_host": ADDRESS,
            "imap_port": servers.imap_port,
            "ca_file": str(servers.ca_file),
            "timeout": 1,
        }
        with patch_module_args(arguments | options), pytest.raises(SystemExit):
            mail_roundtrip_module.main()
        output = capsys.readouterr().out
        assert "hunter2" not in output
        assert '"password"' not in output
        result: dict[str, Any] = json.loads(output)
        return result

    def test_all_accounts_are_tried_before_it_fails(
        self, house: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts = [
            {"username": IL, "password": "wrong-hunter2"},
            {"username": "guest", "address": "guest@ilnmors.internal", "password": "hunter2"},
            {"username": "hashed@ilnmors.internal"},
        ]
        with house(House(password="hunter2")) as servers:
            result = self.run(capsys, servers, accounts)
        assert [(one["name"], one["ok"]) for one in result["checks"]] == [
            (f"roundtrip {IL}", False),
            ("roundtrip guest@ilnmors.internal", True),
            ("roundtrip hashed@ilnmors.internal", None),
        ]
        assert result["failed"]
        assert result["msg"] == (
            f"1 of 3 checks failed. roundtrip {IL}: IMAP on port {servers.imap_port}: "
            "login refused: [AUTHENTICATIONFAILED] wrong password; run the site playbook, which writes the passwords "
            "anew; see 'journalctl --unit \"dovecot*\"' on its host"
        )

    @pytest.mark.parametrize("password", ["il", "mail", "ok", "o", "true", "1", "INBOX", "0"])
    def test_a_password_that_is_a_common_word_leaves_no_gaps(
        self, password: str, house: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with house(House(password=password)) as servers:
            result = self.run(capsys, servers, [{"username": IL, "password": password}])
        [check] = result["checks"]
        assert (check["name"], check["ok"]) == (f"roundtrip {IL}", True)
        assert check["detail"] == "arrived in INBOX, removed again"
        assert isinstance(check["seconds"], float)
        assert not result["changed"]

    def test_check_mode_sends_nothing_and_says_so(
        self, house: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        place = House()
        with house(place) as servers:
            result = self.run(
                capsys, servers, [{"username": IL, "password": "hunter2"}], _ansible_check_mode=True
            )
        assert result["skipped"]
        assert result["checks"] == [
            {"name": f"roundtrip {IL}", "ok": None, "seconds": 0.0, "detail": "check mode sends nothing"}
        ]
        assert place.sent == []

    def test_an_address_that_is_none(self, house: Any, capsys: pytest.CaptureFixture[str]) -> None:
        with house(House()) as servers:
            result = self.run(capsys, servers, [{"username": "il", "password": "hunter2"}])
        assert result["failed"]
        assert result["msg"] == "accounts: 'il' is not a mail address. Write it as name@domain, in ASCII."
