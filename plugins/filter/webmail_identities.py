# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: whom people write as in the webmail."""

from __future__ import annotations

DOCUMENTATION = r"""
name: webmail_identities
version_added: 1.0.0
short_description: List the addresses that people may send as in the webmail
description:
  - Lists what the mail host lets each person send as, which is their own address, aliases, and the addresses of their
    accounts at providers that relay.
options:
  _input:
    type: list
    elements: dict
    required: true
    description: The site variable C(mail_users).
  providers:
    type: list
    elements: dict
    required: true
    description: The site variable C(mail_providers).
  domain:
    type: str
    required: true
    description: Domain of the house.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Write the list
  ilnmors.mail.config_files:
    files:
      - path: /etc/people.json
        content: "{{ mail_users | ilnmors.mail.webmail_identities(providers=mail_providers, domain='home.internal')
                     | to_nice_json }}"
"""

RETURN = r"""
_value:
  type: dict
  description: >-
    C(name) (str, the display name) and C(addresses) (list of str) of each person, by the address that they log in with.
  sample:
    il@home.internal:
      name: Il
      addresses: [il@home.internal, il@gmail.com]
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.webmail_identities import (
    webmail_identities,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"webmail_identities": webmail_identities}
