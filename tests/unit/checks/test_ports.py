# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the check of a port lets pass, and what it says when it does not."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check, run_checks
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.ports import NoPath, NoStarttls, port_job
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import (
    Endpoint,
    InvalidCaFile,
    client_context,
)
from ansible_collections.ilnmors.mail.plugins.modules import mail_port_info as mail_ports_module
from ansible_collections.ilnmors.mail.tests.unit.fakes.authority import ADDRESS, NAME, Authority
from ansible_collections.ilnmors.mail.tests.unit.fakes.mail_servers import Behaviour, serve, unused_port

SERVICES = [
    ("smtp", "starttls"),
    ("submission", "starttls"),
    ("submission", "implicit"),
    ("imap", "starttls"),
    ("imap", "implicit"),
    ("pop3", "starttls"),
    ("pop3", "implicit"),
    ("sieve", "starttls"),
    ("sieve", "implicit"),
    ("https", "implicit"),
]
RUNS = "see that it runs: 'systemctl status {}' on its host; and that no firewall is between"
GOOD = "TLSv1.3 TLS_AES_256_GCM_SHA384, certificate valid for 99 days"


def check(
    port: int,
    protocol: str,
    tls: str,
    ca_file: Path,
    *,
    name: str = NAME,
    timeout: float = 1,
    host: str = ADDRESS,
) -> Check:
    """Check one port."""
    endpoint = Endpoint(host, port, tls, name, client_context(str(ca_file)))
    return run_checks([port_job(endpoint, protocol, timeout, 14)])[0]


def reason(check: Check) -> str:
    """Return what is wrong, without what to do about it; that is said always."""
    wrong, __, remedy = check.detail.rpartition("; ")
    assert remedy
    assert "{" not in remedy
    while wrong.endswith(
        ("which renews the house's own certificates", "'systemctl status dovecot' on its host")
    ):
        wrong = wrong.rpartition("; ")[0]
    return wrong


@pytest.mark.parametrize(("protocol", "tls"), SERVICES)
def test_a_good_port_passes(protocol: str, tls: str, authority: Authority, good: ssl.SSLContext) -> None:
    with serve(protocol, tls, good) as port:
        result = check(port, protocol, tls, authority.file)
    kind = {"starttls": "STARTTLS", "implicit": "TLS"}[tls]
    page = f" {NAME}/" if protocol == "https" else ""
    assert (result.name, result.ok, result.detail) == (f"{port} {protocol} ({kind}){page}", True, GOOD)
    assert 0 < result.seconds < 1


