# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What cannot work is refused with sentences that name variable, value and remedy."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.site.description import SITE, literal, read, variables

ACCOUNT = {"name": "naver", "profile": "naver", "address": "a@naver.com", "owner": "il"}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return SITE with one place changed. path: keys and indices, dotted."""
    site = copy.deepcopy(SITE)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = site
    for step in parents:
        place = place[step]
    place[last] = value
    return site


# Role, where the site is changed, to what, and the problems of that.
CASES: list[tuple[str, str, Any, list[str]]] = [
    (
        "mail_tls",
        "mail_domain",
        "Gmail.com",
        [
            (
                "mail_domain: 'Gmail.com' is a public provider's, so other people's mail would be kept here; "
                "write a domain of your own, or one below .internal, such as 'home.internal'"
            )
        ],
    ),
    (
        "mail_tls",
        "mail_domain",
        "home.local",
        [
            (
                "mail_domain: 'home.local' would be asked for by multicast, not in your DNS (RFC 6762); "
                "write one below .internal, such as 'home.internal'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users",
        [],
        [
            (
                "mail_users: names nobody, so nobody could have mail; write a list, such as "
                "[{name: il, password: …}], or the directory that has the people as mail_ldap_uri"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_domain",
        "home",
        [("mail_domain: 'home' is not a fully qualified domain name; write one such as 'home.internal'")],
    ),
    (
        "postfix_relay",
        "mail_domain",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        ["mail_domain: has 61 characters; write 56 at most"],
    ),
    (
        "postfix_relay",
        "mail_hostname",
        "mail_1.home.internal",
        [
            (
                "mail_hostname: 'mail_1.home.internal' is not a fully qualified domain name; write one "
                "such as 'mail.home.internal'"
            )
        ],
    ),
    (
        "mail_tls",
        "mail_hostname",
        "mail.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.internal",
        ["mail_hostname: has 74 characters; write 64 at most"],
    ),
    (
        "postfix_relay",
        "mail_webmail_hostname",
        "10.0.0.1",
        [
            (
                "mail_webmail_hostname: '10.0.0.1' is not a fully qualified domain name; write one such "
                "as 'webmail.home.internal'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users",
        "il",
        [("mail_users: is a text, where a list is due; write a list, such as - {name: il, password: …}")],
    ),
    (
        "dovecot_imap",
        "mail_users",
        [{"name": "il", "password": "x"}, "guest"],
        [
            (
                "mail_users[1]: is a text, where a dictionary is due; write its keys and values, such as "
                "'name: …'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.1.name",
        "IL",
        [
            (
                "mail_users[1] (IL).name: 'IL' is taken by mail_users[0] (il).name already; choose "
                "another name or remove one of them"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.name",
        "il@home.internal",
        [
            (
                "mail_users[0] (il@home.internal).name: 'il@home.internal' is not a name to log in with, "
                "of letters, digits, '-', '_' and single dots inside; write one such as 'il.home'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.name",
        2026,
        ["mail_users[0].name: is 2026, where a text is due; write one such as 'il.home', in quotes"],
    ),
    (
        "dovecot_imap",
        "mail_users.0.password",
        None,
        ["mail_users[0] (il): has neither password nor password_hash; set one of them"],
    ),
    (
        "dovecot_imap",
        "mail_users.0.password",
        493,
        [
            (
                "mail_users[0] (il).password: is a number, a date or a boolean, where a text is due; "
                "write a password, such as 'a long one of your own', in quotes"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.password",
        " secret-edge",
        [
            (
                "mail_users[0] (il).password: begins or ends with a space; write it without, for not "
                "every program would send it"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.password",
        "Change-Me",
        [
            (
                "mail_users[0] (il).password: is the one of the example, which everybody knows; write one "
                "of your own"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.password",
        "IL",
        [
            (
                "mail_users[0] (il).password: is the name, which is the first that a stranger tries; write "
                "another"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.password",
        "change-me",
        [
            (
                "mail_providers[0] (gmail).password: is the one of the example, which everybody knows; "
                "write one of your own"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.password",
        {"secret": "x"},
        [
            (
                "mail_users[0] (il).password: is a dictionary, where a text is due; write a password, "
                "such as 'a long one of your own'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.password_hash",
        "{ARGON2ID}$argon2id$v=19$m=64,t=2,p=1$c2VjcmV0$c2VjcmV0",
        ["mail_users[0] (il): has both password and password_hash; remove one of them"],
    ),
    (
        "dovecot_imap",
        "mail_users.0.aliases",
        "family",
        [
            (
                "mail_users[0] (il).aliases: is 'family', where a list is due; write a list, such as "
                "[postmaster, family]"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.aliases.0",
        "guest",
        [
            (
                "mail_users[0] (il).aliases[0]: 'guest' is taken by mail_users[1] (guest).name already; "
                "choose another name or remove one of them"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.aliases.0",
        "a b",
        [
            (
                "mail_users[0] (il).aliases[0]: 'a b' is not the local part of an address; write one "
                "such as 'postmaster'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.aliass",
        ["x"],
        ["mail_users[0] (il).aliass: is no key that is known; write aliases"],
    ),
    (
        "dovecot_imap",
        "mail_users.0.catch_all",
        "maybe",
        [("mail_users[0] (il).catch_all: is 'maybe', which is neither true nor false; write true or false")],
    ),
    (
        "dovecot_imap",
        "mail_users.0.catch_all",
        "yes",
        [("mail_users[1] (guest).catch_all: is true, as it is for il; write it for one of them alone")],
    ),
    (
        "dovecot_imap",
        "mail_users.0.quota",
        "50%",
        [
            (
                "mail_users[0] (il).quota: is '50%', which is no size; write a whole number with B, K, "
                "M, G or T, such as '5G', or '0' for none"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.allowed_networks",
        [],
        [
            (
                "mail_users[0] (il).allowed_networks: is an empty list; write one such as "
                "['192.168.1.0/24'], or leave it out for everywhere"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.allowed_networks",
        ["192.168.1.7/24"],
        [
            (
                "mail_users[0] (il).allowed_networks[0]: '192.168.1.7/24' is not an address or a network "
                "in CIDR form (no bits set beyond the prefix); write one such as '192.168.1.0/24'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.extra_fields",
        {"userdb_home": "/root"},
        [
            (
                "mail_users[0] (il).extra_fields.userdb_home: is no field for this; remove it, for the "
                "role says that itself"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_users.0.extra_fields",
        {"reason": "two words"},
        [
            (
                "mail_users[0] (il).extra_fields.reason: the value contains a space, line break or NUL, "
                "which the file cannot hold: remove it"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_services.0.name",
        "guest",
        [
            (
                "mail_services[0] (guest).name: 'guest' is taken by mail_users[1] (guest).name already; "
                "choose another name or remove one of them"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_services.0.addresses.0",
        "gitea@elsewhere.org",
        [
            (
                "mail_services[0] (gitea).addresses[0]: 'gitea@elsewhere.org' is not an address of the "
                "house; write one such as 'gitea@home.internal'"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_services.0.provider",
        "work2",
        [
            (
                "mail_services[0] (gitea).provider: 'work2' is no account that relays; write one of "
                "gmail, work, or leave it out for the default"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.name",
        "G mail",
        [
            (
                "mail_providers[0] (G mail).name: 'G mail' is not a short name of lower-case letters, "
                "digits and '_'; write one such as 'gmail'"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.1",
        {
            "name": "gmail",
            "profile": "gmail",
            "address": "il@gmail.com",
            "password": "secret-gmail",
            "owner": "il",
        },
        [
            ("mail_providers[1] (gmail).name: 'gmail' is there twice; give each account a name of its own"),
            (
                "mail_providers[1] (gmail).folder: 'Google' is 'Google', where the mail of gmail lands; "
                "write another one"
            ),
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.1",
        {
            "name": "gmail2",
            "profile": "gmail",
            "address": "il@gmail.com",
            "password": "secret-gmail",
            "owner": "il",
        },
        [
            (
                "mail_providers[1] (gmail2): is the same account as gmail ('il@gmail.com' at "
                "'smtp.gmail.com'); remove one of them, or set relay: false for one"
            ),
            (
                "mail_providers[1] (gmail2): is the same account as gmail ('il@gmail.com' at "
                "'imap.gmail.com'); remove one of them, or set fetch: false for one"
            ),
            (
                "mail_providers[1] (gmail2).folder: 'Google' is 'Google', where the mail of gmail lands; "
                "write another one"
            ),
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.profile",
        "hotmail",
        [
            (
                "mail_providers[0] (gmail).profile: is 'hotmail', which is not known; write one of "
                "gmail, naver, outlook, daum, kakao, icloud, yahoo, fastmail, custom"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.address",
        "il}@gmail.com",
        [
            (
                "mail_providers[0] (gmail).address: 'il}@gmail.com' is not a mail address; write one "
                "such as 'il@gmail.com'"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.password",
        None,
        [
            (
                "mail_providers[0] (gmail): has no password; write the account's (app) password, or "
                "remove the account"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.owner",
        "nobody",
        ["mail_providers[0] (gmail).owner: 'nobody' is not a user; write one of il, guest"],
    ),
    (
        "postfix_relay",
        "mail_providers.0.owner",
        None,
        ["mail_providers[0] (gmail).owner: is missing; write one such as 'il'"],
    ),
    (
        "postfix_relay",
        "mail_providers.0.smtp_host",
        "smtp",
        [
            (
                "mail_providers[0] (gmail).smtp_host: 'smtp' is not a host name; write one such as "
                "'smtp.example.org'"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.smtp_host",
        "mail.home.internal",
        [
            (
                "mail_providers[0] (gmail).smtp_host: 'mail.home.internal' is the mail host itself, "
                "which would send to itself without end; write the provider's"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.imap_host",
        "mail.home.internal",
        [
            (
                "mail_providers[0] (gmail).imap_host: 'mail.home.internal' is the mail host itself, "
                "which would fetch from itself without end; write the provider's"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.smtp_port",
        70000,
        [
            (
                "mail_providers[0] (gmail).smtp_port: is 70000, which is too large; write a number from "
                "1 to 65535, such as 587"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.imap_port",
        "143",
        [
            (
                "mail_providers[0] (gmail).imap_port: is 143, which begins without TLS; write 993, with "
                "implicit TLS, or remove it"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.smtp_tls",
        "none",
        [
            (
                "mail_providers[0] (gmail).smtp_tls: none would send the password and all mail to "
                "'smtp.gmail.com' where everybody on the way can read them; remove it, or set "
                "allow_cleartext: true if that host is one of the house"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.relay",
        "no",
        [("mail_default_provider: 'gmail' has relay: false; choose one that relays, or remove that line")],
    ),
    (
        "postfix_relay",
        "mail_providers.0.relay",
        "nope",
        [
            (
                "mail_providers[0] (gmail).relay: is 'nope', which is neither true nor false; write true "
                "or false"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.failover",
        ["nobody"],
        [("mail_providers[0] (gmail).failover[0]: 'nobody' is not in mail_providers; write one of work")],
    ),
    (
        "postfix_relay",
        "mail_providers.0.failover",
        ["work", "gmail", "work"],
        [
            ("mail_providers[0] (gmail).failover[1]: 'gmail' is the account itself; write one of work"),
            ("mail_providers[0] (gmail).failover[2]: 'work' is there twice; name each account once"),
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.0.failover",
        "work",
        [
            (
                "mail_providers[0] (gmail).failover: is 'work', where a list is due; write a list, such as [naver]"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers",
        [
            {**SITE["mail_providers"][0], "failover": ["work"]},
            {**SITE["mail_providers"][1], "failover": ["gmail"], "relay": False},
        ],
        [
            (
                "mail_providers[0] (gmail).failover[0]: 'work' has relay: false; choose one that relays, or "
                "remove that line"
            ),
            (
                "mail_providers[1] (work).failover: nothing leaves through this account (relay: false); remove one of "
                "the two"
            ),
        ],
    ),
    (
        "postfix_relay",
        "postfix_relay_failover_after",
        0,
        [
            (
                "postfix_relay_failover_after: is 0, which is too small; write a number of seconds from 1 to 604800, "
                "such as 3600"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_default_provider",
        "naver",
        [
            (
                "mail_default_provider: 'naver' is not in mail_providers (there: gmail, work); write one "
                "of those names"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.1.oauth2",
        "secret-token",
        [
            (
                "mail_providers[1] (work).oauth2: is a text, where a dictionary is due; write its keys "
                "and values, such as 'client_id: …'"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.1.oauth2.client_id",
        None,
        [
            (
                "mail_providers[1] (work).oauth2.client_id: is missing; write one such as "
                "'123….apps.googleusercontent.com'"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_providers.1.password",
        "secret-x",
        [
            (
                "mail_providers[1] (work).password: is set, but outlook takes no passwords; write oauth2 "
                "instead, with client_id (the README of the role mail_oauth2 says how to get one)"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.folder",
        2026,
        [
            (
                "mail_providers[0] (gmail).folder: is 2026, where a text is due; write one such as "
                "'Google', in quotes"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.mailboxes",
        [2026],
        [
            (
                "mail_providers[0] (gmail).mailboxes[0]: is 2026, where a text is due; write one such as "
                "'Work*', in quotes"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.mailboxes",
        [""],
        ["mail_providers[0] (gmail).mailboxes[0]: is empty; write one such as 'Work*'"],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.folder",
        "INBOX",
        [
            (
                "mail_providers[0] (gmail).folder: 'INBOX' is the inbox itself (inbox: true lets new "
                "mail arrive there); write one such as 'Google'"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.folder",
        "Trash/G",
        [
            (
                "mail_providers[0] (gmail).folder: 'Trash/G' is a folder that the house has for another "
                "use; write one such as 'Google'"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.0.deleted_at_provider",
        "delete",
        [
            (
                "mail_providers[0] (gmail).deleted_at_provider: is 'delete', which is not known; write "
                "one of keep, mirror"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.1",
        {
            "profile": "naver",
            "password": "secret-naver",
            "owner": "il",
            "relay": False,
            "name": "naver",
            "address": "a@naver.com",
            "folder": "google/x",
        },
        [
            (
                "mail_providers[1] (naver).folder: 'google/x' lies in 'Google', where the mail of gmail "
                "lands; write another one"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.1",
        {
            "profile": "naver",
            "password": "secret-naver",
            "owner": "il",
            "relay": False,
            "name": "naver",
            "address": "a@naver.com",
            "labels": True,
        },
        [
            (
                "mail_providers[1] (naver).labels: only mailboxes of gmail are labels; remove it, all "
                "others are fetched as folders"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.1",
        {
            "profile": "naver",
            "password": "secret-naver",
            "owner": "il",
            "relay": False,
            "name": "name_of_19_letters_",
            "address": "a@naver.com",
        },
        [
            (
                "mail_providers[1] (name_of_19_letters_).name: has 19 characters, too many for the name "
                "of its system user; write at most 18"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mail_providers.1",
        {
            "profile": "naver",
            "owner": "il",
            "name": "naver",
            "address": "a@naver.com",
            "password_file": "/etc/x",
        },
        [
            (
                "mail_providers[1] (naver).password_file: is for fetching alone; write relay: false as "
                "well, or password instead of it"
            )
        ],
    ),
    (
        "mbsync_fetch",
        "mbsync_fetch_interval",
        "5 minutos",
        [
            (
                "mbsync_fetch_interval: '5 minutos' is not a time that systemd knows (systemd.time(7)); "
                "write one such as '1h 30min'"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_trusted_networks",
        ["8.8.8.0/24"],
        [
            (
                "mail_trusted_networks[0]: '8.8.8.0/24' is public address space: strangers could send "
                "mail through the house; write the house's private network, or set "
                "mail_trust_public_networks: true if you mean it"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_trusted_networks",
        ["192.168.1.1/24"],
        [
            (
                "mail_trusted_networks[0]: '192.168.1.1/24' is not an address or a network in CIDR form "
                "(no bits set beyond the prefix); write one such as '192.168.1.0/24'"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_trusted_networks",
        ["100.64.0.0/10"],
        [
            (
                "mail_trusted_networks[0]: '100.64.0.0/10' is address space that a carrier's customers "
                "share (RFC 6598), even if a VPN uses it too; write single addresses, such as "
                "'100.64.0.7/32', or set mail_trust_public_networks: true if you mean it"
            )
        ],
    ),
    (
        "postfix_relay",
        "mail_trusted_networks",
        ["::/0"],
        [
            (
                "mail_trusted_networks[0]: '::/0' is every machine there is: anyone could send mail "
                "through the house's accounts; write the house's private network"
            )
        ],
    ),
    (
        "postfix_relay",
        "postfix_relay_postmaster",
        "nobody",
        ["postfix_relay_postmaster: 'nobody' is not a user; write one of il, guest"],
    ),
    (
        "postfix_relay",
        "postfix_relay_postmaster",
        "",
        [
            (
                "postfix_relay_postmaster: is empty, and mail to postmaster, abuse and root would reach "
                "nobody; write one of il, guest"
            )
        ],
    ),
    (
        "postfix_relay",
        "postfix_relay_delay_warning",
        "4 hours",
        [
            (
                "postfix_relay_delay_warning: '4 hours' is not a time, a number with s, m, h, d or w; "
                "write one such as '4h'"
            )
        ],
    ),
    (
        "postfix_relay",
        "postfix_relay_queue_lifetime",
        "0d",
        [
            (
                "postfix_relay_queue_lifetime: '0d' is not a time, a number with s, m, h, d or w; write "
                "one such as '5d'"
            )
        ],
    ),
    ("postfix_relay", "postfix_relay_ban", "false", []),
    (
        "postfix_relay",
        "postfix_relay_ban_after",
        0,
        [
            (
                "postfix_relay_ban_after: is 0, which is too small; write a number of wrong passwords "
                "from 1 to 1000, such as 10"
            )
        ],
    ),
    (
        "postfix_relay",
        "postfix_relay_ban_time",
        -1,
        [
            (
                "postfix_relay_ban_time: is -1, which is too small; write a number of seconds from 1 to "
                "2147483647, such as 600"
            )
        ],
    ),
    (
        "postfix_relay",
        "postfix_relay_limit_connections",
        101,
        [
            (
                "postfix_relay_limit_connections: is 101, which is too large; write a number of "
                "connections from 1 to 100, such as 20"
            )
        ],
    ),
    (
        "postfix_relay",
        "postfix_relay_extra_settings",
        {"smtp_host_lookup": ["dns"]},
        [
            (
                "postfix_relay_extra_settings.smtp_host_lookup: is a list, where a single value is due; "
                "write a text or a number"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_monitoring_address",
        "8.8.8.8",
        [
            (
                "mail_monitoring_address: '8.8.8.8' would offer the metrics to strangers, for "
                "anyone may read them; write a private address of the host, such as '127.0.0.1'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_monitoring_address",
        "::",
        [
            (
                "mail_monitoring_address: '::' would offer the metrics to strangers, for anyone may "
                "read them; write a private address of the host, such as '127.0.0.1'"
            )
        ],
    ),
    (
        "mail_monitoring",
        "mail_monitoring_address",
        "8.8.8.8",
        [
            (
                "mail_monitoring_address: '8.8.8.8' would offer the metrics to strangers, for anyone may read "
                "them; write a private address of the host, such as '127.0.0.1'"
            )
        ],
    ),
    (
        "mail_monitoring",
        "mail_monitoring_address",
        "mail.home.internal",
        [
            (
                "mail_monitoring_address: 'mail.home.internal' is not an IP address; "
                "write one such as '127.0.0.1'"
            )
        ],
    ),
    (
        "mail_monitoring",
        "mail_monitoring_port",
        25,
        [("mail_monitoring_port: 25 is a port of the mail services; write another one, such as 9900")],
    ),
    (
        "mail_monitoring",
        "mail_monitoring_port",
        9900,
        [
            (
                "mail_monitoring_port: 9900 is that of mail_monitoring_dovecot_port as well; "
                "write another one, such as 9100"
            )
        ],
    ),
    (
        "mail_monitoring",
        "mail_monitoring_directory",
        "metrics",
        [
            (
                "mail_monitoring_directory: 'metrics' is not an absolute path of letters, digits and "
                "-_.@+/; write one such as '/var/lib/prometheus/node-exporter'"
            )
        ],
    ),
    (
        "mail_monitoring",
        "mail_monitoring_hosts",
        [],
        [
            (
                "mail_monitoring_hosts: is a list, where a dictionary is due; write the address of each host "
                "by its name, or leave it out"
            )
        ],
    ),
    (
        "mail_monitoring",
        "mail_monitoring",
        True,
        ["mail_monitoring: is no variable that is known; write mail_monitoring_address"],
    ),
    (
        "dovecot_imap",
        "dovecot_imap_clients_per_user",
        0,
        [
            (
                "dovecot_imap_clients_per_user: is 0, which is too small; write a number of mail "
                "programs from 1 to 1000, such as 5"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_quota",
        "5GB",
        [
            (
                "mail_quota: is '5GB', which is no size; write a whole number with B, K, M, G or T, such "
                "as '5G', or '0' for none"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_quota",
        5000,
        [
            (
                "mail_quota: is 5000, which is no size; write a whole number with B, K, M, G or T, such "
                "as '5G', or '0' for none"
            )
        ],
    ),
    (
        "dovecot_imap",
        "dovecot_imap_trash_days",
        -1,
        [
            (
                "dovecot_imap_trash_days: is -1, which is too small; write a number of days from 0 to "
                "36500, such as 30"
            )
        ],
    ),
    (
        "dovecot_imap",
        "dovecot_imap_junk_days",
        1.5,
        [
            (
                "dovecot_imap_junk_days: is 1.5, which is no whole number; write a number of days from 0 "
                "to 36500, such as 30"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_store_directory",
        "/home",
        [
            (
                "mail_store_directory: '/home' is a directory of the system, which the role would take "
                "for itself; write one below it"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_store_directory",
        "/srv/my mail",
        [
            (
                "mail_store_directory: '/srv/my mail' is not an absolute path of letters, digits and "
                "-_.@+/; write one such as '/var/vmail'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_store_user",
        "root",
        [
            (
                "mail_store_user: 'root' is a user of the system, which the role would change; write one "
                "for mail alone, such as 'vmail'"
            )
        ],
    ),
    (
        "dovecot_imap",
        "dovecot_imap_vmail_uid",
        0,
        [
            (
                "dovecot_imap_vmail_uid: is 0, which is too small; write a number from 100 to "
                "2147483647, such as 5000"
            )
        ],
    ),
    (
        "dovecot_imap",
        "dovecot_imap_argon2_memory",
        1048576,
        [
            (
                "dovecot_imap_argon2_memory: is 1048576, with which nobody could log in, for it is more "
                "than a process of Dovecot may have; write 524288 (512 MiB) or less"
            )
        ],
    ),
    (
        "dovecot_imap",
        "dovecot_imap_extra_settings",
        {"protocols": ["imap"]},
        [
            (
                "dovecot_imap_extra_settings.protocols: is a list, where a single value is due; write a "
                "text or a number"
            )
        ],
    ),
    (
        "dovecot_imap",
        "mail_ldap_uri",
        "ldap://ldap.home.internal",
        [
            (
                "mail_ldap_uri: 'ldap://ldap.home.internal' would send passwords over the network in the "
                "clear; write ldaps://, or set mail_ldap_starttls: true, or mail_ldap_allow_cleartext: "
                "true if you mean it"
            ),
            ("mail_ldap_base: is empty; write where the people are, such as 'ou=people,dc=home,dc=internal'"),
        ],
    ),
    (
        "dovecot_imap",
        "mail_ldap_uri",
        "http://ldap",
        [
            (
                "mail_ldap_uri: 'http://ldap' is not the address of an LDAP server; write one such as "
                "'ldaps://ldap.home.internal'"
            )
        ],
    ),
    ("dovecot_imap", "mail_ldap_bind_dn", "cn=x", []),
    (
        "mail_tls",
        "mail_tls_certificate",
        "/etc/ssl/mail.pem",
        [
            (
                "mail_tls_certificate: '/etc/ssl/mail.pem' is set, but mail_tls_key is not; set both, or "
                "neither for the house's own authority"
            )
        ],
    ),
    (
        "mail_tls",
        "mail_tls_key",
        "/etc/ssl/mail.key",
        [
            (
                "mail_tls_key: '/etc/ssl/mail.key' is set, but mail_tls_certificate is not; set both, or "
                "neither for the house's own authority"
            )
        ],
    ),
    (
        "mail_tls",
        "mail_tls_names",
        ["mail.example.org"],
        [
            (
                "mail_tls_names: 'mail.example.org' is outside the domains of the house's authority "
                "(home.internal); choose a name inside, or add its domain to mail_tls_ca_domains"
            )
        ],
    ),
    (
        "mail_tls",
        "mail_tls_days",
        0,
        [("mail_tls_days: is 0, which is too small; write a number of days from 1 to 825, such as 820")],
    ),
    (
        "mail_tls",
        "mail_tls_renew_days",
        900,
        [
            (
                "mail_tls_renew_days: is 900, which is too large; write a number of days from 1 to 824, "
                "such as 60"
            )
        ],
    ),
    (
        "mail_tls",
        "mail_tls_renew_days",
        820,
        [
            (
                "mail_tls_renew_days: is 820, and a certificate is valid for 820 days alone, so that "
                "each run would renew it; write less, such as 273"
            )
        ],
    ),
    (
        "mail_tls",
        "mail_tls_ca_host",
        "elsewhere",
        ["mail_tls_ca_host: 'elsewhere' is no host of the inventory; write one of mail"],
    ),
    (
        "webmail_host",
        "webmail_host_https_port",
        0,
        [("webmail_host_https_port: is 0, which is too small; write a number from 1 to 65535, such as 8443")],
    ),
    (
        "webmail_host",
        "webmail_host_http_port",
        443,
        [
            (
                "webmail_host_http_port: 443 is webmail_host_https_port as well; write another port, or 0 for none"
            )
        ],
    ),
    (
        "webmail_host",
        "webmail_host_reverse_proxies",
        ["8.8.8.8"],
        [
            (
                "webmail_host_reverse_proxies[0]: '8.8.8.8' is not within private address space: strangers "
                "could say that they are anyone, and go on guessing passwords; write the proxy's private "
                "address, such as '192.168.1.4'"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_workers",
        -1,
        [
            (
                "snappymail_workers: is -1, which is too small; write a number of requests from 1 to "
                "1000, such as 10"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_archive_url",
        "http://example.org/a",
        [
            (
                "snappymail_archive_url: 'http://example.org/a' is not an https URL; write one such as "
                "'https://example.org/snappymail.tar.gz'"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_archive_sha256",
        "000000000000000000000000000000000000000000000000000000000000000",
        [
            (
                "snappymail_archive_sha256: "
                "'00000000000000000000000000000000000000000000000000000000000… (63 characters) is not a "
                "SHA-256 checksum, of 64 hexadecimal digits; write one such as '71f1d8a9065cc9cf…'"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_archive_file",
        "/missing.tar.gz",
        [
            (
                "snappymail_archive_file: '/missing.tar.gz' is no file on this machine; download the "
                "archive there, or leave the variable out to use snappymail_archive_url"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_archive_file",
        "archives/snappymail.tar.gz",
        [
            (
                "snappymail_archive_file: 'archives/snappymail.tar.gz' is no absolute path, and the check and the "
                "copy would look for it in different folders; write where it lies on this machine, such as "
                "{{ inventory_dir }}/snappymail.tar.gz"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_archive_file",
        "~/snappymail.tar.gz",
        [
            (
                "snappymail_archive_file: '~/snappymail.tar.gz' is no absolute path, and the check and the "
                "copy would look for it in different folders; write where it lies on this machine, such as "
                "{{ inventory_dir }}/snappymail.tar.gz"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_extra_settings",
        {"login": "secret-login"},
        [
            (
                "snappymail_extra_settings.login: is no section; write its settings below it, such as "
                "{'login': {'fault_delay': 10}}"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_extra_settings",
        {"ssl": {"verify_certificate": False}},
        [
            (
                "snappymail_extra_settings.ssl.verify_certificate: is not for change, for the mail host "
                "is always verified, by snappymail_tls_ca; remove it"
            )
        ],
    ),
    (
        "roundcube",
        "roundcube_database",
        "mysql",
        ["roundcube_database: is 'mysql', which is not known; write one of sqlite, postgresql"],
    ),
    (
        "roundcube",
        "roundcube_database",
        "postgresql",
        [
            (
                "roundcube_database_host: is empty, and roundcube_database is 'postgresql'; write the name of its "
                "host, such as 'db.home.internal'"
            ),
            (
                "roundcube_database_password: is empty, and roundcube_database is 'postgresql'; write the password "
                "of the database's user"
            ),
        ],
    ),
    (
        "roundcube",
        "roundcube_database_password",
        "secret-roundcube",
        [
            (
                "roundcube_database_password: is set, but roundcube_database is 'sqlite', which has none; set "
                "roundcube_database: postgresql, or remove it"
            )
        ],
    ),
    (
        "roundcube",
        "roundcube_database_host",
        "db.home.internal/roundcube?sslmode=disable",
        [
            (
                "roundcube_database_host: 'db.home.internal/roundcube?sslmode=disable' is not a host name or an IP "
                "address; write one such as 'db.home.internal'"
            )
        ],
    ),
    (
        "roundcube",
        "roundcube_plugins",
        ["newmail_notifier", "autologon", "carddav"],
        [
            "roundcube_plugins[1]: 'autologon' logs people in without their password; remove it",
            (
                "roundcube_plugins[2]: 'carddav' is no plugin of Debian's package roundcube-plugins; write one of "
                "acl, additional_message_headers, attachment_reminder, autologout, database_attachments, emoticons, "
                "filesystem_attachments, help, hide_blockquote, identicon, identity_select, jqueryui, "
                "newmail_notifier, password, reconnect, redundant_attachments, show_additional_headers, "
                "subscriptions_option, userinfo, vcard_attachments"
            ),
        ],
    ),
    (
        "roundcube",
        "roundcube_extra_settings",
        {"show_images": 2, "list_cols": ["subject", "date"], "x'] = 1; phpinfo(); $y['": 1},
        [
            (
                "roundcube_extra_settings.show_images: is not for change, for nothing of a message may be loaded "
                "from elsewhere before its reader was asked; remove it"
            ),
            (
                "roundcube_extra_settings.x'] = 1; phpinfo(); $y[': is no name of a setting; write small letters, "
                "digits and underscores"
            ),
        ],
    ),
    (
        "roundcube",
        "roundcube_extra_settings",
        {"list_cols": ["subject", ["secret-date"]]},
        [
            "roundcube_extra_settings.list_cols[1]: is a list, where a single value is due; write a text or a number"
        ],
    ),
    (
        "webmail_host",
        "webmail_host_autoconfig_hostnames",
        ["webmail.home.internal"],
        [
            (
                "mail_autoconfig_hostnames[0]: 'webmail.home.internal' is taken by "
                "mail_webmail_hostname; remove it, or write a name of its own"
            )
        ],
    ),
    (
        "webmail_host",
        "webmail_host_webmail",
        "horde",
        ["mail_webmail: is 'horde', which is not known; write one of snappymail, roundcube"],
    ),
    (
        "webmail_host",
        "webmail_host_webmail",
        ["roundcube", "snapymail"],
        [
            (
                "mail_webmail[1]: is 'snapymail', which is not known; write one of snappymail, roundcube "
                "(did you mean 'snappymail'?)"
            )
        ],
    ),
    (
        "webmail_host",
        "webmail_host_webmail",
        [],
        [
            (
                "mail_webmail: is empty; write one of snappymail, roundcube, or a list, such as "
                "[roundcube, snappymail]"
            )
        ],
    ),
    (
        "webmail_host",
        "webmail_host_webmail",
        ["roundcube", "snappymail"],
        [
            (
                "mail_webmail: roundcube and snappymail would both be at 'webmail.home.internal'; set "
                "roundcube_hostname or snappymail_hostname to a name of its own, such as "
                "'snappymail.home.internal', or write one of the two alone"
            )
        ],
    ),
    (
        "webmail_host",
        "webmail_host_snappymail_hostname",
        "old.home.internal",
        [
            (
                "mail_webmail_hostname: 'webmail.home.internal' is the name of no webmail (snappymail is at "
                "'old.home.internal'); set it to the name of one, or remove snappymail_hostname"
            )
        ],
    ),
    (
        "snappymail",
        "snappymail_ban",
        False,
        ["snappymail_ban: is no variable that is known; write webmail_host_ban"],
    ),
    (
        "dovecot_imap",
        "mail_usres",
        [],
        ["mail_usres: is no variable that is known; write mail_users, or give yours another name"],
    ),
    (
        "dovecot_imap",
        "dovecot_imap_fst",
        True,
        ["dovecot_imap_fst: is no variable that is known; write dovecot_imap_fts"],
    ),
    (
        "postfix_relay",
        "mail_tls_certificat",
        "x",
        ["mail_tls_certificat: is no variable that is known; write mail_tls_certificate"],
    ),
]


@pytest.mark.parametrize(("role", "path", "value", "problems"), CASES)
def test_what_cannot_work_is_named(role: str, path: str, value: object, problems: list[str]) -> None:
    site = changed(path, value)
    own = {**literal(role), **{name: given for name, given in site.items() if name in literal(role)}}
    found = read(role, {**variables(role, own, site), **site}).problems
    assert found == problems
    assert "secret-" not in "".join(found)


def test_all_problems_are_told_at_once() -> None:
    site = {**SITE, "mail_domain": "home", "mail_quota": "lots"}
    found = read("dovecot_imap", variables("dovecot_imap", literal("dovecot_imap"), site)).problems
    assert [problem.partition(":")[0] for problem in found] == ["mail_domain", "mail_quota"]


def test_text_that_means_no_is_no() -> None:
    site = changed("mail_providers.1.fetch", "no")
    site["mail_ldap_starttls"] = "false"
    options = read("postfix_relay", variables("postfix_relay", literal("postfix_relay"), site)).options.dump()
    assert options["providers"][1]["fetch"] is False
    assert options["ldap_starttls"] is False


@pytest.mark.parametrize("empty", ["mail_users", "mail_services", "mail_default_provider", "mail_quota"])
def test_a_variable_without_a_value_is_as_one_that_is_not_set(empty: str) -> None:
    """As `mail_users:` is where every entry is commented out."""
    site = {**SITE, "mail_providers": [], "mail_default_provider": "", empty: None}
    assert read("postfix_relay", variables("postfix_relay", literal("postfix_relay"), site)).problems == []


def test_a_variable_that_cannot_be_filled_in_is_named() -> None:
    given = variables("mail_tls", literal("mail_tls"), SITE)
    del given["mail_tls_domain"]
    assert read("mail_tls", given).problems == ["mail_domain: cannot be filled in; set it"]


def test_a_variable_of_somebody_else_is_warned_of() -> None:
    given = variables("mail_tls", literal("mail_tls"), SITE) | {"mail_of_my_own_playbook": 1}
    assert read("mail_tls", given).warnings == [
        "mail_of_my_own_playbook is no variable of ilnmors.mail, whose variables begin with mail_ as well"
    ]


def test_roles_that_share_the_mail_agree_on_where_it_lies() -> None:
    given = variables("mbsync_fetch", literal("mbsync_fetch"), SITE) | {
        "dovecot_imap_mail_directory": "/srv/mail"
    }
    assert read("mbsync_fetch", given).problems == [
        "mbsync_fetch_mail_directory: is not what dovecot_imap_mail_directory is, and the two have to agree; "
        "set mail_store_directory instead of them"
    ]
