# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the accounts that log in with OAuth 2.0."""

from __future__ import annotations

DOCUMENTATION = r"""
name: oauth2_accounts
version_added: 1.0.0
short_description: List provider accounts that log in with OAuth 2.0
description:
  - Picks the accounts of C(mail_providers) that have C(oauth2), and describes what their units read, their profiles
    filled in.
  - The files are secret; use them in tasks with C(no_log).
options:
  _input:
    type: list
    elements: dict
    required: true
    description: The site variable C(mail_providers).
  directory:
    type: str
    required: true
    description: Where what the units read lies on the host.
  state:
    type: str
    required: true
    description: Where the units keep their tokens.
  ca_file:
    type: str
    required: true
    description: Certificates of the authorities that the providers' servers are verified against (PEM), on the host.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Name the accounts that log in with OAuth 2.0
  ansible.builtin.debug:
    msg: "{{ accounts.names }}"
  vars:
    accounts: "{{ mail_providers | ilnmors.mail.oauth2_accounts(directory='/etc/mail-oauth2',
                                                                state='/var/lib/mail-oauth2',
                                                                ca_file='/etc/ssl/certs/ca-certificates.crt') }}"
"""

RETURN = r"""
_value:
  type: dict
  description:
    - C(names) of the accounts, and C(relays), the names of those that carry outgoing mail.
    - C(proxy), where the proxy listens for Postfix.
    - C(files), files for M(ilnmors.mail.config_files).
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.oauth2 import oauth2_accounts


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"oauth2_accounts": oauth2_accounts}
