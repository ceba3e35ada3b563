# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter: how many connections an address may hold to some ports."""

from __future__ import annotations

DOCUMENTATION = r"""
name: connection_limits
version_added: 1.0.0
short_description: Derive what limits the SMTP connections of an address
description:
  - Returns what Postfix and the program C(connection-limits) of the role postfix_relay need, so that no single address
    can use up the processes of a port.
options:
  _input:
    type: dict
    required: true
    description:
      - C(connections) (int, of an address to a port), C(webmail_hostname) (str), C(trusted_networks) and C(ignored)
        (lists of str) and C(facts) (the host's C(ansible_facts), gathered with the subset C(network)).
author:
  - The ilnmors.mail maintainers (@ilnmors)
"""

EXAMPLES = r"""
- name: Show who may hold more connections than others
  ansible.builtin.debug:
    msg: "{{ (limits | ilnmors.mail.connection_limits).exceptions }}"
"""

RETURN = r"""
_value:
  type: dict
  description:
    - C(processes) (int, of Postfix for each port), C(exceptions) (str, for C(smtpd_client_event_limit_exceptions)) and
      C(settings) (dict, for the program).
  sample: {processes: 100, exceptions: $mynetworks webmail.home.internal}
"""

from collections.abc import Callable

from ansible_collections.ilnmors.mail.plugins.module_utils._render.connection_limits import connection_limits


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"connection_limits": connection_limits}