MISBEHAVIOUR = [
    ("smtp", Behaviour(offers_starttls=False), "STARTTLS is not offered"),
    ("submission", Behaviour(offers_starttls=False), "STARTTLS is not offered"),
    ("imap", Behaviour(offers_starttls=False), "STARTTLS is not offered"),
    ("pop3", Behaviour(offers_starttls=False), "STARTTLS is not offered"),
    ("sieve", Behaviour(offers_starttls=False), "STARTTLS is not offered"),
    ("smtp", Behaviour(refuses_starttls=True), "STARTTLS refused: 454 4.7.0 TLS not available"),
    ("smtp", Behaviour(offers_login_early=True), "login is offered before TLS: PLAIN, LOGIN"),
    ("submission", Behaviour(offers_login_early=True), "login is offered before TLS: PLAIN, LOGIN"),
    ("imap", Behaviour(offers_login_early=True), "login is offered before TLS: PLAIN, LOGIN command"),
    ("pop3", Behaviour(offers_login_early=True), "login is offered before TLS: PLAIN, USER command"),
    ("sieve", Behaviour(offers_login_early=True), "login is offered before TLS: PLAIN, LOGIN"),
    (
        "submission",
        Behaviour(takes_login_early="AUTH"),
        "a login before TLS is not refused; the server answers: 334",
    ),
    (
        "imap",
        Behaviour(takes_login_early="AUTHENTICATE"),
        "a login before TLS is not refused; the server answers: +",
    ),
    (
        "imap",
        Behaviour(takes_login_early="LOGIN"),
        "a login before TLS is not refused; the server answers: [AUTHENTICATIONFAILED] wrong password",
    ),
    ("pop3", Behaviour(takes_login_early="AUTH"), "a login before TLS is not refused; the server answers: +"),
    (
        "pop3",
        Behaviour(takes_login_early="USER"),
        "a login before TLS is not refused; the server answers: +OK",
    ),
    (
        "sieve",
        Behaviour(takes_login_early="AUTHENTICATE"),
        'a login before TLS is not refused; the server answers: ""',
    ),
    *(
        (protocol, Behaviour(login_fails=reply), f"nobody can log in; the server answers: {said}")
        for protocol, reply, said in (
            (
                "submission",
                "454 4.7.0 Temporary authentication failure",
                "454 4.7.0 Temporary authentication failure",
            ),
            (
                "imap",
                "NO [UNAVAILABLE] Temporary authentication failure.",
                "[UNAVAILABLE] Temporary authentication failure.",
            ),
            (
                "pop3",
                "-ERR [SYS/TEMP] Temporary authentication failure.",
                "-ERR [SYS/TEMP] Temporary authentication failure.",
            ),
            ("sieve", 'NO "Temporary authentication failure."', 'NO "Temporary authentication failure."'),
        )
    ),
    ("submission", Behaviour(offers_login=False), "no login is offered after TLS"),
    ("pop3", Behaviour(offers_login=False), "no login is offered after TLS"),
    ("sieve", Behaviour(offers_login=False), "no login is offered after TLS"),
    *(
        (
            protocol,
            Behaviour(injects=text),
            "plain text follows the answer to STARTTLS: it would be taken for part of the TLS session",
        )
        for protocol, text in (
            ("smtp", "250 AUTH PLAIN\r\n"),
            ("imap", "* BYE\r\n"),
            ("pop3", "+OK\r\n"),
            ("sieve", '"SASL" "PLAIN"\r\n'),
            ("sieve", "half a line"),
        )
    ),
    ("imap", Behaviour(hangs_up_at="greeting"), "the server closed the connection before its greeting"),
    ("smtp", Behaviour(hangs_up_at="EHLO"), "the server closed the connection before its answer to EHLO"),
    ("pop3", Behaviour(hangs_up_at="STLS"), "the server closed the connection before its answer to STLS"),
    (
        "sieve",
        Behaviour(hangs_up_at="handshake"),
        "the server closed the connection before the TLS handshake was done",
    ),
    ("imap", Behaviour(silent_at="greeting"), "the server had not sent its greeting after 0.3 s"),
    ("pop3", Behaviour(silent_at="CAPA"), "the server had not sent its answer to CAPA after 0.3 s"),
    (
        "smtp",
        Behaviour(silent_at="handshake"),
        "the server had not sent its side of the TLS handshake after 0.3 s",
    ),
    (
        "imap",
        Behaviour(greeting="* PREAUTH welcome"),
        "the server sent something else than its greeting: * PREAUTH welcome",
    ),
    (
        "smtp",
        Behaviour(greeting="554 go away"),
        "the server sent something else than its greeting: 554 go away",
    ),
    ("smtp", Behaviour(greeting="SSH-2.0-x"), "the server sent something else than its greeting: SSH-2.0-x"),
    ("sieve", Behaviour(greeting="* OK imap"), "the server sent something else than its greeting: * OK imap"),
]


@pytest.mark.parametrize(("protocol", "behaviour", "detail"), MISBEHAVIOUR)
def test_a_bad_server_is_named(
    protocol: str, behaviour: Behaviour, detail: str, authority: Authority, good: ssl.SSLContext
) -> None:
    with serve(protocol, "starttls", good, behaviour) as port:
        result = check(port, protocol, "starttls", authority.file, timeout=0.3 if behaviour.silent_at else 1)
    assert (result.ok, reason(result)) == (False, detail)


@pytest.mark.parametrize(
    ("protocol", "behaviour", "remedy"),
    [
        ("imap", Behaviour(hangs_up_at="greeting"), "see 'journalctl --unit \"dovecot*\"' on its host"),
        ("smtp", Behaviour(silent_at="EHLO"), "see 'journalctl --unit \"postfix*\"' on its host"),
        (
            "submission",
            Behaviour(login_fails="454 4.7.0 Temporary authentication failure"),
            "see that Dovecot runs, which knows the accounts: 'systemctl status dovecot' on the mail host",
        ),
        (
            "sieve",
            Behaviour(offers_login_early=True),
            "run the site playbook, and take out of the extra settings of dovecot what allows it",
        ),
        (
            "pop3",
            Behaviour(greeting="SSH-2.0-x"),
            "see that dovecot has the port: 'ss --listening --tcp --processes' on its host",
        ),
    ],
)
def test_it_is_said_what_to_do(
    protocol: str, behaviour: Behaviour, remedy: str, authority: Authority, good: ssl.SSLContext
) -> None:
    with serve(protocol, "starttls", good, behaviour) as port:
        result = check(port, protocol, "starttls", authority.file, timeout=0.3 if behaviour.silent_at else 1)
    assert result.detail.endswith(f"; {remedy}")


