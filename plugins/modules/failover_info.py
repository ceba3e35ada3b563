#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say through which account mail leaves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: failover_info
short_description: Say through which provider account mail leaves
version_added: 1.0.0
author: The ilnmors.mail maintainers (@ilnmors)
description:
  - Reads what the failover of the role C(postfix_relay) keeps of each account that has another in its place, or is
    that. It connects to nobody, and changes nothing.
  - Fails where the mail of an account waits, although it has others in its place, and where the failover does not run.
    An account whose mail leaves through another is only told of.
options:
  settings:
    description: The settings of the unit. Where there is no such file, no account has another in its place.
    type: path
    default: /etc/postfix/failover.json
  status:
    description: The file that the unit keeps.
    type: path
    default: /var/lib/postfix-failover/status.json
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
seealso:
  - module: ilnmors.mail.mail_queue_info
"""

EXAMPLES = r"""
- name: See through which account mail leaves
  ilnmors.mail.failover_info:
"""

RETURN = r"""
checks:
  description: One entry for each account, and one before them where the unit does not run.
  returned: success, and failure of a check
  type: list
  elements: dict
  contains:
    name:
      description: The word C(account) and its name, or C(failover).
      type: str
      sample: account gmail
    ok:
      description: Whether all is as it should be; null where mail leaves through another account.
      type: bool
      sample: null
    seconds:
      description: How long the check took.
      type: float
      sample: 0.0
    detail:
      description: Since when it is out, why, through which account its mail leaves, and until when.
      type: str
      sample: >-
        over its limit since 2026-11-30 22:39 UTC; its mail leaves through naver until 2026-12-01 22:39 UTC: host
        smtp.gmail.com[192.0.2.1] said: 550 5.4.5 Daily user sending limit exceeded
msg:
  description: The checks that failed, and why.
  returned: failure
  type: str
  sample: >-
    1 of 2 checks failed. account gmail: over its limit since 2026-11-30 22:39 UTC, and nothing leaves through naver
    either, so that its mail waits until 2026-12-01 22:39 UTC
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import report
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.failover import failover_checks, is_active


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "path", "default": "/etc/postfix/failover.json"},
            "status": {"type": "path", "default": "/var/lib/postfix-failover/status.json"},
        },
        supports_check_mode=True,
    )
    settings, status = (Path(module.params[name]) for name in ("settings", "status"))
    module.exit_json(**report(failover_checks(settings, status, is_active(), time.time())))


if __name__ == "__main__":
    main()
