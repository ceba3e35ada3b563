"""Options that cannot work are refused before any host is touched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.behaviour.support.site_run import (
    Run,
    Site,
    assert_nothing_changed,
)
from testinfra.host import Host

ARCHIVE = b"no archive of a webmail"

BAD_TLS = {"mail_domain": "home", "mail_tls_certificate": "/etc/ssl/mine.pem", "mail_usres": []}
TLS_PROBLEMS = [
    "mail_usres: is no variable that is known; write mail_users, or give yours another name",
    "mail_domain: 'home' is not a fully qualified domain name; write one such as 'home.internal'",
    "mail_tls_certificate: '/etc/ssl/mine.pem' is set, but mail_tls_key is not; "
    "set both, or neither for the house's own authority",
]

SHORT_HASH = "{ARGON2ID}$argon2id$v=19$m=64,t=2,p=1$c2VjcmV0$c2VjcmV0"
PUBLIC = "203.0.113.5"
BAD_HOUSE = {
    "mail_users": [
        {"name": "il", "password": "secret-il", "aliases": ["guest"]},
        {"name": "guest"},
        {"name": "il", "password": "secret-second-il"},
        {"name": "plain", "password_hash": "secret-plain"},
        {"name": "md5", "password_hash": "{MD5-CRYPT}$1$secret-md5"},
        {"name": "short", "password_hash": SHORT_HASH},
        {
            "name": "free",
            "password": "secret-free",
            "extra_fields": {"userdb_home": "/root", "reason": "secret-reason to go"},
        },
    ],
    "mail_services": [{"name": "gitea", "password": "secret-gitea"}],
    "mail_providers": [
        {
            "name": "gmail",
            "profile": "gmail",
            "address": "il@gmail.com",
            "password": "secret-gmail",
            "owner": "nobody",
        },
        {"name": "relayed", "profile": "naver", "address": "a@naver.com", "owner": "il", "fetch": False},
        {"name": "fetched", "profile": "naver", "address": "b@naver.com", "owner": "il", "relay": False},
        {
            "name": "clear",
            "profile": "custom",
            "address": "IL@gmail.com",
            "password": "secret-clear",
            "owner": "guest",
            "smtp_host": "smtp.example.org",
            "smtp_tls": "none",
            "fetch": False,
        },
    ],
    "mail_default_provider": "outlook",
    "mail_trusted_networks": ["127.0.0.0/8", "8.8.8.0/24"],
    "mail_listen_addresses": [PUBLIC, "203.0.113.6"],
    "postfix_relay_postmaster": "nobody",
    "postfix_relay_delay_warning": "4 hours",
}
HOUSE_PROBLEMS = [
    "mail_users[0] (il).aliases[0]: 'guest' is taken by mail_users[1] (guest).name already; "
    "choose another name or remove one of them",
    "mail_users[1] (guest): has neither password nor password_hash; set one of them",
    "mail_users[2] (il).name: 'il' is taken by mail_users[0] (il).name already; "
    "choose another name or remove one of them",
    "mail_users[3] (plain).password_hash: found a hash that is not of a known scheme: "
    "make one with 'doveadm pw -s ARGON2ID|BLF-CRYPT|SHA512-CRYPT'",
    "mail_users[4] (md5).password_hash: found a hash of the unknown scheme MD5-CRYPT: "
    "make one with 'doveadm pw -s ARGON2ID|BLF-CRYPT|SHA512-CRYPT'",
    "mail_users[5] (short).password_hash: found a hash that is not of its scheme ARGON2ID: "
    "make one with 'doveadm pw -s ARGON2ID'",
    "mail_users[6] (free).extra_fields.userdb_home: is no field for this; remove it, for the role says that itself",
    "mail_users[6] (free).extra_fields.reason: the value contains a space, line break or NUL, "
    "which the file cannot hold: remove it",
    "postfix_relay_postmaster: 'nobody' is not a user; write one of il, guest, il",
    "postfix_relay_delay_warning: '4 hours' is not a time, a number with s, m, h, d or w; write one such as '4h'",
    "mail_providers[0] (gmail).owner: 'nobody' is not a user; write one of il, guest, il",
    "mail_providers[1] (relayed): has no password; write the account's (app) password, or remove the account",
    "mail_providers[2] (fetched): has no password; write the account's (app) password, or remove the account",
    "mail_providers[3] (clear).smtp_tls: none would send the password and all mail to 'smtp.example.org' where "
    "everybody on the way can read them; remove it, or set allow_cleartext: true if that host is one of the house",
    "mail_providers[3] (clear).address: 'IL@gmail.com' belongs to 'nobody' already "
    "(mail_providers[0] (gmail).address); an address has one owner: remove it from one of them",
    "mail_default_provider: 'outlook' is not in mail_providers (there: gmail, relayed, fetched, clear); "
    "write one of those names",
    "mail_trusted_networks[1]: '8.8.8.0/24' is public address space: strangers could send mail through the house; "
    "write the house's private network, or set mail_trust_public_networks: true if you mean it",
    f"mail_listen_addresses[0]: '{PUBLIC}' is a public address: strangers could reach the mail ports; remove it",
    "mail_listen_addresses[1]: '203.0.113.6' is no address of the host; write one of its own",
]

# Values that are nothing that could be meant.
BAD_ACCOUNTS = {
    "mail_users": [
        {"name": "a:b", "password": "secret-separator"},
        {"name": "a\nb", "password": "secret-line"},
        {"name": "il@ilnmors.internal", "password": "secret-address"},
        {
            "name": "short",
            "password": "secret-short",
            "quota": "lots",
            "aliases": "family",
            "catch_all": "maybe",
        },
        {"name": "far", "password": " secret-far", "allowed_networks": ["192.168.1.0/24", "192.168.1.7/24"]},
        {"name": "octal", "password": 493, "passwrod": "secret-misspelt"},
    ],
    "mail_services": [{"name": "gitea", "password": "secret-gitea", "allowed_networks": ["local"]}],
    "mail_providers": [
        {
            "name": "unknown",
            "profile": "hotmail",
            "address": "c@hotmail.com",
            "password": "secret-c",
            "owner": "il",
        },
        {
            "name": "clear",
            "address": "d}@example.org",
            "username": "il\nroot",
            "password": "secret-line\nsecret-break",
            "owner": "",
            "imap_port": 143,
            "mailboxes": ["", 2026],
        },
    ],
    "mail_listen_addresses": ["eth0"],
}
NAME_REMEDY = (
    "is not a name to log in with, of letters, digits, '-', '_' and single dots inside; write one such as"
)
NETWORK_REMEDY = (
    "is not an address or a network in CIDR form (no bits set beyond the prefix); write one such as"
)
CONTROL = "holds a line break or another control character; write it without such"
ACCOUNT_PROBLEMS = [
    f"mail_users[0] (a:b).name: 'a:b' {NAME_REMEDY}",
    f"mail_users[1].name: 'a\\nb' {CONTROL}",
    f"mail_users[2] (il@ilnmors.internal).name: 'il@ilnmors.internal' {NAME_REMEDY}",
    "mail_users[3] (short).quota: is 'lots', which is no size; "
    "write a whole number with B, K, M, G or T, such as '5G', or '0' for none",
    "mail_users[3] (short).aliases: is 'family', where a list is due; write a list, such as [postmaster, family]",
    "mail_users[3] (short).catch_all: is 'maybe', which is neither true nor false; write true or false",
    f"mail_users[4] (far).allowed_networks[1]: '192.168.1.7/24' {NETWORK_REMEDY}",
    "mail_users[4] (far).password: begins or ends with a space",
    "mail_users[5] (octal).password: is a number, a date or a boolean, where a text is due; write a password",
    "mail_users[5] (octal).passwrod: is no key that is known; write password",
    f"mail_services[0] (gitea).allowed_networks[0]: 'local' {NETWORK_REMEDY}",
    "mail_providers[0] (unknown).profile: is 'hotmail', which is not known; write one of gmail, naver, outlook",
    "mail_providers[1] (clear).address: 'd}@example.org' is not a mail address; write one such as 'il@gmail.com'",
    f"mail_providers[1] (clear).username: 'il\\nroot' {CONTROL}",
    f"mail_providers[1] (clear).password: {CONTROL}",
    "mail_providers[1] (clear).owner: is empty; write one such as 'il'",
    "mail_providers[1] (clear).imap_port: is 143, which begins without TLS; write 993, with implicit TLS, or remove it",
    "mail_providers[1] (clear).mailboxes[0]: is empty; write one such as 'Work*'",
    "mail_providers[1] (clear).mailboxes[1]: is 2026, where a text is due; write one such as 'Work*', in quotes",
    "mail_listen_addresses[0]: 'eth0' is not an IP address; write one such as '192.168.1.2'",
]
BAD_HASHING = [
    (
        {"dovecot_imap_password_scheme": "MD5-CRYPT"},
        "dovecot_imap_password_scheme: is 'MD5-CRYPT', which is not known; "
        "write one of ARGON2ID, BLF-CRYPT, SHA512-CRYPT",
    ),
    (
        {"dovecot_imap_argon2_memory": 7},
        "dovecot_imap_argon2_memory: is 7, which is too small; write a number of KiB from 8 to 4294967295",
    ),
    (
        {
            "dovecot_imap_password_scheme": "BLF-CRYPT",
            "mail_users": [{"name": "il", "password": f"secret-{'x' * 66}"}],
            "mail_services": [],
            "mail_providers": [],
            "mail_default_provider": "",
        },
        "mail_users[0] (il).password: it has 73 bytes and BLF-CRYPT takes 72: "
        "shorten it, or choose scheme ARGON2ID",
    ),
]

FETCHED = {"profile": "naver", "password": "secret-naver", "owner": "il", "relay": False}
BAD_FETCHES = {
    "mail_users": [{"name": "il", "password": "secret-il"}],
    "mail_services": [],
    "mail_providers": [
        {**FETCHED, "name": "stray", "address": "b@naver.com", "owner": "nobody", "folder": "Stray"},
        {**FETCHED, "name": "first", "address": "c@naver.com"},
        {**FETCHED, "name": "second", "address": "d@naver.com", "folder": "NAVER"},
        {**FETCHED, "name": "within", "address": "e@naver.com", "folder": "Naver/Work"},
        {**FETCHED, "name": "inbox", "address": "f@naver.com", "folder": "INBOX"},
        {**FETCHED, "name": "trash", "address": "g@naver.com", "folder": "Trash/Naver"},
        {**FETCHED, "name": "labels", "address": "i@naver.com", "folder": "Labels", "labels": True},
        {**FETCHED, "name": "name_of_19_letters_", "address": "k@naver.com", "folder": "Long"},
        {
            **FETCHED,
            **{"name": "relays", "address": "l@naver.com", "folder": "Relays", "relay": True},
            **{"password": "", "password_file": "/etc/mail-passwords/naver"},
        },
    ],
    "mail_default_provider": "",
}
FETCH_PROBLEMS = [
    "mail_providers[0] (stray).owner: 'nobody' is not a user; write one of il",
    "mail_providers[2] (second).folder: 'NAVER' is 'Naver', where the mail of first lands; write another one",
    "mail_providers[3] (within).folder: 'Naver/Work' lies in 'Naver', where the mail of first lands; "
    "write another one",
    "mail_providers[4] (inbox).folder: 'INBOX' is the inbox itself (inbox: true lets new mail arrive there); "
    "write one such as 'Google'",
    "mail_providers[5] (trash).folder: 'Trash/Naver' is a folder that the house has for another use; "
    "write one such as 'Google'",
    "mail_providers[6] (labels).labels: only mailboxes of gmail are labels; "
    "remove it, all others are fetched as folders",
    "mail_providers[7] (name_of_19_letters_).name: has 19 characters, too many for the name of its system user; "
    "write at most 18",
    "mail_providers[8] (relays).password_file: is for fetching alone; "
    "write relay: false as well, or password instead of it",
]
PASSWORD_FILE = "/run/refused-password"
FILES = {
    **BAD_FETCHES,
    "mail_providers": [
        {
            "name": name,
            "address": f"{name}@naver.com",
            "password_file": path,
            "profile": "naver",
            "owner": "il",
        }
        | {"relay": False, "folder": name}
        for name, path in (("readable", PASSWORD_FILE), ("missing", f"{PASSWORD_FILE}.missing"))
    ],
}
BAD_FETCH_OPTIONS = [
    (
        {"mbsync_fetch_interval": "5 minutos"},
        "mbsync_fetch_interval: '5 minutos' is not a time that systemd knows (systemd.time(7)); "
        "write one such as '1h 30min'",
    ),
    (
        {
            **BAD_FETCHES,
            "mail_providers": [
                {**FETCHED, "name": "naver", "address": "a@naver.com", "deleted_at_provider": "delete"}
            ],
        },
        "mail_providers[0] (naver).deleted_at_provider: is 'delete', which is not known; write one of keep, mirror",
    ),
]
BAD_WEBMAIL_HOST = {
    "mail_webmail_hostname": "{{ mail_hostname }}",
    "webmail_host_autoconfig_hostnames": ["auto config"],
    "webmail_host_reverse_proxies": ["8.8.8.8"],
    "webmail_host_https_port": 0,
    "webmail_host_http_port": 70000,
    "webmail_host_listen_addresses": ["192.0.2.1"],
    "webmail_host_ban_after": 0,
    "webmail_host_ban_ignored": ["192.168.1.0/33"],
}
WEBMAIL_HOST_PROBLEMS = [
    "is the mail host's name, but the webmail runs on another machine",
    "webmail_host_autoconfig_hostnames[0]: 'auto config' is not a fully qualified domain name; write one such as",
    "webmail_host_reverse_proxies[0]: '8.8.8.8' is not within private address space",
    "webmail_host_https_port: is 0, which is too small; write a number from 1 to 65535, such as 8443",
    "webmail_host_http_port: is 70000, which is too large; write a number from 0 to 65535, such as 8080",
    "webmail_host_listen_addresses[0]: '192.0.2.1' is no address of the host; write one of its own",
    "webmail_host_ban_after: is 0, which is too small; write a number of wrong passwords from 1 to 1000, such as 10",
    "webmail_host_ban_ignored[0]: '192.168.1.0/33' is not an address, a network in CIDR form or a host name",
]
BAD_CHOICES = [
    ("horde", "mail_webmail: is 'horde', which is not known; write one of snappymail, roundcube"),
    (["roundcube", "snappymail"], "mail_webmail: roundcube and snappymail would both be at 'webmail."),
]
BAD_WEBMAIL = {
    "snappymail_attachment_size": 0,
    "snappymail_workers": -1,
    "snappymail_ban": False,
    "snappymail_extra_settings": {
        "login": "secret-login",
        "ssl": {"verify_certificate": False},
        "labs": {"use_local_proxy_for_external_images": True},
    },
}
WEBMAIL_PROBLEMS = [
    "snappymail_attachment_size: is 0, which is too small; write a number of MB from 1 to 2000, such as 25",
    "snappymail_workers: is -1, which is too small; write a number of requests from 1 to 1000, such as 10",
    "snappymail_ban: is no variable that is known; write webmail_host_ban",
    "snappymail_extra_settings.login: is no section",
    "snappymail_extra_settings.ssl.verify_certificate: is not for change",
    "snappymail_extra_settings.labs.use_local_proxy_for_external_images: is not for change",
]

# What a run would leave behind on the lab's hosts, or replace there.
MOVED = {
    "mail_domain": "other.internal",
    "mail_hostname": "mail.other.internal",
    "mail_webmail_hostname": "webmail.other.internal",
    # Of the former domain.
    "mail_services": [],
    "mail_providers": [],
    "mail_default_provider": "",
}
MOVED_PROBLEMS = [
    "mail_tls_ca_domains: other.internal are not the domains of the authority on this host (ilnmors.internal): "
    "every device would have to trust a new authority; write ['ilnmors.internal'], "
    "or set mail_tls_ca_replace: true if you mean it",
    "mail_hostname: 'mail.other.internal' would take the place of 'mail.ilnmors.internal' in the certificate of this "
    "host: mail programs that are set up with the former name would refuse to connect",
]
LEFT = {
    "mail_domain": "other.internal",
    "mail_tls_ca_domains": ["internal"],
    "mail_tls_ca_replace": True,
    "mail_services": [],
    "mail_providers": [],
    "mail_default_provider": "",
    "dovecot_imap_vmail_uid": 5001,
    "dovecot_imap_metrics_port": 8446,
}
LEFT_PROBLEMS = [
    "mail_domain: 'other.internal' has no mail in '/var/vmail', but ilnmors.internal has: "
    "people would find empty mailboxes",
    "dovecot_imap_vmail_uid: 5001 is not the number of the user 'vmail' of this host, which has 5000",
    "dovecot_imap_metrics_port: dovecot cannot listen on port 8446, for another.socket does already (on 0.0.0.0:8446)",
]
LOST = [
    (
        {"mail_store_directory": "/srv/mail"},
        "mail_store_directory: '/srv/mail' has no mail, but '/var/vmail' has: people would find empty mailboxes",
    ),
    (
        {"dovecot_imap_metrics_address": "192.168.254.254"},
        "dovecot_imap_metrics_address: '192.168.254.254' is no address of the host, and Dovecot would stop",
    ),
    (
        {"postfix_relay_provider_ca": "/etc/hostname"},
        "postfix_relay_provider_ca: /etc/hostname holds no certificate in PEM form",
    ),
    (
        {"mail_tls_certificate": "/etc/missing.pem", "mail_tls_key": "/etc/missing.key"},
        "mail_tls_certificate: /etc/missing.pem is not there; put it on the host",
    ),
]


def variable(problem: str) -> str:
    """Return what a problem is about."""
    return problem.partition(":")[0]


@pytest.fixture(scope="module")
def tls_run(site: Site) -> Run:
    return site(BAD_TLS)


@pytest.fixture(scope="module")
def house_run(site: Site, mail: Host) -> Run:
    mail.check_output(f"ip address add {PUBLIC}/32 dev lo")
    try:
        return site(BAD_HOUSE)
    finally:
        mail.check_output(f"ip address delete {PUBLIC}/32 dev lo")


@pytest.fixture(scope="module")
def account_run(site: Site) -> Run:
    return site(BAD_ACCOUNTS)


@pytest.fixture(scope="module")
def fetch_run(site: Site) -> Run:
    return site(BAD_FETCHES, "--limit", "mail")


@pytest.fixture
def password_file(mail: Host) -> Iterator[str]:
    """Put a password where everybody can read it."""
    mail.check_output("printf secret-naver >%s && chmod 644 %s", PASSWORD_FILE, PASSWORD_FILE)
    yield PASSWORD_FILE
    mail.check_output("rm %s", PASSWORD_FILE)


@pytest.fixture(scope="module")
def moved_run(site: Site) -> Run:
    return site(MOVED, "--limit", "mail")


@pytest.fixture(scope="module")
def left_run(site: Site, mail: Host) -> Run:
    mail.check_output("systemd-run --unit=another --socket-property=ListenStream=0.0.0.0:8446 true")
    try:
        return site(LEFT, "--limit", "mail")
    finally:
        mail.check_output("systemctl stop another.socket")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "webmail.tar.gz"
    path.write_bytes(ARCHIVE)
    return path


@pytest.fixture(scope="module")
def archive_run(site: Site, archive: Path) -> Run:
    return site(
        {
            "snappymail_archive_file": str(archive),
            "snappymail_archive_sha256": "0" * 64,
            # Said explicitly, a public network is no problem: the run comes as far as the webmail.
            "mail_trusted_networks": ["127.0.0.0/8", "8.8.8.0/24"],
            "mail_trust_public_networks": True,
            **BAD_WEBMAIL,
        }
    )


@pytest.fixture(scope="module")
def webmail_host_run(site: Site) -> Run:
    return site(BAD_WEBMAIL_HOST, "--limit", "webmail")


@pytest.mark.parametrize("problem", TLS_PROBLEMS, ids=variable)
def test_the_domain_and_the_certificate_are_checked(tls_run: Run, problem: str) -> None:
    assert problem in tls_run.output


@pytest.mark.parametrize("problem", HOUSE_PROBLEMS, ids=variable)
def test_people_providers_and_networks_are_checked(house_run: Run, problem: str) -> None:
    assert problem in house_run.output


@pytest.mark.parametrize("problem", ACCOUNT_PROBLEMS, ids=variable)
def test_accounts_are_checked(account_run: Run, problem: str) -> None:
    assert problem in account_run.output


@pytest.mark.parametrize(("variables", "problem"), BAD_HASHING, ids=lambda value: variable(str(value)))
def test_how_passwords_are_hashed_is_checked(site: Site, variables: dict[str, Any], problem: str) -> None:
    run = site(variables)
    assert problem in run.output
    assert_nothing_changed(run)


def test_an_archive_with_another_checksum_is_refused(archive_run: Run, archive: Path) -> None:
    assert (
        f"snappymail_archive_file: '{archive}': "
        f"the archive's sha256 is {hashlib.sha256(ARCHIVE).hexdigest()}, but {'0' * 64} was asked for. "
        "Use the archive that belongs to the checksum, or the checksum that its publisher names."
    ) in archive_run.output
    assert "public address space" not in archive_run.output


@pytest.mark.parametrize("problem", WEBMAIL_HOST_PROBLEMS, ids=variable)
def test_the_webmail_host_is_checked(webmail_host_run: Run, problem: str) -> None:
    assert problem in webmail_host_run.output
    assert_nothing_changed(webmail_host_run)


@pytest.mark.parametrize(("choice", "problem"), BAD_CHOICES, ids=["unknown", "two on one name"])
def test_which_webmail_is_checked(site: Site, choice: object, problem: str) -> None:
    one_name = dict.fromkeys(("roundcube_hostname", "snappymail_hostname"), "{{ mail_webmail_hostname }}")
    run = site({"mail_webmail": choice, **one_name}, "--limit", "webmail")
    assert problem in run.output
    assert_nothing_changed(run)


@pytest.mark.parametrize("problem", WEBMAIL_PROBLEMS)
def test_the_webmail_is_checked(archive_run: Run, problem: str) -> None:
    assert problem in archive_run.output


@pytest.mark.parametrize("problem", FETCH_PROBLEMS, ids=variable)
def test_what_is_fetched_is_checked(fetch_run: Run, problem: str) -> None:
    assert problem in fetch_run.output


@pytest.mark.parametrize(("variables", "problem"), BAD_FETCH_OPTIONS, ids=lambda value: variable(str(value)))
def test_how_it_is_fetched_is_checked(site: Site, variables: dict[str, Any], problem: str) -> None:
    run = site(variables, "--limit", "mail")
    assert problem in run.output
    assert_nothing_changed(run)


def test_a_password_that_others_can_read_is_refused(site: Site, password_file: str) -> None:
    run = site({**FILES, "mbsync_fetch_provider_ca": "/etc/missing.pem"}, "--limit", "mail")
    for problem in (
        f"mail_providers (readable).password_file: {password_file} has mode 0644, so that others can read it; "
        f"run 'chmod 600 {password_file}'",
        f"mail_providers (missing).password_file: {password_file}.missing is not there; put it on the host",
        "mbsync_fetch_provider_ca: /etc/missing.pem is not there; put it on the host, "
        "or leave it out for those of Debian",
    ):
        assert problem in run.output
    assert_nothing_changed(run)


@pytest.mark.parametrize("problem", MOVED_PROBLEMS, ids=variable)
def test_what_devices_trust_is_not_replaced_unasked(moved_run: Run, problem: str) -> None:
    assert problem in moved_run.output


@pytest.mark.parametrize("problem", LEFT_PROBLEMS, ids=variable)
def test_no_mail_is_left_behind_and_no_port_taken_away(left_run: Run, problem: str) -> None:
    assert problem in left_run.output


@pytest.mark.parametrize(("variables", "problem"), LOST, ids=lambda value: variable(str(value)))
def test_what_the_host_does_not_have_is_refused(site: Site, variables: dict[str, Any], problem: str) -> None:
    run = site(variables, "--limit", "mail")
    assert problem in run.output
    assert_nothing_changed(run)


@pytest.fixture
def alias(mail: Host, provider: Host) -> Iterator[str]:
    """Give the lab's mail host another name, which it alone knows."""
    assert provider
    mail.check_output("cp /etc/hosts /tmp/hosts && echo '127.0.0.1 alias.example.org' >>/etc/hosts")
    yield "alias.example.org"
    mail.check_output("cat /tmp/hosts >/etc/hosts && rm /tmp/hosts")


def test_the_house_does_not_fetch_itself_under_another_name(site: Site, alias: str) -> None:
    account = {"name": "self", "address": "self@example.org", "password": "secret-self", "owner": "il"}
    variables = {
        "mail_providers": [{**account, "imap_host": alias, "smtp_host": "smtp.naver.test"}],
        **{"mail_default_provider": "", "mail_services": []},
    }
    run = site(variables, "--limit", "mail")
    assert (
        f"mail_providers (self).imap_host: '{alias}' is this host itself (127.0.0.1), "
        "which would be fetched into itself without end; write the provider's"
    ) in run.output
    assert_nothing_changed(run)


@pytest.mark.parametrize(
    "name", ["tls_run", "house_run", "account_run", "archive_run", "fetch_run", "moved_run", "left_run"]
)
def test_a_refused_run_changes_nothing_and_shows_no_secret(request: pytest.FixtureRequest, name: str) -> None:
    assert_nothing_changed(request.getfixturevalue(name))
