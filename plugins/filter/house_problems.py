# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: check the description of a house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: house_problems
version_added: 1.0.0
short_description: Check the description of a house before any host is changed
description:
  - Returns what is wrong with the site variables of a house, as sentences that name the variable, what was found
    and what to write instead. Secrets are never part of them.
options:
  _input:
    type: dict
    required: true
    description:
      - What is known of the house, any of C(domain), C(hostname), C(webmail_hostname), C(users), C(services),
        C(providers), C(default_provider), C(fetch), C(fetching_hosts), C(trusted_networks), C(trust_public_networks),
        C(listen), C(ldap), C(tls_certificate), C(tls_key), C(tls_names), C(tls_ca_domains), C(clients_per_user),
        C(metrics_address), C(quota), C(expiry), C(extra_settings), C(password_scheme), C(password_costs),
        C(postmaster), C(delay_warning), C(queue_lifetime), C(limit). What is not given is not checked; what is
        no such key is refused.
author:
  - The ilnmors.mail maintainers
"""

EXAMPLES = r"""
- name: Refuse a house that cannot work
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('\n') }}"
  vars:
    problems: "{{ {'domain': mail_domain, 'users': mail_users} | ilnmors.mail.house_problems }}"
"""

RETURN = r"""
_value:
  type: list
  elements: str
  description: The problems, none when the description is sound.
  sample: ["mail_domain: 'home' is not a fully qualified domain name; write one such as 'home.internal'"]
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils.house import house_problems


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"house_problems": house_problems}
