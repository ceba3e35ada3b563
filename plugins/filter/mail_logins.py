# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the accounts of a house, as a check logs in to them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mail_logins
short_description: The accounts of a house, as a check logs in to them
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Turns the site variable C(mail_users) into the option C(accounts) of M(ilnmors.mail.mail_roundtrip). A user who
    has only C(password_hash) becomes an account without a password.
options:
  _input:
    description: The users, each with C(name) and perhaps C(password).
    type: list
    elements: dict
    required: true
  domain:
    description: The mail domain.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: See that everybody's mail arrives
  ilnmors.mail.mail_roundtrip:
    smtp_host: mail.ilnmors.internal
    imap_host: mail.ilnmors.internal
    accounts: "{{ mail_users | ilnmors.mail.mail_logins(mail_domain) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The accounts, in the order of the users.
  type: list
  elements: dict
  sample:
    - {username: il@ilnmors.internal, password: il-lab-password}
"""

from collections.abc import Callable, Mapping, Sequence

from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import house_address


def mail_logins(users: Sequence[Mapping[str, str]], domain: str) -> list[dict[str, str]]:
    """Return username and, where it is known, password of each user."""
    return [
        {"username": house_address(user["name"], domain)}
        | {key: user[key] for key in ("password",) if key in user}
        for user in users
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"mail_logins": mail_logins}
