# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whom people write as in the webmail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import house_address
from ansible_collections.ilnmors.mail.plugins.module_utils._render.postfix import sender_logins

Entries = Sequence[Mapping[str, Any]]


def webmail_identities(users: Entries, providers: Entries, domain: str) -> dict[str, dict[str, Any]]:
    """Return each person's `name` and `addresses`, their own first, by the address that they log in with.

    The addresses are those that Postfix lets the login send as. People of a directory are there only if they
    own an account at a provider, and have no name.
    """
    names = {house_address(user["name"], domain): user.get("display_name") or "" for user in users}
    people: dict[str, dict[str, Any]] = {}
    for address, logins in sender_logins(users, [], providers, domain).items():
        for login in logins.split(", "):
            person = people.setdefault(login, {"name": names.get(login, ""), "addresses": [login]})
            if address != login:
                person["addresses"].append(address)
    return people
