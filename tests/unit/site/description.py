# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site as an inventory describes it, and what is read of it."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.ilnmors.mail.plugins.module_utils._site.description import (
    ROLES,
    Reading,
    Unfilled,
    Variables,
    read_role,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._site.options import Context
from ansible_collections.ilnmors.mail.plugins.module_utils._site.records import keys

ROLE_FOLDER = Path(__file__).parents[3] / "roles"
SITE: dict[str, Any] = {
    "mail_domain": "home.internal",
    "mail_hostname": "mail.home.internal",
    "mail_webmail_hostname": "webmail.home.internal",
    "mail_users": [
        {"name": "il", "password": "secret-il", "aliases": ["postmaster"], "quota": "5G"},
        {"name": "guest", "password": "secret-guest", "catch_all": True},
    ],
    "mail_services": [{"name": "gitea", "password": "secret-gitea", "addresses": ["gitea@home.internal"]}],
    "mail_providers": [
        {
            "name": "gmail",
            "profile": "gmail",
            "address": "il@gmail.com",
            "password": "secret-gmail",
            "owner": "il",
        },
        {
            "name": "work",
            "profile": "outlook",
            "address": "guest@outlook.com",
            "oauth2": {"client_id": "a-client", "refresh_token": "secret-token"},
            "owner": "guest",
        },
    ],
    "mail_default_provider": "gmail",
}
"""What a person writes."""

# What the roles' own defaults are that are no texts of a template.
DEFAULTS: dict[str, Any] = {
    "webmail": "snappymail",
    "domain": "home.internal",
    "hostname": "mail.home.internal",
    "webmail_hostname": "webmail.home.internal",
    "mail_hostname": "mail.home.internal",
    "autoconfig_hostnames": ["autoconfig.home.internal"],
    "users": [],
    "services": [],
    "providers": [],
    "default_provider": "",
    "failover": False,
    "hosts": {},
    "host": "a-host",
    "yesterday": False,
    "ldap_starttls": False,
    "ldap_allow_cleartext": False,
    "ldap_ca": "/etc/ssl/certs/ca-certificates.crt",
    "ldap_filter": "(objectClass=inetOrgPerson)",
    "ldap_login_attribute": "uid",
    "tls_certificate": "/etc/ssl/ilnmors-mail/host.pem",
    "tls_key": "/etc/ssl/ilnmors-mail/host.key",
    "tls_ca": "/etc/ssl/ilnmors-mail/ca.pem",
    "trusted_networks": ["127.0.0.0/8", "::1/128"],
    "trust_public_networks": False,
    "listen_addresses": [],
    "listen_public": False,
    "harden": True,
    "mail_directory": "/var/vmail",
    "vmail_user": "vmail",
    "sieve_before": "keep;\n",
    "metrics_port": 9900,
    "certificates": ["/etc/ssl/ilnmors-mail/host.pem"],
    "ca_host": "mail",
    "database_tls_ca": "/etc/ssl/ilnmors-mail/ca.pem",
    "archive_url": "https://example.org/snappymail.tar.gz",
}
CONTEXT = Context(host="mail", groups={"all": ["mail"], "mail": ["mail"], "webmail": ["mail"]})


@functools.cache
def literal(role: str) -> dict[str, Any]:
    """Return a role's defaults that are no templates."""
    found = yaml.safe_load((ROLE_FOLDER / role / "defaults" / "main.yml").read_text())
    return {name: value for name, value in found.items() if "{{" not in str(value)}


def variables(role: str, literal: dict[str, Any], site: dict[str, Any]) -> dict[str, Any]:
    """Return a role's options for a site. literal: its defaults that are no templates."""
    values: dict[str, Any] = {}
    for known in keys(ROLES[role]):
        option = f"{role}_{known.name}"
        if option in literal:
            values[option] = literal[option]
        else:
            values[option] = site.get(known.site, DEFAULTS.get(known.name, ""))
    return {**site, **values}


def read(role: str, given: dict[str, Any], own: str = "", context: Context = CONTEXT) -> Reading:
    """Read a role's options from variables that are filled in already. own: an option that follows no site variable."""

    def fill(name: str) -> object:
        if name not in given:
            raise Unfilled("set it")
        return given[name]

    def follows(option: str, site: str) -> bool:
        return option != own and (site not in given or option not in given or given[site] is given[option])

    return read_role(role, Variables(frozenset(given), fill, follows), context)


def is_sentence(problem: str, variable: str) -> bool:
    """Whether a problem names a variable, says what is wrong and then what to do."""
    return bool(
        re.match(
            rf"{re.escape(variable)}[^:]*: [^;]+; .*(write|remove|set|choose|give|copy|download)", problem
        )
    )
