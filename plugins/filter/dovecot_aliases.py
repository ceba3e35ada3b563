# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the aliases of a house's people as a passwd-file of Dovecot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dovecot_aliases
version_added: 1.0.0
short_description: Turn the aliases of users into a passwd-file for Dovecot
description:
  - Gives each alias in C(mail_users) a line that leads to the account that has it, without a password.
options:
  _input:
    type: list
    elements: dict
    required: true
    description: The site variable C(mail_users).
  domain:
    type: str
    required: true
    description: Domain of the house.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Write the aliases
  ilnmors.mail.config_files:
    files:
      - path: /etc/dovecot/aliases
        content: "{{ mail_users | ilnmors.mail.dovecot_aliases(domain='home.internal') }}"
"""

RETURN = r"""
_value:
  type: str
  description: Lines of the file, none where nobody has an alias.
  sample: "office@home.internal:::::::userdb_user=il@home.internal\n"
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.accounts import dovecot_aliases


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"dovecot_aliases": dovecot_aliases}