@pytest.mark.parametrize(("protocol", "tls"), SERVICES)
class TestCertificate:
    def test_of_a_foreign_ca(self, protocol: str, tls: str, good: ssl.SSLContext, tmp_path: Path) -> None:
        other = Authority(tmp_path, "other-ca")
        with serve(protocol, tls, good) as port:
            result = check(port, protocol, tls, other.file)
        assert (result.ok, reason(result)) == (False, "TLS failed: no trusted CA signed the certificate")

    def test_for_another_name(
        self, protocol: str, tls: str, authority: Authority, good: ssl.SSLContext
    ) -> None:
        with serve(protocol, tls, good) as port:
            result = check(port, protocol, tls, authority.file, name="other.test")
        assert (result.ok, reason(result)) == (
            False,
            "TLS failed: the certificate is for another name than other.test",
        )


@pytest.mark.parametrize(
    ("begins", "ends", "detail"),
    [
        (-3, -1, "TLS failed: the certificate has expired"),
        (1, 3, "TLS failed: the certificate is not valid yet"),
        (-1, 13.5, "the certificate is valid for 13 days more, fewer than 14"),
    ],
)
def test_a_certificate_out_of_date(begins: float, ends: float, detail: str, authority: Authority) -> None:
    context = authority.context("dated", begins, ends)
    with serve("imap", "implicit", context) as port:
        result = check(port, "imap", "implicit", authority.file)
    assert (result.ok, reason(result)) == (False, detail)


def test_a_certificate_for_another_address(authority: Authority, good: ssl.SSLContext) -> None:
    with serve("imap", "implicit", good) as port:
        result = check(port, "imap", "implicit", authority.file, name="127.0.0.9")
    assert reason(result) == "TLS failed: the certificate is for another address than 127.0.0.9"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the old version, which this is about
def test_old_tls_is_refused(authority: Authority) -> None:
    context = authority.context("old")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serve("pop3", "implicit", context) as port:
        result = check(port, "pop3", "implicit", authority.file)
    assert reason(result) == "TLS failed: the server speaks no TLS 1.2 or newer"


def test_text_where_tls_should_be(authority: Authority, good: ssl.SSLContext) -> None:
    with serve("imap", "starttls", good) as port:
        result = check(port, "imap", "implicit", authority.file)
    assert reason(result) == "TLS failed: the server does not speak TLS here"


def test_nobody_listens(authority: Authority) -> None:
    result = check(unused_port(), "imap", "implicit", authority.file)
    assert (result.ok, result.detail) == (
        False,
        f"cannot connect: connection refused; {RUNS.format('dovecot')}",
    )


def test_a_name_that_does_not_resolve(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    result = check(993, "imap", "implicit", authority.file, host="mail.nowhere")
    assert result.detail == (
        "cannot connect: the name mail.nowhere does not resolve; "
        "add it to your DNS; the playbook ilnmors.mail.dns prints the records"
    )


@pytest.mark.parametrize(
    ("status", "ok", "detail"),
    [
        ("301 Moved Permanently", True, GOOD),
        ("403 Forbidden", False, "GET / refused: 403 Forbidden"),
        ("502 Bad Gateway", False, "GET / refused: 502 Bad Gateway"),
    ],
)
def test_the_front_page(
    status: str, ok: bool, detail: str, authority: Authority, good: ssl.SSLContext
) -> None:
    with serve("https", "implicit", good, Behaviour(status=status)) as port:
        result = check(port, "https", "implicit", authority.file)
    assert (result.ok, result.detail if ok else reason(result)) == (ok, detail)


@pytest.mark.parametrize(
    ("path", "ok", "detail"),
    [
        ("/mail/config.xml", True, GOOD),
        ("/elsewhere", False, "GET /elsewhere refused: 404 Not Found"),
    ],
)
def test_another_page(path: str, ok: bool, detail: str, authority: Authority, good: ssl.SSLContext) -> None:
    with serve("https", "implicit", good, Behaviour(page="/mail/config.xml")) as port:
        endpoint = Endpoint(ADDRESS, port, "implicit", NAME, client_context(str(authority.file)), path)
        [result] = run_checks([port_job(endpoint, "https", 1, 14)])
    assert (result.name, result.ok) == (f"{port} https (TLS) {NAME}{path}", ok)
    assert (result.detail if ok else reason(result)) == detail


def test_mail_between_machines_needs_no_login(authority: Authority, good: ssl.SSLContext) -> None:
    with serve("smtp", "starttls", good, Behaviour(offers_login=False)) as port:
        assert check(port, "smtp", "starttls", authority.file).ok


def test_from_the_same_machine_early_login_is_not_judged(authority: Authority, good: ssl.SSLContext) -> None:
    with serve("imap", "starttls", good, Behaviour(offers_login_early=True), address="127.0.0.1") as port:
        result = check(port, "imap", "starttls", authority.file, host="127.0.0.1")
    assert (result.ok, result.detail) == (
        True,
        f"{GOOD}; login before TLS can be judged only from another machine",
    )


def test_a_line_without_an_end(authority: Authority, good: ssl.SSLContext) -> None:
    with serve("imap", "starttls", good, Behaviour(greeting="x" * 200_000)) as port:
        result = check(port, "imap", "starttls", authority.file)
    assert reason(result) == "the server sent something else than its greeting: a line without an end"


def test_the_system_store_does_not_hold_the_house(good: ssl.SSLContext) -> None:
    with serve("imap", "implicit", good) as port:
        endpoint = Endpoint(ADDRESS, port, "implicit", NAME, client_context(None))
        [result] = run_checks([port_job(endpoint, "imap", 1, 14)])
    assert reason(result) == "TLS failed: no trusted CA signed the certificate"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), ("", "holds no certificate"), ("no PEM", "holds no certificate")],
)
def test_a_ca_file_that_is_none(content: str | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidCaFile) as error:
        client_context(str(path))
    assert str(error.value) == f"ca_file: {path}: {reason}. Name a file of CA certificates in PEM form."


