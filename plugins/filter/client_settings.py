# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what mail programs need to know of a house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: client_settings
short_description: What mail programs need to know of a house
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Writes the settings of a house's mail host in the forms in which mail programs look for them.
options:
  _input:
    description: The house.
    type: dict
    required: true
    suboptions:
      domain:
        description: The mail domain.
        type: str
        required: true
      server:
        description: Name of the mail host, which its certificate carries.
        type: str
        required: true
      webmail_url:
        description: Where the webmail is, without a slash at the end.
        type: str
        required: true
      authority:
        description: >-
          Certificate of the house's authority, in PEM, for the profile. A text of none, or of several, adds nothing.
        type: str
        default: ''
"""

EXAMPLES = r"""
- name: Show what Thunderbird reads
  ansible.builtin.debug:
    msg: "{{ (house | ilnmors.mail.client_settings)['config-v1.1.xml'] }}"
  vars:
    house:
      domain: ilnmors.internal
      server: mail.ilnmors.internal
      webmail_url: https://webmail.ilnmors.internal
"""

RETURN = r"""
_value:
  description:
    - Texts of V(config-v1.1.xml) (Thunderbird and others), V(autodiscover.xml) and V(autodiscover.json) (Outlook), and
      V(mobileconfig) (Apple's devices; not signed).
  type: dict
  sample:
    autodiscover.json: '{"Protocol": "AutodiscoverV1", "Url": "https://…"}'
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.client_settings import (
    ClientSettings,
    documents,
)


def client_settings(house: dict[str, str]) -> dict[str, str]:
    """Return the documents of a house by the names of their files."""
    return documents(ClientSettings(**house))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"client_settings": client_settings}
