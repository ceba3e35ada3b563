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
PASSWORD = "the-password-of-new"
RECORD = "/var/lib/ilnmors-mail/set-up.json"


def variables() -> dict[str, Any]:
    """Return the roles' options for a house with one person more, who has a mail account at a provider.

    Extra variables cannot be made of themselves: the site variables stay as they are.
    """
    person = {"name": "new", "password": PASSWORD, "aliases": ["newest"], "display_name": "New One"}
    account = {
        "name": "new_at_gmail",
        "profile": "gmail",
        "address": "new@gmail.test",
        "password": PASSWORD,
        "owner": "new",
    }
    users, providers = f"{{{{ mail_users + {[person]} }}}}", f"{{{{ mail_providers + {[account]} }}}}"
    both = ("postfix_relay", "snappymail", "roundcube")
    return {
        **{f"{role}_users": users for role in (*both, "dovecot_imap")},
        **{f"{role}_providers": providers for role in (*both, "mbsync_fetch", "mail_oauth2")},
    }


CHANGES: dict[str, Any] = {
    "mail_tls_autoconfig_hostnames": ["autoconfig.ilnmors.internal", "wpad.ilnmors.internal"],
    "postfix_relay_limit_connections": 21,
    "dovecot_imap_junk_days": 91,
    "mbsync_fetch_interval": "7min",
    "webmail_host_ban_after": 12,
    "roundcube_attachment_size": 24,
    "mail_backup_keep_daily": 9,
}
"""An option of each part but `users`."""
PARTS = "certificates,relay,store,fetch,webmail,backup"


@pytest.fixture(scope="class")
def house_as_it_was(site: Site, request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the house up as a whole where it is not, and after a test that has failed: the last one does so otherwise."""
    # The quickest of the parts is refused then.
    if site({}, "--tags", "monitoring").status:
        assert site({}).status == 0
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        assert site({}).status == 0


@pytest.mark.usefixtures("house_as_it_was")
class TestWhatPartsLeave:
    """Options of all parts are changed, and a person comes and goes: a run of the whole then finds nothing to do."""

    def lets_in(self, house: House) -> bool:
        """Whether Dovecot takes a login of the person."""
        client = clients.imap(house.mail_hostname, house.ca_file)
        try:
            client.login("new", PASSWORD)
        except imaplib.IMAP4.error:
            return False
        finally:
            client.shutdown()
        return True

    def test_options_of_all_parts_are_applied(self, site: Site, mail: Host) -> None:
        run = site(CHANGES, "--tags", PARTS)
        assert run.status == 0, run.output
        assert "USec=7min ;" in mail.check_output(
            "systemctl show -P TimersMonotonic mbsync-fetch@gmail.timer"
        )

    def test_a_person_is_wholly_there(self, site: Site, house: House, mail: Host, app: Host) -> None:
        run = site(CHANGES | variables(), "--tags", "users")
        assert run.status == 0, run.output
        assert self.lets_in(house)
        tables = f"{mail.check_output('postconf -h default_database_type')}:/etc/postfix/maps"
        for table in ("aliases", "sender_logins"):
            found = mail.run(f"postmap -q newest@{house.domain} {tables}/{table}").stdout
            assert f"new@{house.domain}" in found, table
        secret = mail.file("/etc/mbsync-fetch/credentials/new_at_gmail.password")
        assert secret.content_string.strip() == PASSWORD
        identities = app.run("grep -rl 'New One' /etc/ilnmors-roundcube /var/lib/snappymail").stdout
        assert "people.json" in identities

    def test_they_leave_nothing_for_a_run_of_the_whole(self, site: Site) -> None:
        assert site(CHANGES | variables()).changed == NOTHING

    def test_a_person_is_wholly_gone(self, site: Site, house: House, mail: Host, app: Host) -> None:
        run = site({}, "--tags", f"users,{PARTS}")
        assert run.status == 0, run.output
        assert not self.lets_in(house)
        assert not mail.file("/etc/mbsync-fetch/credentials/new_at_gmail.password").exists
        assert app.run("grep -rl 'New One' /etc/ilnmors-roundcube /var/lib/snappymail").stdout == ""
        assert site({}).changed == NOTHING


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


def test_others_cannot_read_what_the_host_was_set_up_with(mail: Host) -> None:
    record = mail.file(RECORD)
    assert (record.user, record.mode) == ("root", 0o600)
