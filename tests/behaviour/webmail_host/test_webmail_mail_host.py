"""A mail host that the webmail cannot use is refused before anything of the webmail changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.webmail_role import Role, assert_refused, state
from testinfra.host import Host


@pytest.fixture
def misnamed(app: Host, house: House) -> Iterator[str]:
    """Return a name that leads to the mail host and is not in its certificate."""
    name = f"misnamed.{house.domain}"
    app.check_output("cp /etc/hosts /run/hosts.before && echo '%s %s' >>/etc/hosts", house.mail_address, name)
    yield name
    app.check_output("cat /run/hosts.before >/etc/hosts && rm /run/hosts.before")


def test_a_mail_host_with_another_name_is_refused(role: Role, app: Host, misnamed: str) -> None:
    before = state(app)
    run = role(snappymail_mail_hostname=misnamed)
    for port in ("993 imap (TLS)", "465 submission (TLS)", "4190 sieve (STARTTLS)"):
        assert_refused(run, f"{port}: TLS failed: the certificate is for another name than {misnamed}")
    assert f"The webmail cannot use {misnamed} from this host" in run.output
    assert state(app) == before


def test_a_mail_host_of_an_unknown_authority_is_refused(role: Role, app: Host) -> None:
    before = state(app)
    run = role(snappymail_tls_ca="/etc/ssl/certs/ca-certificates.crt")
    assert_refused(run, "993 imap (TLS): TLS failed: no trusted CA signed the certificate")
    assert state(app) == before


def test_a_mail_host_that_is_not_there_is_refused(role: Role, app: Host) -> None:
    before = state(app)
    run = role(snappymail_mail_hostname="nowhere.invalid")
    assert_refused(run, "993 imap (TLS): cannot connect: the name nowhere.invalid does not resolve")
    assert state(app) == before