def test_https_has_no_starttls(authority: Authority) -> None:
    endpoint = Endpoint(ADDRESS, 443, "starttls", NAME, client_context(str(authority.file)))
    with pytest.raises(NoStarttls, match=r"^ports: port 443: https has no STARTTLS\. Write tls: implicit\.$"):
        port_job(endpoint, "https", 1, 14)


def test_a_mail_server_has_no_pages(authority: Authority) -> None:
    endpoint = Endpoint(ADDRESS, 993, "implicit", NAME, client_context(str(authority.file)), "/mail")
    message = r"^ports: port 993: only https has pages such as '/mail'\. Remove path\.$"
    with pytest.raises(NoPath, match=message):
        port_job(endpoint, "imap", 1, 14)


class TestModule:
    def run(self, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
        with patch_module_args(options), pytest.raises(SystemExit):
            mail_ports_module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    @pytest.mark.parametrize("check_mode", [False, True])
    def test_all_ports_are_tried_before_it_fails(
        self, check_mode: bool, authority: Authority, good: ssl.SSLContext, capsys: pytest.CaptureFixture[str]
    ) -> None:
        closed = unused_port()
        with serve("imap", "implicit", good) as port:
            result = self.run(
                capsys,
                host=ADDRESS,
                server_name=NAME,
                ca_file=str(authority.file),
                ports=[
                    {"port": closed, "protocol": "smtp", "tls": "starttls"},
                    {"port": port, "protocol": "imap", "tls": "implicit"},
                ],
                _ansible_check_mode=check_mode,
            )
        refused = f"cannot connect: connection refused; {RUNS.format('postfix')}"
        assert [(one["name"], one["ok"], one["detail"]) for one in result["checks"]] == [
            (f"{closed} smtp (STARTTLS)", False, refused),
            (f"{port} imap (TLS)", True, GOOD),
        ]
        assert result["failed"]
        assert result["msg"] == f"1 of 2 checks failed. {closed} smtp (STARTTLS): {refused}"

    def test_the_name_is_the_one_given(
        self, authority: Authority, good: ssl.SSLContext, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with serve("pop3", "starttls", good) as port:
            ports = [{"port": port, "protocol": "pop3", "tls": "starttls"}]
            result = self.run(
                capsys, host=ADDRESS, server_name="other.test", ca_file=str(authority.file), ports=ports
            )
        [check] = result["checks"]
        assert check["detail"] == (
            "TLS failed: the certificate is for another name than other.test; "
            "run the site playbook, or bring a certificate that has the name"
        )

    def test_the_name_is_the_host_if_not_given(
        self, authority: Authority, good: ssl.SSLContext, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with serve("pop3", "starttls", good) as port:
            ports = [{"port": port, "protocol": "pop3", "tls": "starttls"}]
            result = self.run(capsys, host=ADDRESS, ca_file=str(authority.file), ports=ports)
        assert "failed" not in result
        assert not result["changed"]
        assert result["checks"][0]["ok"]

    def test_options_that_cannot_work(self, capsys: pytest.CaptureFixture[str]) -> None:
        result = self.run(capsys, host=ADDRESS, ports=[{"port": 443, "protocol": "https", "tls": "starttls"}])
        assert result["failed"]
        assert result["msg"] == "ports: port 443: https has no STARTTLS. Write tls: implicit."
