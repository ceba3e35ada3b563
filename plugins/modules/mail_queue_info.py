#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what waits in Postfix's queue, and why."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_queue_info
short_description: Say what waits in Postfix's queue, and why
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Lists the messages in the queue of the Postfix on this host, the oldest first, with their senders and recipients
    and the reason that each waits for. What a message says is not read.
  - A message that has waited for longer than Postfix takes to warn its sender (C(delay_warning_time)) fails its
    check; younger ones are only shown. Where Postfix warns nobody, none fails.
  - Fails if Postfix is not running. Nothing is changed.
options:
  most:
    description: How many messages are shown one by one. Of the others only their number is.
    type: int
    default: 50
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
seealso:
  - module: ilnmors.mail.mail_port_info
"""

EXAMPLES = r"""
- name: See what waits
  ilnmors.mail.mail_queue_info:
"""

RETURN = r"""
checks:
  description: How many messages wait, then one entry for each of them.
  returned: success, and failure of a check
  type: list
  elements: dict
  contains:
    name:
      description: The word C(queue), and the message's identifier in it.
      type: str
      sample: queue 4g7GqZ2Xl3z9sQ
    ok:
      description: Whether all is as it should be; null for a message that has not waited for too long.
      type: bool
      sample: null
    seconds:
      description: How long the check took.
      type: float
      sample: 0.021
    detail:
      description: For how long it has waited, from whom, for whom and why.
      type: str
      sample: >-
        waits for 12 minutes, from il@ilnmors.internal, to friend@example.org: connect to
        smtp.gmail.com[192.0.2.1]:587: Connection refused
msg:
  description: The checks that failed, and why.
  returned: failure
  type: str
  sample: "1 of 1 checks failed. queue: Postfix is not running; start it: systemctl start postfix"
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import Check, report
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.queue import (
    QueueError,
    ask_postfix,
    queue_checks,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={"most": {"type": "int", "default": 50}},
        supports_check_mode=True,
    )
    programs = [module.get_bin_path(name, required=True) for name in ("postqueue", "postconf")]
    try:
        messages, warning = ask_postfix(*programs)
    except QueueError as error:
        checks = [Check("queue", False, 0.0, str(error))]
    else:
        checks = queue_checks(messages, time.time(), warning, module.params["most"])
    module.exit_json(**report(checks))


if __name__ == "__main__":
    main()
