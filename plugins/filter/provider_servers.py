# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: the servers of provider accounts that must not be the mail host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: provider_servers
version_added: 1.0.0
short_description: List servers of provider accounts that must not be the mail host
description:
  - Picks the hosts that entries of C(mail_providers) name themselves, for M(ilnmors.mail.host_preflight). Those of
    profiles are known.
options:
  _input:
    type: list
    elements: dict
    required: true
    description: The site variable C(mail_providers).
  protocol:
    type: str
    choices: [imap, smtp]
    required: true
    description: Whether mail is fetched from them, or sent to them.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Refuse to fetch this host into itself
  ilnmors.mail.host_preflight:
    servers: "{{ mail_providers | ilnmors.mail.provider_servers('imap') }}"
"""

RETURN = r"""
_value:
  type: list
  elements: dict
  description: C(option), C(service), C(host) and C(port) of each.
  sample: [{option: mail_providers (club).imap_host, service: dovecot, host: imap.example.org, port: 993}]
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.providers import provider_servers


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"provider_servers": provider_servers}
