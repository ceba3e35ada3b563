#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module entry; the logic is in module_utils/_checks/backups.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Say how old the last good backup of a host is, and whether it has been proven
version_added: 1.0.0
description:
  - Reads what the units of the role C(mail_backup) keep of themselves. It asks no repository, and changes nothing.
  - A check fails where the last backup or drill failed, and where the last good one is too old.
author:
  - The ilnmors.mail maintainers (@ilnmors)
extends_documentation_fragment:
  - ilnmors.mail.attributes
  - ilnmors.mail.attributes.info_module
options:
  max_age:
    description: After how many hours without a good backup its check fails.
    type: int
    required: true
  drill_max_age:
    description: After how many days without a good drill its check fails.
    type: int
    required: true
  name:
    description: What the checks are called after, such as the host.
    type: str
    default: ''
  status:
    description: The file that the units keep.
    type: path
    default: /var/lib/mail-backup/status.json
  config:
    description: The file of the role, whose age says since when backups are wanted.
    type: path
    default: /etc/mail-backup/backup.json
seealso:
  - module: ilnmors.mail.fetch_info
"""

EXAMPLES = r"""
- name: See how old the backup is
  ilnmors.mail.backup_info:
    max_age: 36
    drill_max_age: 9
  register: backups
  failed_when: backups.checks is undefined
"""

RETURN = r"""
checks:
  description: One for the backup, and one for the drill.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What was checked.
      type: str
    ok:
      description: Whether it passed; null where nothing is judged.
      type: bool
    seconds:
      description: How long it took.
      type: float
    detail:
      description: When the last good one was made, and what is wrong.
      type: str
  sample:
    - name: mail backup
      ok: true
      seconds: 0.0
      detail: "the last good one is of 2026-11-30 03:02 UTC: 3210 messages, snapshot 25ab2c2e"
"""

import time
from dataclasses import replace
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.backups import (
    DAY,
    HOUR,
    Ages,
    backup_checks,
    read_status,
)
from ansible_collections.ilnmors.mail.plugins.module_utils._checks.checks import report


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "max_age": {"type": "int", "required": True},
            "drill_max_age": {"type": "int", "required": True},
            "name": {"type": "str", "default": ""},
            "status": {"type": "path", "default": "/var/lib/mail-backup/status.json"},
            "config": {"type": "path", "default": "/etc/mail-backup/backup.json"},
        },
        supports_check_mode=True,
    )
    asked = module.params
    config = Path(asked["config"])
    try:
        status = read_status(Path(asked["status"]))
        installed = config.stat().st_mtime if config.exists() else 0.0
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"what the backup keeps of itself cannot be read: {error}")
    ages = Ages(asked["max_age"] * HOUR, asked["drill_max_age"] * DAY)
    checks = backup_checks(status, ages, time.time(), installed)
    module.exit_json(**report([replace(one, name=f"{asked['name']} {one.name}".strip()) for one in checks]))


if __name__ == "__main__":
    main()
