# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what is fetched for a house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mbsync_fetches
version_added: 1.0.0
short_description: Turn provider accounts into what fetches them
description:
  - Computes the files and units of each account of C(mail_providers) that is fetched, its profile filled in.
  - Its C(secrets) are the passwords of the accounts; use them in tasks with C(no_log).
options:
  _input:
    type: list
    elements: dict
    required: true
    description: The site variable C(mail_providers).
  domain:
    type: str
    required: true
    description: Domain of the house.
  directory:
    type: str
    required: true
    description: Where the accounts and their passwords lie on the host.
  ca_file:
    type: str
    required: true
    description: Certificates that providers are verified against, on the host.
  metrics_directory:
    type: str
    required: true
    description: Where metrics of accounts are linked for Prometheus' node exporter. Empty for no metrics.
  local_units:
    type: dict
    required: true
    description: Contents of the units that lead to the owner's mailbox, C(socket) and C(service).
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Name the accounts that are fetched
  ansible.builtin.debug:
    msg: "{{ fetches.names }}"
  vars:
    fetches: "{{ mail_providers | ilnmors.mail.mbsync_fetches(domain='home.internal', directory='/etc/fetch',
                                                              ca_file='/etc/ssl/certs/ca-certificates.crt',
                                                              metrics_directory='',
                                                              local_units={'socket': '', 'service': ''}) }}"
"""

RETURN = r"""
_value:
  type: dict
  description:
    - C(names) of the accounts; C(users), a list of C(user) and C(address); C(units) that run.
    - C(files), C(secrets), C(directories) and C(absent) for M(ilnmors.mail.config_files).
    - C(metrics_links) and C(metrics_absent) for M(ilnmors.mail.links).
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.mbsync_fetches import mbsync_fetches


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"mbsync_fetches": mbsync_fetches}
