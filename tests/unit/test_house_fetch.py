# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a house's description may say of what is fetched from providers, and where it lands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.plugins.module_utils.house import house_problems
from ansible_collections.ilnmors.mail.plugins.module_utils.house_fetch import SPECIAL_FOLDERS

ROOT = Path(__file__).parents[2]
GMAIL: dict[str, Any] = {
    "name": "gmail",
    "profile": "gmail",
    "address": "il@gmail.com",
    "password": "secret-gmail",
    "owner": "il",
}
NAVER: dict[str, Any] = {
    "name": "naver",
    "profile": "naver",
    "address": "il@naver.com",
    "password": "secret-naver",
    "owner": "il",
}
PATHS = {"mbsync_fetch_provider_ca": "/etc/ssl/certs/ca-certificates.crt"}
NOT_A_PATH = "is not an absolute path of letters, digits and -_.@+/"


def problems(*providers: dict[str, Any]) -> list[str]:
    """Return the problems of a house of il and guest."""
    users = [{"name": name, "password": "x"} for name in ("il", "guest")]
    found = house_problems({"domain": "home.internal", "users": users, "providers": list(providers)})
    assert "secret" not in "".join(found)
    return found


@pytest.mark.parametrize(
    "providers",
    [
        (GMAIL, NAVER),
        (GMAIL, {**NAVER, "folder": "Mail/네이버"}),
        (GMAIL, {**NAVER, "folder": "Googles"}),
        ({**GMAIL, "inbox": True}, {**NAVER, "inbox": True}),
        (GMAIL, {**NAVER, "owner": "guest", "folder": "Google"}),
        (GMAIL, {**NAVER, "fetch": False, "folder": "Google", "imap_port": 143}),
        ({**GMAIL, "labels": True, "mailboxes": ["INBOX", "가족*"], "skip_mailboxes": []},),
        ({**GMAIL, "folder": None, "mailboxes": None, "imap_port": None},),
        ({**GMAIL, "password": "", "password_file": "/etc/mail-passwords/gmail", "relay": False},),
        ({**GMAIL, "name": "a" * 18},),
        ({**GMAIL, "name": "a" * 19, "fetch": False},),
    ],
    ids=[
        *("two-accounts", "one-within-a-folder", "a-longer-name", "two-into-one-inbox", "two-owners"),
        *("not-fetched", "labels", "null", "password-file", "longest-name", "longer-name-not-fetched"),
    ],
)
def test_accounts_that_can_be_fetched(providers: tuple[dict[str, Any], ...]) -> None:
    assert problems(*providers) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"owner": None},
            ": has no owner; write the name of the user in mail_users whose account it is",
        ),
        ({"owner": "anybody"}, ".owner: 'anybody' is not a user; write one of il, guest"),
        (
            {"name": "a" * 19},
            ".name: has 19 characters, too many for the name of its system user; write at most 18",
        ),
        (
            {"imap_port": 143},
            ".imap_port: 143 begins without TLS, and fetching needs implicit TLS, port 993; write that, or remove it",
        ),
        ({"imap_port": "imaps"}, ".imap_port: 'imaps' is not a port; write 993, or remove it"),
        ({"imap_port": 0}, ".imap_port: 0 is not a port; write 993, or remove it"),
        ({"imap_port": 65536}, ".imap_port: 65536 is not a port; write 993, or remove it"),
        (
            {"labels": True},
            ".labels: only mailboxes of gmail are labels; remove it, all others are fetched as folders",
        ),
        (
            {"mailboxes": ["INBOX", " "]},
            ".mailboxes[1]: ' ' is no name of a mailbox; write one, with * for any text, or remove it",
        ),
        (
            {"skip_mailboxes": [""]},
            ".skip_mailboxes[0]: '' is no name of a mailbox; write one, with * for any text, or remove it",
        ),
        (
            {"mailboxes": ["INBOX\nx"]},
            ".mailboxes[0]: 'INBOX\\nx' is no name of a mailbox; write one, with * for any text, or remove it",
        ),
        (
            {"mailboxes": "INBOX"},
            ".mailboxes: is no list of mailboxes; write one such as ['INBOX', 'Work*']",
        ),
        (
            {"password_file": "/etc/mail-passwords/naver", "relay": False},
            ": has both password and password_file; remove one of them",
        ),
        (
            {"password": None, "password_file": "/etc/mail-passwords/naver"},
            ".password_file: is for fetching alone; write relay: false as well, or password instead of it",
        ),
        (
            {"password": None, "password_file": "passwords/naver", "relay": False},
            f".password_file: 'passwords/naver' {NOT_A_PATH}; write one such as '/etc/mail-passwords/gmail'",
        ),
        (
            {"password": None, "password_file": "/etc/%n my", "relay": False},
            f".password_file: '/etc/%n my' {NOT_A_PATH}; write one such as '/etc/mail-passwords/gmail'",
        ),
        (
            {"profile": "outlook", "password": None, "password_file": "/etc/naver", "relay": False},
            ".password_file: outlook takes no passwords; write oauth2 instead, with client_id and refresh_token "
            "(the README of the role mail_oauth2 says how to get them)",
        ),
    ],
)
def test_an_account_that_cannot_be_fetched_is_refused(change: dict[str, Any], problem: str) -> None:
    account = {**NAVER, **change}
    assert problems(account) == [f"mail_providers[0] ({account['name']}){problem}"]


