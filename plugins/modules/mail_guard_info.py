#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check that a mail host's limits and bans are in its kernel."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_guard_info
short_description: Check that a mail host's limits and bans are in its kernel
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Asks this host whether nftables has what the role C(postfix_relay) relies on. The limits of an address's
    connections, and the addresses that fail2ban has banned, can be gone while their services run.
  - Where nobody is banned, it bans one of the addresses of documentation (RFC 5737) for a moment, to see that a ban
    gets into the kernel; not with C(--check). It changes nothing else.
  - Runs as root, to whom nftables and fail2ban answer.
options:
  connections:
    description: How many connections an address has to each port that is limited. V(0) where there are no limits.
    type: int
    default: 0
  jail:
    description: The jail of fail2ban that bans addresses which guess passwords. Empty where there is none.
    type: str
    default: ''
attributes:
  check_mode:
    support: full
    details:
      - Bans nobody, and reports what the kernel has.
  diff_mode:
    support: none
    details:
      - Changes nothing that stays, so there is nothing to show.
  idempotent:
    support: none
    details:
      - Where nobody is banned, bans an address at each run, and lets it go again.
extends_documentation_fragment:
  - ilnmors.mail.attributes
seealso:
  - module: ilnmors.mail.mail_port_info
"""

EXAMPLES = r"""
- name: See that strangers are kept off
  ilnmors.mail.mail_guard_info:
    connections: 20
    jail: ilnmors-mail
"""

RETURN = r"""
checks:
  description: One entry for the limits, one for the bans, where they are wanted.
  returned: success, and failure of a check
  type: list
  elements: dict
  contains:
    name:
      description: The words C(connection limits), or C(bans) with the name of the jail.
      type: str
      sample: connection limits
    ok:
      description: Whether all is as it should be; null where the kernel takes no limits.
      type: bool
      sample: true
    seconds:
      description: How long the check took.
      type: float
      sample: 0.021
    detail:
      description: What is in the kernel; or what is wrong, and what to do.
      type: str
      sample: each address has 20 connections to each port
msg:
  description: The checks that failed, and why.
  returned: failure
  type: str
  sample: >-
    1 of 2 checks failed. connection limits: the kernel has no limits, so that one address can keep others from sending;
    run 'systemctl restart postfix-connection-limits.service' there, and see 'journalctl -u
    postfix-connection-limits.service' if that does not help
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import report, run_checks
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.guards import guard_jobs


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connections": {"type": "int", "default": 0},
            "jail": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    jobs = guard_jobs(params["connections"], params["jail"], probe=not module.check_mode)
    module.exit_json(**report(run_checks(jobs)))


if __name__ == "__main__":
    main()
