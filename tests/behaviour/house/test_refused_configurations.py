# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What only the daemons themselves can refuse is refused before a host changes, and never replaces what works."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Site, assert_nothing_changed
from testinfra.host import Host

LATE = [
    (
        (),
        {"postfix_relay_extra_settings": {"smtp_host_lokup": "dns"}},
        "postfix_relay_extra_settings: 'postconf",
        "unused parameter: smtp_host_lokup=dns",
    ),
    (
        ("--check",),
        {"dovecot_imap_extra_settings": {"protocol imap": {"mail_max_userip_connections": "plenty"}}},
        "dovecot_imap_extra_settings: 'doveconf",
        # Dovecot 2.3 says which line, and not which setting.
        "plenty",
    ),
]


@pytest.mark.parametrize(("options", "variables", "blamed", "said"), LATE, ids=["postfix", "dovecot"])
def test_what_a_daemon_would_refuse_is_refused_before_any_role_changes_anything(
    site: Site, house: House, options: tuple[str, ...], variables: dict[str, Any], blamed: str, said: str
) -> None:
    earlier = {"mail_tls_names": [house.mail_hostname, f"late.{house.domain}"]}
    run = site({**earlier, **variables}, "--limit", "mail", *options)
    assert blamed in run.output
    assert said in run.output
    assert_nothing_changed(run)


def test_a_refused_configuration_leaves_the_running_one(site: Site, house: House, mail: Host) -> None:
    state = "stat --format '%n %i %y' /etc/postfix/main.cf /etc/postfix/master.cf; cat /etc/postfix/main.cf"
    before = mail.check_output(state)
    bad = {"postfix_relay_extra_settings": {"message_size_limit": "10MB"}}
    run = site(bad, hosts="mail", roles=["postfix_relay"])
    assert run.status != 0
    assert "bad numerical configuration: message_size_limit = 10MB" in run.output
    assert mail.check_output(state) == before
    with clients.submission(house.mail_hostname, house.ca_file) as client:
        assert client.login("il", house.password("il"))[0] == 235


@pytest.mark.parametrize("options", [(), ("--check",)], ids=["run", "check"])
def test_a_sieve_script_that_does_not_compile_is_refused_with_its_line(
    site: Site, mail: Host, options: tuple[str, ...]
) -> None:
    state = "stat --format '%n %i %y' /etc/dovecot/dovecot.conf /etc/dovecot/sieve/*"
    before = mail.check_output(state)
    bad = {"dovecot_imap_sieve_before": 'keep;\nfrobnicate "mail";\n'}
    run = site(bad, *options, hosts="mail", roles=["dovecot_imap"])
    assert run.status != 0
    assert "dovecot_imap_sieve_before: 'sievec" in run.output
    assert "line 2: error: unknown command 'frobnicate'" in run.output
    assert mail.check_output(state) == before