@pytest.mark.parametrize(
    ("folder", "fault"),
    [
        ("", "has an empty part"),
        ("/Naver", "has an empty part"),
        ("Naver/", "has an empty part"),
        ("Mail//Naver", "has an empty part"),
        ("Mail/ /Naver", "has an empty part"),
        ("..", "holds '.', '%' or '*', or begins with '~'"),
        ("../guest", "holds '.', '%' or '*', or begins with '~'"),
        ("naver.com", "holds '.', '%' or '*', or begins with '~'"),
        ("Naver*", "holds '.', '%' or '*', or begins with '~'"),
        ("~guest", "holds '.', '%' or '*', or begins with '~'"),
        ("Na\nver", "holds a line break or another control character"),
        ("네" * 41, "has more than 120 bytes"),
        ("INBOX", "is the inbox itself (inbox: true lets new mail arrive there)"),
        ("inbox", "is the inbox itself (inbox: true lets new mail arrive there)"),
        *((folder, "is a folder that the house has for another use") for folder in SPECIAL_FOLDERS),
        ("trash/Naver", "is a folder that the house has for another use"),
    ],
)
def test_a_folder_that_cannot_be_is_refused(folder: str, fault: str) -> None:
    assert problems({**NAVER, "folder": folder}) == [
        f"mail_providers[0] (naver).folder: {folder!r} {fault}; write one such as 'Google'"
    ]


@pytest.mark.parametrize("release", ["2.3", "2.4"])
def test_the_houses_own_folders_are_those_of_its_mailboxes(release: str) -> None:
    template = ROOT / "roles" / "dovecot_imap" / "templates" / release / "folders.conf.j2"
    assert str(list(SPECIAL_FOLDERS)) in template.read_text()


@pytest.mark.parametrize(
    ("folder", "relation"),
    [
        ("Google", "'Google' is 'Google'"),
        ("GOOGLE", "'GOOGLE' is 'Google'"),
        ("Google/Naver", "'Google/Naver' lies in 'Google'"),
        ("google/Mail/Naver", "'google/Mail/Naver' lies in 'Google'"),
    ],
)
@pytest.mark.parametrize("inbox", [False, True])
def test_two_accounts_of_one_owner_have_folders_of_their_own(folder: str, relation: str, inbox: bool) -> None:
    assert problems({**GMAIL, "inbox": inbox}, {**NAVER, "inbox": inbox, "folder": folder}) == [
        f"mail_providers[1] (naver).folder: {relation}, where the mail of gmail lands; write another one"
    ]


def test_a_folder_around_another_ones_is_refused() -> None:
    assert problems({**GMAIL, "folder": "Mail/Google"}, {**NAVER, "folder": "mail"}) == [
        "mail_providers[1] (naver).folder: 'mail' holds 'Mail/Google', where the mail of gmail lands; write another one"
    ]


def test_two_accounts_at_one_provider_need_a_folder_to_be_said() -> None:
    assert problems(GMAIL, {**GMAIL, "name": "second"}) == [
        "mail_providers[1] (second).folder: 'Google' is 'Google', where the mail of gmail lands; write another one"
    ]


@pytest.mark.parametrize("interval", ["5min", "1h 30min", "90", 90, "1.5h", "1h30m", "2 hours", " 5 min "])
def test_times_that_systemd_knows(interval: object) -> None:
    assert house_problems({"fetch": {"interval": interval, "paths": PATHS}}) == []


@pytest.mark.parametrize(
    "interval", ["", "0", "0min", "5 minutos", "-5min", "5,5min", "often", "5min;", "infinity"]
)
def test_other_times_are_refused(interval: str) -> None:
    assert house_problems({"fetch": {"interval": interval, "paths": PATHS}}) == [
        f"mbsync_fetch_interval: {interval!r} is no time that systemd knows (systemd.time(7)); "
        "write one such as '5min' or '1h 30min'"
    ]


@pytest.mark.parametrize("path", ["", "ca.pem", "./ca.pem", "~/ca.pem", "/etc/my ca.pem", "/etc/%i"])
def test_paths_are_absolute(path: str) -> None:
    assert house_problems({"fetch": {"interval": "5min", "paths": {"mbsync_fetch_provider_ca": path}}}) == [
        f"mbsync_fetch_provider_ca: {path!r} {NOT_A_PATH}; write one such as '/srv/mail'"
    ]


def test_no_option_changes_a_provider() -> None:
    """What mbsync can do at the far side, and what it calls that (mbsync(1)), is no option of any role."""
    changing = re.compile(r"push|expunge|remove|create|purge|trash|append|flags?$|sync")
    for role in ("mbsync_fetch", "postfix_relay", "mail_oauth2"):
        text = (ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text()
        names = re.findall(r"^ {6,}(\w+):$", text, re.MULTILINE)
        assert "deleted_at_provider" in names
        own = {name.removeprefix("mbsync_fetch_") for name in names}
        assert [name for name in sorted(own) if changing.search(name)] == []
