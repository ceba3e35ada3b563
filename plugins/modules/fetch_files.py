#!/usr/bin/python
# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the files on a mail host that hold the passwords of accounts that are fetched."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_files
short_description: Check the files on a mail host that accounts at providers name
version_added: 1.0.0
author: The ilnmors.mail maintainers
description:
  - Fails if the file of a password is missing, empty or readable by others than its owner, or if there are no
    certificates to verify providers against. Says all that is wrong, and nothing of what is in the files.
  - Runs as root, which reads such files.
options:
  password_files:
    description: Absolute paths of the files that hold passwords, by the names of their accounts.
    type: dict
    default: {}
  provider_ca:
    description:
      - Absolute path of the certificates that providers are verified against. That of Debian's package
        C(ca-certificates) may be missing.
    type: path
    required: true
attributes:
  check_mode:
    description: Only reads, so it does the same in check mode.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Refuse files that others can read
  ilnmors.mail.fetch_files:
    password_files:
      gmail: /etc/mail-passwords/gmail
    provider_ca: /etc/ssl/certs/ca-certificates.crt
"""

RETURN = r"""
msg:
  description: What is wrong, one problem a line.
  returned: failure
  type: str
  sample: >-
    mail_providers (gmail).password_file: /etc/mail-passwords/gmail has mode 0644, so that others can read it;
    run 'chmod 600 /etc/mail-passwords/gmail'
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.ilnmors.mail.plugins.module_utils.fetch_files import (
    ca_problems,
    password_file_problems,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "password_files": {"type": "dict", "default": {}, "no_log": False},
            "provider_ca": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    files = {name: Path(path) for name, path in module.params["password_files"].items()}
    problems = [*password_file_problems(files), *ca_problems(Path(module.params["provider_ca"]))]
    if problems:
        module.fail_json(msg="\n".join(problems))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
