# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a mail host's ports have to show a stranger: verified TLS, and no login before it."""

from __future__ import annotations

import ssl
import time

from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Job, Passed
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.client import Client, MailClient
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.connection import Deadline, Endpoint
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.errors import (
    ACCOUNTS,
    RENEWED,
    CheckError,
    LoginFails,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.https import Https
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.imap import Imap
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.managesieve import Sieve
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.pop3 import Pop3
from ansible_collections.ilnmors.mail.plugins.module_utils._clients.smtp import Smtp, Submission

CLIENTS: dict[str, type[Client]] = {
    "smtp": Smtp,
    "submission": Submission,
    "imap": Imap,
    "pop3": Pop3,
    "sieve": Sieve,
    "https": Https,
}
TLS_NAMES = {"starttls": "STARTTLS", "implicit": "TLS"}

SERVICES = {
    "smtp": "postfix",
    "submission": "postfix",
    "imap": "dovecot",
    "pop3": "dovecot",
    "sieve": "dovecot",
    "https": "nginx",
}
"""What answers in a house."""

SAME_MACHINE = "login before TLS can be judged only from another machine"


CONFIGURED = "run the site playbook, and take out of the extra settings of {service} what allows it"


class LoginOffered(CheckError):
    """A client may send its password in the clear."""

    def __init__(self, mechanisms: list[str]) -> None:
        super().__init__(f"login is offered before TLS: {', '.join(mechanisms)}", CONFIGURED)


class LoginTaken(CheckError):
    """The server would take a password in the clear."""

    def __init__(self, reply: str) -> None:
        super().__init__(
            f"a login before TLS is not refused; the server answers: {reply.rstrip()}", CONFIGURED
        )


class LoginMissing(CheckError):
    """Nobody can log in."""

    def __init__(self) -> None:
        super().__init__("no login is offered after TLS", ACCOUNTS)


class CertificateEnds(CheckError):
    """The certificate needs renewal."""

    def __init__(self, days: int, wanted: int) -> None:
        super().__init__(f"the certificate is valid for {days} days more, fewer than {wanted}", RENEWED)


class NoPath(ValueError):
    """The option ports asks a mail server for a page."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(f"ports: port {port}: only https has pages such as {path!r}. Remove path.")


class NoStarttls(ValueError):
    """The option ports asks for what HTTP does not have."""

    def __init__(self, port: int) -> None:
        super().__init__(f"ports: port {port}: https has no STARTTLS. Write tls: implicit.")


def port_job(endpoint: Endpoint, protocol: str, timeout: float, certificate_days: int) -> Job:
    """Return the check of one port. `timeout` is in seconds. Raises NoStarttls or NoPath."""
    if protocol == "https" and endpoint.tls == "starttls":
        raise NoStarttls(endpoint.port)
    if protocol != "https" and endpoint.path != "/":
        raise NoPath(endpoint.port, endpoint.path)
    name = f"{endpoint.port} {protocol} ({TLS_NAMES[endpoint.tls]})"
    if protocol == "https":
        name += f" {endpoint.server_name}{endpoint.path}"
    return name, lambda: check_port(endpoint, protocol, timeout, certificate_days)


def check_port(endpoint: Endpoint, protocol: str, timeout: float, certificate_days: int) -> Passed:
    """Connect as a client would and say what TLS it got. Raises CheckError, with what to do."""
    try:
        return _check_port(endpoint, protocol, timeout, certificate_days)
    except CheckError as error:
        raise CheckError(error.explain(SERVICES[protocol])) from error


def _check_port(endpoint: Endpoint, protocol: str, timeout: float, certificate_days: int) -> Passed:
    with CLIENTS[protocol](endpoint, Deadline(timeout)) as client:
        client.greet()
        remark = ""
        if isinstance(client, MailClient):
            if endpoint.tls == "starttls":
                remark = _refuse_login_in_clear(client)
                client.upgrade()
            if client.wants_login:
                _begin_login(client)
        return Passed(_describe_tls(client.tls, certificate_days) + remark)


def _refuse_login_in_clear(client: MailClient) -> str:
    """Raise LoginOffered or LoginTaken unless the server refuses; return a remark where that cannot be judged."""
    mechanisms = client.login_mechanisms()
    if mechanisms and client.from_same_machine:
        return f"; {SAME_MACHINE}"
    if mechanisms:
        raise LoginOffered(mechanisms)
    for attempt in (client.begin_login, client.begin_old_login):
        taken, reply = attempt()
        if taken:
            raise LoginTaken(reply)
    return ""


def _begin_login(client: MailClient) -> None:
    """See that a login could be had: what knows the accounts answers, and no credentials are sent."""
    if not client.login_mechanisms():
        raise LoginMissing
    begun, reply = client.begin_login()
    if not begun:
        raise LoginFails(reply)
    client.abort_login()


def _describe_tls(tls: ssl.SSLSocket, certificate_days: int) -> str:
    """Return version, cipher and the certificate's days in words. Raises CertificateEnds."""
    certificate = tls.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = int((ends - time.time()) // 86400)
    if days < certificate_days:
        raise CertificateEnds(days, certificate_days)
    cipher = (tls.cipher() or ("no cipher",))[0]
    return f"{tls.version()} {cipher}, certificate valid for {days} days"
