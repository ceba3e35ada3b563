# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A part of the house that is set up alone (--tags) leaves nothing for a run of the whole, or is refused."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support import clients
from ansible_collections.ilnmors.mail.tests.behaviour.support.house import House
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import Run, Site
from testinfra.host import Host

NOTHING = {"lab-mail": 0, "lab-app": 0}
PASSWORDS = ["first-password-of-new", "second-password-of-new"]
RECORD = "/var/lib/ilnmors-mail/set-up.json"


def people(password: str) -> dict[str, Any]:
    """Return the variables of a house with one person more, who has a mail account at a provider."""
    new = {"name": "new", "password": password, "aliases": ["newest"], "display_name": "New One"}
    account = {
        "name": "new_at_gmail",
        "profile": "gmail",
        "address": "new@gmail.test",
        "password": password,
        "owner": "new",
    }
    return {"users": [new], "providers": [account]}


def variables(password: str) -> dict[str, Any]:
    """Return the roles' options for that house. Extra variables cannot be made of themselves."""
    more = people(password)
    users = {"users": f"{{{{ mail_users + {more['users']} }}}}"}
    providers = {"providers": f"{{{{ mail_providers + {more['providers']} }}}}"}
    both = ("postfix_relay", "snappymail", "roundcube")
    return {
        **{f"{role}_{name}": value for role in both for name, value in {**users, **providers}.items()},
        "dovecot_imap_users": users["users"],
        "mbsync_fetch_providers": providers["providers"],
        "mail_oauth2_providers": providers["providers"],
    }


@pytest.fixture(scope="module")
def house_as_it_was(site: Site) -> Iterator[None]:
    """Set the house up as a whole before and after."""
    assert site({}).status == 0
    yield
    assert site({}).status == 0


@pytest.mark.usefixtures("house_as_it_was")
class TestPerson:
    """One comes, gets another password, and goes."""

    def lets_in(self, house: House, password: str) -> bool:
        """Whether Dovecot takes a login of the person."""
        client = clients.imap(house.mail_hostname, house.ca_file)
        try:
            client.login("new", password)
        except imaplib.IMAP4.error:
            return False
        finally:
            client.shutdown()
        return True

    @pytest.mark.parametrize("password", PASSWORDS, ids=["comes", "has another password"])
    def test_is_wholly_there(self, site: Site, house: House, mail: Host, app: Host, password: str) -> None:
        run = site(variables(password), "--tags", "users")
        assert run.status == 0, run.output
        assert [known for known in PASSWORDS if self.lets_in(house, known)] == [password]
        tables = f"{mail.check_output('postconf -h default_database_type')}:/etc/postfix/maps"
        assert f"new@{house.domain}" in mail.run(f"postmap -q newest@{house.domain} {tables}/aliases").stdout
        assert (
            f"new@{house.domain}"
            in mail.run(f"postmap -q newest@{house.domain} {tables}/sender_logins").stdout
        )
        assert mail.run("systemctl is-enabled mbsync-fetch.target").stdout.strip() == "enabled"
        assert (
            mail.file("/etc/mbsync-fetch/credentials/new_at_gmail.password").content_string.strip()
            == password
        )
        identities = app.run("grep -rl 'New One' /etc/ilnmors-roundcube /var/lib/snappymail").stdout
        assert "people.json" in identities

    def test_leaves_nothing_for_a_run_of_the_whole(self, site: Site) -> None:
        assert site(variables(PASSWORDS[-1])).changed == NOTHING

    def test_is_wholly_gone(self, site: Site, house: House, mail: Host, app: Host) -> None:
        run = site({}, "--tags", "users")
        assert run.status == 0, run.output
        assert not any(self.lets_in(house, known) for known in PASSWORDS)
        assert not mail.file("/etc/mbsync-fetch/credentials/new_at_gmail.password").exists
        assert app.run("grep -rl 'New One' /etc/ilnmors-roundcube /var/lib/snappymail").stdout == ""
        assert site({}).changed == NOTHING


CHANGES: list[tuple[str, dict[str, Any]]] = [
    (
        "certificates",
        {"mail_tls_autoconfig_hostnames": ["autoconfig.ilnmors.internal", "wpad.ilnmors.internal"]},
    ),
    ("relay", {"postfix_relay_limit_connections": 21}),
    ("store", {"dovecot_imap_junk_days": 91}),
    ("fetch", {"mbsync_fetch_interval": "7min"}),
    ("webmail", {"webmail_host_ban_after": 12, "roundcube_attachment_size": 24}),
    ("backup", {"mail_backup_keep_daily": 9}),
]


@pytest.mark.usefixtures("house_as_it_was")
class TestOtherParts:
    """One option of each, one after the other."""

    def test_each_leaves_nothing_for_a_run_of_the_whole(self, site: Site) -> None:
        given: dict[str, Any] = {}
        for part, changed in CHANGES:
            given |= changed
            run = site(given, "--tags", part)
            assert run.status == 0, run.output
            assert sum(run.changed.values()) > 0, part
        assert site(given).changed == NOTHING


def refused(run: Run) -> str:
    """Return what a run that was refused says."""
    assert run.status != 0
    assert set(run.changed.values()) == {0}
    return run.output


def test_a_part_of_a_host_that_was_never_set_up_is_refused(site: Site, mail: Host) -> None:
    mail.check_output(f"mv {RECORD} {RECORD}.away")
    try:
        said = refused(site({}, "--tags", "users"))
    finally:
        mail.check_output(f"mv {RECORD}.away {RECORD}")
    assert "--tags users: this host has not been set up yet; run this without --tags" in said


def test_what_has_changed_beside_a_part_is_named(site: Site) -> None:
    said = refused(site({"mail_quota": "3G"}, "--tags", "users"))
    assert "--tags users: mail_quota has changed as well since this host was last set up" in said
    assert "run this with --tags users,relay,store, or without --tags" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--tags", "user"), "--tags user: is no part of the house; write --tags users"),
        (("--skip-tags", "webmail"), "--skip-tags webmail: what is skipped could be what the rest needs"),
    ],
)
def test_tags_that_cannot_be_meant_are_refused(site: Site, options: tuple[str, str], said: str) -> None:
    assert said in refused(site({}, *options))


def test_others_cannot_read_what_the_host_was_set_up_with(mail: Host) -> None:
    record = mail.file(RECORD)
    assert (record.user, record.mode) == ("root", 0o600)
