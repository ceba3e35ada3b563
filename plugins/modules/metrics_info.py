#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_checks/metrics.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_info
short_description: Say whether a host offers its figures to Prometheus
version_added: 1.0.0
description:
  - Asks the node exporter and Dovecot of a host for their metrics, as Prometheus does. It changes nothing.
  - A check fails where one does not answer, where the figures of the role C(mail_monitoring) are older than ten
    minutes, and where a part of them could not be read.
author:
  - The ilnmors.mail maintainers (@ilnmors)
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
options:
  address:
    description: The address at which they are offered.
    type: str
    required: true
  port:
    description: Port of the node exporter. V(0) asks none.
    type: int
    default: 0
  dovecot_port:
    description: Port of Dovecot's metrics. V(0) asks none.
    type: int
    default: 0
  name:
    description: What the checks are called after, such as the host.
    type: str
    default: ''
seealso:
  - module: ilnmors.mail.mail_queue_info
"""

EXAMPLES = r"""
- name: See that the figures are offered
  ilnmors.mail.metrics_info:
    address: 192.168.1.2
    port: 9100
    dovecot_port: 9900
  register: figures
  failed_when: figures.checks is undefined
"""

RETURN = r"""
checks:
  description: One for the node exporter, and one for Dovecot.
  returned: success, and failure of a check
  type: list
  elements: dict
  contains:
    name:
      description: What was checked.
      type: str
    ok:
      description: Whether it passed.
      type: bool
    seconds:
      description: How long it took.
      type: float
    detail:
      description: What is offered; or what is wrong, and what to do.
      type: str
  sample:
    - name: mail figures (node exporter)
      ok: true
      seconds: 0.1
      detail: 192.168.1.2:9100 has bans, certificates, deliveries, queue, units
"""

import time
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import report, run_checks
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.metrics import metrics_jobs


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 0},
            "dovecot_port": {"type": "int", "default": 0},
            "name": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    asked = module.params
    ports = {"node exporter": asked["port"], "Dovecot": asked["dovecot_port"]}
    checks = run_checks(metrics_jobs(asked["address"], ports, time.time))
    module.exit_json(**report([replace(one, name=f"{asked['name']} {one.name}".strip()) for one in checks]))


if __name__ == "__main__":
    main()
