# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a directory (LDAP) are checked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ilnmors.mail.tests.unit.site.description import SITE, literal, read, variables

SOUND: dict[str, Any] = {
    "uri": "ldaps://ldap.home.internal",
    "base": "ou=people,dc=home,dc=internal",
    "bind_dn": "cn=mail,dc=home,dc=internal",
    "bind_password": "secret-mail",
    "starttls": False,
    "allow_cleartext": False,
    "ca": "/etc/ssl/certs/ca-certificates.crt",
    "filter": "(objectClass=inetOrgPerson)",
    "login_attribute": "uid",
    "quota_attribute": "mailQuota",
}


def problems(changes: dict[str, Any]) -> list[str]:
    site = {**SITE, **{f"mail_ldap_{name}": value for name, value in {**SOUND, **changes}.items()}}
    return read("dovecot_imap", variables("dovecot_imap", literal("dovecot_imap"), site)).problems


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"uri": "ldaps://ldap.home.internal:1636/"},
        {"uri": "ldaps://192.168.1.5"},
        {"uri": "ldaps://[fd00:1::5]:636"},
        {"uri": "ldap://ldap.home.internal", "starttls": True},
        {"uri": "ldap://ldap.home.internal", "allow_cleartext": True},
        {"uri": "ldap://127.0.0.1:3890"},
        {"uri": "ldap://localhost"},
        {"uri": "ldap://[::1]"},
        {"bind_dn": "", "bind_password": ""},
        {"bind_dn": "mail@ad.home.internal"},
        {"bind_password": "a \"b'\\#%{x} é"},
        {"base": "dc=home"},
        {"filter": "(&(objectClass=person)(!(memberOf=cn=guests\\2c x,dc=home)))"},
        {"login_attribute": "sAMAccountName"},
        {"quota_attribute": ""},
        # No directory: the rest does not matter.
        {"uri": "", "base": "", "bind_password": ""},
    ],
    ids=str,
)
def test_what_works_has_no_problem(changes: dict[str, Any]) -> None:
    assert problems(changes) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        *(
            ({"uri": uri}, f"mail_ldap_uri: {uri!r} is not the address of an LDAP server; write one such as ")
            for uri in (
                "ldap.home.internal",
                "https://ldap.home.internal",
                "ldaps://",
                "ldaps://ldap.home.internal/dc=home",
                "ldaps://ldap.home.internal:x",
                "ldaps://one.home.internal ldaps://two.home.internal",
                "ldaps://il@ldap.home.internal",
            )
        ),
        (
            {"uri": "ldap://ldap.home.internal"},
            "mail_ldap_uri: 'ldap://ldap.home.internal' would send passwords over the network in the clear; "
            "write ldaps://, or set mail_ldap_starttls: true, or mail_ldap_allow_cleartext: true if you mean it",
        ),
        (
            {"starttls": True},
            "mail_ldap_starttls: is true, but mail_ldap_uri begins with ldaps://, which is TLS already; remove one",
        ),
        (
            {"bind_password": ""},
            "mail_ldap_bind_password: is empty, but mail_ldap_bind_dn is set; set both, or neither",
        ),
        (
            {"bind_dn": ""},
            "mail_ldap_bind_dn: is empty, but mail_ldap_bind_password is set; set both, or neither",
        ),
        ({"bind_password": "secret-mail "}, "mail_ldap_bind_password: begins or ends with a space; "),
        (
            {"bind_password": "secret\nmail"},
            "mail_ldap_bind_password: holds a line break or another control ",
        ),
        (
            {"bind_dn": "cn=mail\n"},
            "mail_ldap_bind_dn: 'cn=mail\\n' holds a line break or another control character; ",
        ),
        ({"base": ""}, "mail_ldap_base: is empty; write where the people are"),
        *(
            ({"base": base}, f"mail_ldap_base: {base!r} is not a distinguished ")
            for base in ("people", "dc=home,internal")
        ),
        *(
            ({"filter": text}, f"mail_ldap_filter: {text!r} is not a filter in parentheses; ")
            for text in ("()", "objectClass=*", "(a=b", "(a=b))", "(a=b)(c=d)")
        ),
        ({"filter": ""}, "mail_ldap_filter: is empty; "),
        (
            {"login_attribute": "uid)(x"},
            "mail_ldap_login_attribute: 'uid)(x' is not the name of an attribute",
        ),
        ({"login_attribute": ""}, "mail_ldap_login_attribute: is empty; "),
        (
            {"quota_attribute": "mail quota"},
            "mail_ldap_quota_attribute: 'mail quota' is not the name of an attribute",
        ),
        ({"ca": "ca.pem"}, "mail_ldap_ca: 'ca.pem' is not an absolute path"),
    ],
)
def test_what_cannot_work_is_named(changes: dict[str, Any], problem: str) -> None:
    (found,) = problems(changes)
    assert found.startswith(problem)
    assert "secret" not in found
