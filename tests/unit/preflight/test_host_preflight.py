# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run would leave behind on a host, or replace there, is refused with what to do."""

from __future__ import annotations

import json
import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.authority import (
    Authority,
    authority_problems,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._preflight.mail_store import (
    MailStore,
    store_problems,
)
from ansible_collections.ilnmors.mail.plugins.modules import host_preflight
from ansible_collections.ilnmors.mail.tests.unit.fakes.good_machine import GOOD
from ansible_collections.ilnmors.mail.tests.unit.fakes.house_authority import write_certificates

ME = pwd.getpwuid(os.getuid())
NOBODY = pwd.getpwnam("nobody")
HOW = "the README of dovecot_imap says how, in 'Moving the mail'"

# --- mail


def mailbox(directory: Path, domain: str) -> None:
    (directory / domain / "il" / "Maildir").mkdir(parents=True)


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    """Return a directory of a user that this machine does not have, whose number nobody has."""
    return MailStore(tmp_path, "new.internal", "", "no-such-user", 54321)


def test_a_bare_host_has_nothing_to_lose(store: MailStore) -> None:
    assert list(store_problems(replace(store, directory=store.directory / "missing"))) == []


@pytest.mark.parametrize(
    ("domains", "domain_old", "problem"),
    [
        ([], "", ""),
        (["new.internal"], "", ""),
        (["new.internal", "old.internal"], "", ""),
        (
            ["old.internal"],
            "",
            "has no mail in '{directory}', but old.internal has: people would find empty mailboxes; "
            f"move the mail first ({HOW}), or set mail_domain_old: old.internal if it is to stay there, unread",
        ),
        (
            ["older.internal", "old.internal"],
            "elsewhere.internal",
            "has no mail in '{directory}', but old.internal, older.internal has: people would find empty mailboxes; "
            f"move the mail first ({HOW}), or set mail_domain_old: old.internal if it is to stay there, unread",
        ),
        (["older.internal", "old.internal"], "OLD.internal", ""),
    ],
    ids=["none", "its-own", "both", "another", "others", "known"],
)
def test_mail_of_another_domain_is_not_left_behind(
    store: MailStore, domains: list[str], domain_old: str, problem: str
) -> None:
    for domain in domains:
        mailbox(store.directory, domain)
    (store.directory / "lost+found").mkdir()
    (store.directory / "a-file").touch()
    found = list(store_problems(replace(store, domain_old=domain_old)))
    expected = f"mail_domain: 'new.internal' {problem.format(directory=store.directory)}"
    assert found == ([expected] if problem else [])


def test_a_domain_is_the_same_in_capitals(store: MailStore) -> None:
    mailbox(store.directory, "new.internal")
    assert list(store_problems(replace(store, domain="New.Internal"))) == []


def test_mail_is_not_left_in_another_directory(
    store: MailStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    mailbox(before, "new.internal")
    owner = pwd.struct_passwd((*ME[:5], str(before), ME[6]))
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: owner)
    store = replace(store, user=ME.pw_name, uid=ME.pw_uid)
    assert list(store_problems(replace(store, directory=after))) == [
        f"mail_store_directory: '{after}' has no mail, but '{before}' has: people would find empty mailboxes; "
        f"move the mail first ({HOW}), or write '{before}'"
    ]
    mailbox(after, "new.internal")
    assert list(store_problems(replace(store, directory=after))) == []
    assert list(store_problems(replace(store, directory=before))) == []


def test_nobodys_own_folder_is_hidden(store: MailStore) -> None:
    mailbox(store.directory, "new.internal")
    mailbox(store.directory, "old.internal")
    (store.directory / "old.internal/il/Maildir/.Backup").mkdir()
    maildir = store.directory / "new.internal/il/Maildir"
    (maildir / ".Backups").mkdir()
    store = replace(store, yesterday=True)
    assert list(store_problems(store)) == []
    (maildir / ".Backup.2025").mkdir()
    assert list(store_problems(store)) == [
        "mail_backup_yesterday: would hide the folder 'Backup' of il@new.internal; rename it, such as by "
        "'doveadm mailbox rename -s -u il@new.internal Backup Backups', or write false"
    ]
    assert list(store_problems(replace(store, yesterday=False))) == []


def test_mail_does_not_change_its_owner(store: MailStore) -> None:
    uid = NOBODY.pw_uid
    assert list(store_problems(replace(store, user="nobody", uid=uid))) == []
    assert list(store_problems(replace(store, user="nobody", uid=5000))) == [
        f"dovecot_imap_vmail_uid: 5000 is not the number of the user 'nobody' of this host, which has {uid}: mail of "
        f"that number could not be read; write {uid}, or change the number of the user and of its files first ({HOW})"
    ]
    assert list(store_problems(replace(store, uid=uid))) == [
        f"dovecot_imap_vmail_uid: {uid} is the number of the user 'nobody' of this host; "
        "write mail_store_user: nobody if mail is that user's, or another number"
    ]


# --- certificates


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Return the directory of a host that keeps the authority of home.internal."""
    directory = tmp_path / "certificates"
    directory.mkdir()
    write_certificates(directory, "home.internal mail CA", "home.internal", "mail.home.internal")
    return directory


@pytest.fixture
def wanted(certificates: Path) -> Authority:
    return Authority(
        directory=certificates,
        keeps_key=True,
        name="home.internal mail CA",
        domains=["home.internal"],
        domain_old="",
        hostname="mail.home.internal",
        names=["mail.home.internal"],
        replace=False,
    )


def problems(wanted: Authority, watch: Path | None = None) -> list[str]:
    return list(authority_problems(wanted, watch or wanted.directory / "no-unit"))


def test_what_is_there_stays(wanted: Authority) -> None:
    assert problems(wanted) == []


def test_a_bare_host_gets_its_authority(wanted: Authority, tmp_path: Path) -> None:
    assert problems(replace(wanted, directory=tmp_path / "missing")) == []


TRUST = "every device would have to trust a new authority"
MEANT = "or set mail_tls_ca_replace: true if you mean it"


def test_an_authority_is_not_replaced_for_other_domains(wanted: Authority) -> None:
    other = replace(wanted, domains=["home.internal", "example.org"])
    assert problems(other) == [
        "mail_tls_ca_domains: home.internal, example.org are not the domains of the authority on this host "
        f"(home.internal): {TRUST}; write ['home.internal'], {MEANT} "
        "(so does mail_domain_old: home.internal, where the domain of the house changes)"
    ]
    assert problems(replace(other, replace=True)) == []
    assert problems(replace(other, keeps_key=False)) == []


def test_an_authority_is_not_replaced_for_its_name(wanted: Authority) -> None:
    assert problems(replace(wanted, name="new.internal mail CA")) == [
        "mail_domain: the authority on this host is called 'home.internal mail CA' and would become "
        f"'new.internal mail CA': {TRUST}; write the former domain, {MEANT}"
    ]


def test_a_house_that_says_its_former_domain_gets_a_new_authority(wanted: Authority) -> None:
    moved = replace(
        wanted,
        name="new.internal mail CA",
        domains=["new.internal"],
        hostname="mail.new.internal",
        names=["mail.new.internal"],
    )
    assert len(problems(moved)) == 2
    assert problems(replace(moved, domain_old="home.internal")) == []


def test_a_key_that_is_elsewhere_is_looked_for(wanted: Authority) -> None:
    (wanted.directory / "ca.key").unlink()
    assert problems(wanted) == [
        f"mail_tls_ca_host: this host has the authority's certificate, but not its key ('{wanted.directory}/ca.key'): "
        f"{TRUST}; name the host that has the key, put it here from a backup, {MEANT}"
    ]
    assert problems(replace(wanted, replace=True)) == []


def test_a_directory_that_was_left_is_remembered(wanted: Authority, tmp_path: Path) -> None:
    watch = tmp_path / "mail-tls-reload.path"
    watch.write_text(f"[Path]\nPathChanged={wanted.directory}/host.pem\nPathChanged=/x/host.key\n")
    assert problems(replace(wanted, directory=tmp_path / "new"), watch) == [
        f"mail_tls_directory: '{tmp_path}/new' has no authority, but '{wanted.directory}' has: {TRUST}; "
        f"move its files first, {MEANT}"
    ]
    watch.write_text("[Path]\nPathChanged=/etc/mine.pem\n")
    assert problems(replace(wanted, directory=tmp_path / "new"), watch) == []


def test_the_name_that_mail_programs_know_stays(wanted: Authority) -> None:
    other = replace(wanted, hostname="post.home.internal", names=["post.home.internal"])
    assert problems(other) == [
        "mail_hostname: 'post.home.internal' would take the place of 'mail.home.internal' in the certificate of this "
        "host: mail programs that are set up with the former name would refuse to connect; "
        "set mail_hostname_old: mail.home.internal as well, which keeps it in the certificate"
    ]
    assert problems(replace(other, names=["post.home.internal", "MAIL.home.internal"])) == []
    assert problems(replace(other, hostname="")) == []


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_what_is_no_certificate_is_for_the_run_to_say(wanted: Authority, content: str) -> None:
    for name in ("ca.pem", "host.pem"):
        (wanted.directory / name).write_text(content)
    assert problems(wanted) == []


# --- the module


@pytest.fixture
def _on_a_good_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the module run where nobody would deploy a house."""
    monkeypatch.setattr(host_preflight, "read_machine", lambda: GOOD)


def test_the_module_says_nothing_else_of_a_machine_that_cannot_run_the_house(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        host_preflight, "read_machine", lambda: replace(GOOD, release="11", called="Debian 11")
    )
    missing = {"names": [{"option": "mail_hostname", "name": "mail.nowhere.invalid"}]}
    with patch_module_args(missing), pytest.raises(SystemExit):
        host_preflight.main()
    assert (
        json.loads(capsys.readouterr().out)["msg"] == "the host runs Debian 11; use one with Debian 12 or 13"
    )


@pytest.mark.usefixtures("_on_a_good_machine")
def test_the_module_says_all(
    wanted: Authority, store: MailStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (wanted.directory / "ca.key").unlink()
    mailbox(tmp_path, "old.internal")
    options = {
        "mail_store": {
            "directory": str(tmp_path),
            "domain": "new.internal",
            "user": store.user,
            "uid": store.uid,
        },
        "authority": {
            "directory": str(wanted.directory),
            "keeps_key": True,
            "name": wanted.name,
            "domains": list(wanted.domains),
            "names": list(wanted.names),
        },
    }
    with patch_module_args(options), pytest.raises(SystemExit) as stop:
        host_preflight.main()
    assert stop.value.code == 1
    said = json.loads(capsys.readouterr().out)["msg"].splitlines()
    assert [line.partition(":")[0] for line in said] == ["mail_domain", "mail_tls_ca_host"]


@pytest.mark.usefixtures("_on_a_good_machine")
def test_several_roles_are_answered_at_once_and_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    missing = {"names": [{"option": "mail_hostname", "name": "mail.nowhere.invalid"}]}
    given = {"asked": [missing, {"password_files": {"mail_providers (gmail)": "/no/such/file"}}, missing]}
    with patch_module_args(given), pytest.raises(SystemExit):
        host_preflight.main()
    said = json.loads(capsys.readouterr().out)["msg"].splitlines()
    assert [line.partition(":")[0] for line in said] == ["mail_hostname", "mail_providers (gmail)"]


@pytest.mark.usefixtures("_on_a_good_machine")
def test_the_module_is_content(capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({}), pytest.raises(SystemExit) as stop:
        host_preflight.main()
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out)["changed"] is False
