# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the people and machines of a house as accounts of Dovecot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dovecot_accounts
version_added: 1.0.0
short_description: Turn users or services into accounts for dovecot_passwd_file
description:
  - Gives each entry of C(mail_users) or C(mail_services) its login name in the house, and turns its C(quota),
    C(allowed_networks) and C(extra_fields) into fields of the passwd-file.
  - The result holds passwords; use it in tasks with C(no_log).
options:
  _input:
    type: list
    elements: dict
    required: true
    description: The site variable C(mail_users) or C(mail_services).
  domain:
    type: str
    required: true
    description: Domain of the house.
  sends_only:
    type: bool
    default: false
    description: Whether the accounts may only send mail, and not log in to IMAP, POP3 or ManageSieve.
  quota_field:
    type: str
    default: ''
    description: >-
      Field of the passwd-file that holds a quota, with V({}) for the size. Needed where an entry has a C(quota).
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Write the accounts
  ilnmors.mail.dovecot_passwd_file:
    path: /etc/dovecot/users
    accounts: "{{ mail_users | ilnmors.mail.dovecot_accounts(domain='home.internal') }}"
  no_log: true
"""

RETURN = r"""
_value:
  type: list
  elements: dict
  description: C(name), C(password) or C(password_hash), and C(extra_fields) of each account.
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import dovecot_accounts


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"dovecot_accounts": dovecot_accounts}
