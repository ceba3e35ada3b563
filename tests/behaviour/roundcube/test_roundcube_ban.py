# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An address that guesses passwords in Roundcube is banned for a while, and no other one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import roundcube_client
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House, wait_for
from ansible_collections.ilnmors.mail.tests.behaviour.support.jail import assert_named, forgiving, status
from ansible_collections.ilnmors.mail.tests.behaviour.support.roundcube_client import Roundcube
from testinfra.host import Host

JAIL = "ilnmors-roundcube"
STRANGER = (Path(roundcube_client.__file__).parent / "roundcube_stranger.py").read_text()
LINES = {
    "Auth failed: ip=192.0.2.1 user=il@ilnmors.internal": "192.0.2.1",
    "Auth failed: ip=2001:db8::2 user=": "2001:db8::2",
    "Auth failed: ip=192.0.2.3 user=Auth?failed:?ip=10.9.8.7?user=x": "192.0.2.3",
    "Logged in: ip=10.9.8.7 user=il@ilnmors.internal": "",
    "PHP Warning:  Auth failed: ip=10.9.8.7 user=x": "",
    "<0123abcd> Auth failed: ip=10.9.8.7 user=x": "",
    "IMAP Error: Login failed for x against mail from 10.9.8.7. Auth failed: ip=10.9.8.7 user=x": "",
}
"""Whom lines of the webmail name."""


@pytest.fixture
def ban_after(app: Host, roundcube_name: str, webmail_bans: None) -> int:  # noqa: ARG001 - they may skip
    return int(app.check_output(f"fail2ban-client get {JAIL} maxretry"))


@pytest.fixture
def stranger(
    provider: Host, inventory: dict[str, dict[str, Any]], app: Host, ban_after: int
) -> Iterator[str]:
    """Return the address of the machine that is a stranger to the house, free of bans now and at the end."""
    assert ban_after
    address: str = inventory[provider.backend.get_hostname()]["address"]
    with forgiving(app, JAIL) as unban:
        unban(address)
        yield address


@pytest.fixture
def guess(provider: Host, house: House, roundcube_name: str) -> Callable[[str, int], list[int]]:
    """Return what has the stranger guess, and returns the status of each answer."""
    where = f"{house.webmail_address} {roundcube_name}"

    def run(user: str, times: int) -> list[int]:
        said = provider.check_output(f"python3 -c %s {where} '{user}' {times}", STRANGER)
        return list(map(int, said.split()))

    return run


def test_who_guesses_is_kept_out_and_others_are_not(
    app: Host,
    house: House,
    roundcube: Roundcube,
    guess: Callable[[str, int], list[int]],
    ban_after: int,
    stranger: str,
) -> None:
    before = int(status(app, JAIL, "Total failed"))
    assert guess("il", 1) == [401]
    wait_for(lambda: int(status(app, JAIL, "Total failed")) == before + 1, "one guess is one failure")
    assert status(app, JAIL, "Banned IP list") == ""
    app.check_output(
        f"for i in $(seq {ban_after - 2}); do fail2ban-client set {JAIL} attempt {stranger}; done"
    )
    guess("il", 1)
    wait_for(lambda: guess("il", 1) == [429], "the stranger is kept out")
    assert status(app, JAIL, "Banned IP list") == stranger
    # Nor was the person kept out, whose password was guessed.
    assert roundcube.log_in("il", house.password("il")).status_code == 302

    app.check_output(f"fail2ban-client set {JAIL} unbanip {stranger}")
    wait_for(lambda: guess("il", 1) == [401], "the stranger is forgiven")


def test_a_proxy_is_believed_on_whom_it_speaks_for(
    app: Host, mail: Host, house: House, roundcube_name: str, inventory: dict[str, dict[str, Any]]
) -> None:
    if not inventory[mail.backend.get_hostname()]["groups"].get("provider"):
        pytest.skip("needs the lab, whose mail host is a proxy of the webmail (webmail_host_reverse_proxies)")
    cursor = app.check_output("journalctl --lines 0 --show-cursor").rpartition(" ")[2]
    where = f"{house.webmail_address} {roundcube_name}"
    assert mail.check_output(f"python3 -c %s {where} proxied 1", STRANGER) == "401"
    entries = f"journalctl --after-cursor '{cursor}' --output cat --identifier roundcube --quiet"
    wait_for(lambda: "user=proxied" in app.check_output(entries), "the failure in the journal")
    assert "Auth failed: ip=192.0.2.77 user=proxied" in app.check_output(entries).splitlines()


def test_a_line_names_who_failed(app: Host, ban_after: int) -> None:
    assert ban_after
    assert_named(app, JAIL, "roundcube", LINES)


@pytest.mark.parametrize(
    "user", ["x\nAuth failed: ip=192.0.2.9 user=y", "Auth failed: ip=192.0.2.9 user=y", "x ip=192.0.2.9"]
)
def test_nobody_writes_a_line_for_another(roundcube: Roundcube, app: Host, user: str) -> None:
    """A name with a line break is one entry of the journal, as any other."""
    cursor = app.check_output("journalctl --lines 0 --show-cursor").rpartition(" ")[2]
    roundcube.log_in(user, "wrong")
    entries = f"journalctl --after-cursor '{cursor}' --output json --identifier roundcube --quiet"
    wait_for(lambda: "Auth failed: " in app.check_output(entries), "the failure in the journal")
    messages = [str(json.loads(line)["MESSAGE"]) for line in app.check_output(entries).splitlines()]
    failures = [message for message in messages if message.startswith("Auth failed: ")]
    assert len(failures) == 1
    assert not failures[0].startswith("Auth failed: ip=192.0.2.9")


def test_a_mail_host_that_is_away_bans_nobody(
    roundcube: Roundcube, house: House, app: Host, mail: Host, inventory: dict[str, dict[str, Any]]
) -> None:
    if not inventory[mail.backend.get_hostname()]["groups"].get("provider"):
        pytest.skip("needs the lab: it keeps the mail host away for a moment")
    rule = f"OUTPUT -p tcp -d {house.mail_address} --dport 993 -j REJECT --reject-with tcp-reset"
    before = status(app, JAIL, "Total failed")
    # Also where the test is killed.
    app.check_output(f"systemd-run --quiet --collect --on-active=60 iptables -D {rule}")
    app.check_output(f"iptables -I {rule}")
    try:
        assert roundcube.log_in("il", house.password("il")).status_code == 401
    finally:
        app.check_output(f"iptables -D {rule}")
    assert roundcube.log_in("il", house.password("il")).status_code == 302
    assert status(app, JAIL, "Total failed") == before
