# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: check a certificate that the user brings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_problems
version_added: 1.0.0
short_description: Check a certificate that the user brings, before a daemon is given it
description:
  - Returns what is wrong with a certificate and its key on a host, as sentences that name the variable, the path, what
    was found and what to do. Nothing of the key is part of them.
options:
  _input:
    type: dict
    required: true
    description:
      - C(path), and the result of M(community.crypto.x509_certificate_info) with C(valid_at) asked for C(now), whether
        it failed or not.
  key:
    type: dict
    required: true
    description:
      - C(path), and the result of M(community.crypto.openssl_privatekey_info), whether it failed or not.
  names:
    type: list
    elements: str
    required: true
    description: DNS names that the certificate has to be for.
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Refuse a certificate that cannot serve
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('\n') }}"
  vars:
    problems: "{{ certificate | ilnmors.mail.certificate_problems(key, ['mail.home.internal']) }}"
"""

RETURN = r"""
_value:
  type: list
  elements: str
  description: The problems, none when the certificate can serve.
  sample:
    - >-
      mail_tls_certificate: '/etc/ssl/mail.pem' on this host is valid from 2026-01-01 to 2026-03-31 only; put a current
      one in its place
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._site.certificate import certificate_problems


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"certificate_problems": certificate_problems}
