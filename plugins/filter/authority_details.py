# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what people are shown of the authority that their devices have to trust."""

from __future__ import annotations

DOCUMENTATION = r"""
name: authority_details
short_description: What people are shown of the authority that their devices have to trust
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Describes the certificate of a house's own authority, with the fingerprint as devices show it.
  - A file of many certificates, such as the system's, is a store of authorities that devices trust already.
options:
  _input:
    description: The certificate, in PEM.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the fingerprint
  ansible.builtin.debug:
    msg: "{{ (lookup('ansible.builtin.file', '.lab/ca.pem') | ilnmors.mail.authority_details).fingerprint }}"
"""

RETURN = r"""
_value:
  description:
    - The authority's C(name), its C(fingerprint) (SHA-256), the C(domains) that it is limited to, if it is,
      C(servers_only), whether it is for TLS servers alone, and its certificate alone as C(pem).
    - Nothing if the text holds another number of certificates than one.
  type: dict
  sample:
    name: home.internal mail CA
    fingerprint: "5A:0E:…"
    domains: [home.internal]
    servers_only: true
    pem: "-----BEGIN CERTIFICATE-----…"
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.ilnmors.mail.plugins.module_utils._render import authority


def authority_details(pem: str) -> dict[str, Any]:
    """Describe the authority; a certificate that cannot be read fails the task."""
    try:
        return authority.authority_details(pem)
    except ValueError as error:
        raise AnsibleFilterError(
            f"The authority's certificate cannot be read ({error}). Set mail_tls_ca (or snappymail_tls_ca) to a file "
            "in PEM on the host. Where mail_tls issues it, remove ca.pem in mail_tls_directory, and run it again."
        ) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"authority_details": authority_details}
