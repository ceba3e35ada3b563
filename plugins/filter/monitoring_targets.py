# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: what Prometheus scrapes of a house."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_targets
short_description: What Prometheus scrapes of a house
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Returns what a file of Prometheus' C(file_sd_configs) holds, a group of targets for each host.
options:
  _input:
    description: The address of each host, by its name.
    type: dict
    required: true
  mail_hosts:
    description: Names of the hosts where Dovecot is.
    type: list
    elements: str
    required: true
  port:
    description: Port of the node exporter.
    type: int
    required: true
  dovecot_port:
    description: Port of Dovecot's metrics.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Show the targets
  ansible.builtin.debug:
    msg: "{{ {'mail': '192.168.1.2'} | ilnmors.mail.monitoring_targets(['mail'], 9100, 9900) }}"
"""

RETURN = r"""
_value:
  description: The groups of targets.
  type: list
  elements: dict
  sample: [{targets: ['192.168.1.2:9100', '192.168.1.2:9900'], labels: {host: mail}}]
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.monitoring_targets import (
    monitoring_targets,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"monitoring_targets": monitoring_targets}
